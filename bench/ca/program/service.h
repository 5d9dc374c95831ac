/* The load CA as a whole: its parts made from the options, in their order, and freed. */
#ifndef CERTMILL_CA_PROGRAM_SERVICE_H
#define CERTMILL_CA_PROGRAM_SERVICE_H

#include "ca/control.h"
#include "ca/program/options.h"

struct service {
    const struct program_options *options;
    struct crypto_context *crypto;
    struct issuer *issuer;
    struct validator *validator; /* NULL when nothing is validated */
    struct weather *weather;
    struct acme *acme;
    struct handler *handler;
    struct server *server;
    struct control *control;
};

/* The options are borrowed and must outlive the service. On failure nothing is left. */
bool service_start(const struct program_options *options, int64_t now, struct service *ret_service,
                   struct error *error) MUST_USE;
void service_stop(struct service *service);

/* "https://localhost:1234/dir" */
bool service_directory(const struct service *service, struct buf *url) MUST_USE;

#endif
