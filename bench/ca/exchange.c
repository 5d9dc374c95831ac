#include "ca/exchange.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { HEADER_TEXT_MAX = 16 * 1024 };

const char *ca_endpoint_name(enum ca_endpoint endpoint)
{
    static const char *const names[CA_ENDPOINTS] = {
        [CA_DIRECTORY] = "directory",
        [CA_NEW_NONCE] = "new-nonce",
        [CA_NEW_ACCOUNT] = "new-account",
        [CA_ACCOUNT] = "account",
        [CA_ORDERS] = "orders",
        [CA_NEW_ORDER] = "new-order",
        [CA_ORDER] = "order",
        [CA_AUTHORIZATION] = "authorization",
        [CA_CHALLENGE] = "challenge",
        [CA_FINALIZE] = "finalize",
        [CA_CERTIFICATE] = "certificate",
        [CA_REVOKE] = "revoke",
        [CA_KEY_CHANGE] = "key-change",
        [CA_RENEWAL_INFO] = "renewal-info",
        [CA_OTHER] = "other",
    };
    return names[endpoint];
}

void ca_response_init(struct ca_response *response)
{
    memset(response, 0, sizeof *response);
    buf_init(&response->body, CA_BODY_MAX);
    buf_init(&response->header_text, HEADER_TEXT_MAX);
}

void ca_response_free(struct ca_response *response)
{
    buf_free(&response->body);
    buf_free(&response->header_text);
}

void ca_response_reset(struct ca_response *response)
{
    response->status = 0;
    response->content_type = NULL;
    buf_clear(&response->body);
    response->header_count = 0;
    buf_clear(&response->header_text);
    response->wire = (struct ca_wire){0};
}

void ca_header_add(struct ca_response *response, const char *name, const char *format, ...)
{
    char value[1024];
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(value, sizeof value, format, arguments);
    va_end(arguments);
    bool fits = len >= 0 && (size_t)len < sizeof value && response->header_count < CA_HEADERS_MAX;
    assert(fits);
    size_t offset = response->header_text.len;
    if (!fits || !buf_append(&response->header_text, value, (size_t)len))
        return;
    response->headers[response->header_count++] =
        (struct ca_header){.name = name, .offset = offset, .len = (size_t)len};
}

struct span ca_header_find(const struct ca_response *response, const char *name)
{
    for (size_t i = 0; i < response->header_count; i++) {
        const struct ca_header *header = &response->headers[i];
        if (strcmp(header->name, name) == 0)
            return span_make(response->header_text.data + header->offset, header->len);
    }
    return (struct span){NULL, 0};
}
