#include "ca/handler.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define STATUS_FIRST 100
#define STATUS_COUNT 500
#define UNHEARD      0 /* no status: 100 is never an answer */

struct handler {
    struct acme *acme;
    struct weather *weather;
    atomic_uint_least64_t answers[CA_ENDPOINTS][STATUS_COUNT];
};

bool handler_new(struct acme *acme, struct weather *weather, struct handler **ret_handler,
                 struct error *error)
{
    struct handler *handler = calloc(1, sizeof *handler);
    if (handler == NULL)
        return error_set(error, ERROR_MEMORY, "no memory");
    handler->acme = acme;
    handler->weather = weather;
    *ret_handler = handler;
    return true;
}

void handler_free(struct handler *handler)
{
    free(handler);
}

static void answer_for_weather(struct handler *handler, const struct ca_request *request,
                               const struct fate *fate, struct ca_response *response)
{
    acme_problem(response, fate->status, fate->problem, "%s", fate->detail);
    if (fate->retry_after[0] != '\0')
        ca_header_add(response, "retry-after", "%s", fate->retry_after);
    acme_add_nonce(handler->acme, request, response);
}

static void count_answer(struct handler *handler, enum ca_endpoint endpoint, int status)
{
    int index = status - STATUS_FIRST;
    if (index < 0 || index >= STATUS_COUNT)
        index = UNHEARD;
    atomic_fetch_add_explicit(&handler->answers[endpoint][index], 1, memory_order_relaxed);
}

void handler_answer(void *context, const struct ca_request *request, struct ca_response *response)
{
    struct handler *handler = context;
    const struct weather_question question = {.endpoint = acme_endpoint(request->path),
                                              .address = request->address,
                                              .now_us = request->now_us};
    struct fate fate;
    weather_ask(handler->weather, &question, &fate);
    if (fate.answered) {
        answer_for_weather(handler, request, &fate, response);
    } else if (!fate.unheard) {
        acme_answer(handler->acme, question.endpoint, request, &fate.mood, response);
        weather_spoil(&fate, response);
    }
    count_answer(handler, question.endpoint, response->status);
    if (fate.unheard)
        response->status = 503; /* the server wants one; nobody sees it */
    response->wire.delay_us = fate.delay_us;
    response->wire.fault = fate.wire;
}

static json_t *endpoint_figures(struct handler *handler, size_t endpoint)
{
    json_t *object = json_object();
    for (int i = 0; i < STATUS_COUNT; i++) {
        uint64_t count = atomic_load_explicit(&handler->answers[endpoint][i], memory_order_relaxed);
        if (count == 0)
            continue;
        char name[16];
        snprintf(name, sizeof name, "%d", STATUS_FIRST + i);
        json_object_set_new(object, i == UNHEARD ? "unheard" : name,
                            json_integer((json_int_t)count));
    }
    return object;
}

json_t *handler_figures(struct handler *handler)
{
    json_t *figures = json_object();
    for (size_t i = 0; i < CA_ENDPOINTS; i++) {
        json_t *object = endpoint_figures(handler, i);
        if (json_object_size(object) > 0)
            json_object_set(figures, ca_endpoint_name((enum ca_endpoint)i), object);
        json_decref(object);
    }
    return figures;
}

uint64_t handler_requests(struct handler *handler)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < CA_ENDPOINTS; i++)
        for (int status = 0; status < STATUS_COUNT; status++)
            sum += atomic_load_explicit(&handler->answers[i][status], memory_order_relaxed);
    return sum;
}

void handler_figures_reset(struct handler *handler)
{
    for (size_t i = 0; i < CA_ENDPOINTS; i++)
        for (int status = 0; status < STATUS_COUNT; status++)
            atomic_store_explicit(&handler->answers[i][status], 0, memory_order_relaxed);
}
