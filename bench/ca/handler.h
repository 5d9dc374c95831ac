/* Joins the load CA's parts: a request asks the weather for its fate, then the protocol for an
 * answer, which the weather may spoil. Counts what was answered. */
#ifndef CERTMILL_CA_HANDLER_H
#define CERTMILL_CA_HANDLER_H

#include "ca/weather.h"

struct handler;

/* Both must outlive the handler. */
bool handler_new(struct acme *acme, struct weather *weather, struct handler **ret_handler,
                 struct error *error) MUST_USE;
void handler_free(struct handler *handler);

/* For server_new, with the handler as its context. */
ca_handle handler_answer;

/* Answers since the start or the last reset, by endpoint and status:
 * {"new-order": {"201": 200, "400": 3, "unheard": 1}}. The caller releases it; NULL without
 * memory. */
json_t *handler_figures(struct handler *handler) MUST_USE;
uint64_t handler_requests(struct handler *handler); /* of all endpoints */
void handler_figures_reset(struct handler *handler);

#endif
