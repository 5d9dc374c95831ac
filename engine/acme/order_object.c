/* The order (RFC 8555 section 7.1.3). */
#include "acme/fields.h"
#include "acme/objects.h"
#include "base/clock.h"

#include <stdlib.h>

#define EXPIRES_MAX 64

static const char *const order_statuses[] = {
    [ORDER_PENDING] = "pending", [ORDER_READY] = "ready",     [ORDER_PROCESSING] = "processing",
    [ORDER_VALID] = "valid",     [ORDER_INVALID] = "invalid",
};

#define ORDER_STATUS_COUNT (sizeof order_statuses / sizeof order_statuses[0])

const char *order_status_name(enum order_status status)
{
    return (size_t)status < ORDER_STATUS_COUNT ? order_statuses[status] : "unknown";
}

static bool identifiers_read(const json_t *object, struct order_object *order, struct error *error)
{
    const json_t *list = json_object_get(object, "identifiers");
    size_t count = json_array_size(list);
    if (count == 0)
        return error_set(error, ERROR_PROTOCOL, "order: identifiers is not a list, or is empty");
    if (count > ACME_AUTHORIZATIONS_MAX)
        return error_set(error, ERROR_LIMIT, "order: %zu identifiers, the limit is %d", count,
                         ACME_AUTHORIZATIONS_MAX);
    order->identifiers = calloc(count, sizeof *order->identifiers);
    if (order->identifiers == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for an order");
    order->identifier_count = count;
    for (size_t i = 0; i < count; i++)
        TRY(identifier_read(json_array_get(list, i), "order", &order->identifiers[i], error));
    return true;
}

static bool order_read(const json_t *object, struct order_object *order, struct error *error)
{
    unsigned status;
    TRY(field_status(object, "order", order_statuses, ORDER_STATUS_COUNT, FIELD_REQUIRED, &status,
                     error));
    order->status = status;
    TRY(identifiers_read(object, order, error));
    /* Past "pending" nobody needs them, and CAs with pre-validated names leave them out. */
    enum field_need authorizations = status == ORDER_PENDING ? FIELD_REQUIRED : FIELD_OPTIONAL;
    TRY(field_url_list(object, "order", "authorizations", authorizations, ACME_AUTHORIZATIONS_MAX,
                       &order->authorizations, &order->authorization_count, error));
    TRY(field_url(object, "order", "finalize",
                  status == ORDER_INVALID ? FIELD_OPTIONAL : FIELD_REQUIRED, &order->finalize,
                  error));
    TRY(field_url(object, "order", "certificate",
                  status == ORDER_VALID ? FIELD_REQUIRED : FIELD_OPTIONAL, &order->certificate,
                  error));
    const json_t *fault = json_object_get(object, "error");
    if (json_is_object(fault)) {
        order->has_error = true;
        problem_from_json(fault, &order->error);
    }
    /* Advisory: an order that has expired says so by its status. */
    const char *expires = json_text(object, "expires", EXPIRES_MAX);
    if (expires != NULL)
        (void)!time_parse_rfc3339(span_of(expires), &order->expires);
    return true;
}

bool order_object_parse(struct span body, struct order_object *ret_order, struct error *error)
{
    CLEANUP(json_release) json_t *object = NULL;
    TRY(fields_parse(body, "order", &object, error));
    struct order_object order = {0};
    if (!order_read(object, &order, error)) {
        order_object_free(&order);
        return false;
    }
    *ret_order = order;
    return true;
}

void order_object_free(struct order_object *order)
{
    texts_free(order->authorizations, order->authorization_count);
    texts_free(order->identifiers, order->identifier_count);
    free(order->finalize);
    free(order->certificate);
    *order = (struct order_object){0};
}
