/* What certificates point to: their issuer's certificate and its CRL (RFC 5280 sections 4.2.1.13
 * and 4.2.2.1). Read by anybody, without a signature. */
#include "call.h"

#include <stdlib.h>
#include <string.h>

bool ca_revoked_note(struct acme *acme, uint32_t certificate)
{
    if (acme->revoked_count == acme->revoked_capacity) {
        size_t capacity = acme->revoked_capacity > 0 ? 2 * acme->revoked_capacity : 64;
        uint32_t *revoked = realloc(acme->revoked, capacity * sizeof *revoked);
        if (revoked == NULL)
            return false;
        acme->revoked = revoked;
        acme->revoked_capacity = capacity;
    }
    acme->revoked[acme->revoked_count++] = certificate;
    return true;
}

/* Those of one intermediate, in memory that the caller frees; NULL without memory. */
static struct revoked *revoked_list(struct acme *acme, unsigned intermediate, size_t *ret_count)
{
    size_t count = 0;
    pthread_mutex_lock(&acme->lock);
    struct revoked *list = calloc(acme->revoked_count + 1, sizeof *list);
    for (size_t i = 0; list != NULL && i < acme->revoked_count; i++) {
        const struct ca_certificate *certificate =
            ca_table_at(&acme->certificates, acme->revoked[i]);
        if (certificate->intermediate != intermediate)
            continue;
        struct revoked *entry = &list[count++];
        memcpy(entry->serial, certificate->serial, sizeof entry->serial);
        entry->serial_len = certificate->serial_len;
        entry->at = certificate->revoked;
        entry->reason = certificate->reason;
    }
    pthread_mutex_unlock(&acme->lock);
    *ret_count = count;
    return list;
}

static void serve_crl(struct ca_call *call, unsigned intermediate)
{
    struct buf *body = &call->response->body;
    struct error error;
    size_t count;
    struct revoked *list = revoked_list(call->acme, intermediate, &count);
    bool made = list != NULL &&
                issuer_crl(call->acme->issuer, intermediate, list, count, call->now, body, &error);
    free(list);
    if (!made) {
        (void)ca_refuse(call, 500, "serverInternal", "no list of revoked certificates");
        return;
    }
    call->response->status = 200;
    call->response->content_type = "application/pkix-crl";
}

static bool number_read(struct span text, unsigned *ret_number)
{
    uint64_t number;
    if (!span_to_u64(text, ISSUER_INTERMEDIATES_MAX, &number))
        return false;
    *ret_number = (unsigned)number;
    return true;
}

/* The number that the path ends with. */
static bool path_ends(const struct ca_call *call, const char *prefix, unsigned *ret_number)
{
    struct span path = call->request->path;
    return span_starts(path, prefix) && number_read(span_from(path, strlen(prefix)), ret_number);
}

/* "/issuer/N", or "/issuer/N/ALTERNATE" for its certificate in another chain. */
static struct span issuer_find(const struct ca_call *call)
{
    struct span rest = call->request->path;
    unsigned number;
    unsigned alternate = 0;
    if (!span_starts(rest, "/issuer/"))
        return (struct span){0};
    rest = span_from(rest, strlen("/issuer/"));
    struct span first = span_split(&rest, '/');
    if (!number_read(first, &number) ||
        (rest.data != NULL && (!number_read(rest, &alternate) || alternate == 0)))
        return (struct span){0};
    return issuer_intermediate(call->acme->issuer, number, alternate);
}

void ca_serve_other(struct ca_call *call)
{
    unsigned number;
    bool is_crl = path_ends(call, "/crl/", &number);
    struct span der =
        is_crl ? issuer_intermediate(call->acme->issuer, number, 0) : issuer_find(call);
    if (der.len == 0) {
        (void)ca_refuse(call, 404, "malformed", "There is no such resource");
    } else if (call->request->method != CA_GET && call->request->method != CA_HEAD) {
        ca_header_add(call->response, "allow", "GET, HEAD");
        (void)ca_refuse(call, 405, "malformed", "Method not allowed");
    } else if (is_crl) {
        serve_crl(call, number);
    } else if (buf_append_span(&call->response->body, der)) {
        call->response->status = 200;
        call->response->content_type = "application/pkix-cert";
    } else {
        (void)ca_refuse(call, 500, "serverInternal", "no memory");
    }
}
