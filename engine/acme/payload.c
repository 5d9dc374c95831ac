/* Request payloads (RFC 8555 sections 7.3, 7.4; RFC 8738 for IP identifiers). */
#include "acme/objects.h"
#include "base/base64.h"

#include <arpa/inet.h>

#define CSR_TEXT_MAX         ((size_t)256 * 1024)
#define CERTIFICATE_TEXT_MAX ((size_t)512 * 1024)

/* json_object_set_new fails on a NULL value, so that memory is checked once, here. */
static bool member_set(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value) == 0;
}

static bool contact_set(json_t *payload, const char *email)
{
    json_t *contacts = json_array();
    bool ok = json_array_append_new(contacts, json_sprintf("mailto:%s", email)) == 0;
    return member_set(payload, "contact", contacts) && ok;
}

static bool new_account_fill(json_t *payload, const char *email, bool terms_agreed,
                             bool only_existing, struct span external_binding)
{
    if (only_existing) {
        TRY(member_set(payload, "onlyReturnExisting", json_true()));
    } else {
        if (email != NULL && email[0] != '\0')
            TRY(contact_set(payload, email));
        if (terms_agreed)
            TRY(member_set(payload, "termsOfServiceAgreed", json_true()));
    }
    if (external_binding.len > 0) {
        json_t *binding = NULL;
        TRY(json_parse(external_binding, ACME_BODY_MAX, &binding, NULL));
        TRY(member_set(payload, "externalAccountBinding", binding));
    }
    return true;
}

bool payload_new_account(const char *email, bool terms_agreed, bool only_existing,
                         struct span external_binding, struct buf *out)
{
    CLEANUP(json_release) json_t *payload = json_object();
    return new_account_fill(payload, email, terms_agreed, only_existing, external_binding) &&
           json_append(out, payload);
}

static const char *identifier_type(const char *name)
{
    unsigned char address[sizeof(struct in6_addr)];
    bool is_address =
        inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
    return is_address ? "ip" : "dns";
}

bool payload_new_order(const char *const *names, size_t count, struct buf *out)
{
    CLEANUP(json_release) json_t *payload = json_object();
    json_t *identifiers = json_array();
    TRY(member_set(payload, "identifiers", identifiers)); /* which owns it from here on */
    for (size_t i = 0; i < count; i++)
        TRY(json_array_append_new(identifiers,
                                  json_pack("{s:s, s:s}", "type", identifier_type(names[i]),
                                            "value", names[i])) == 0);
    return json_append(out, payload);
}

bool payload_revoke(struct span certificate_der, int reason, struct buf *out)
{
    CLEANUP(json_release) json_t *payload = json_object();
    struct buf text;
    buf_init(&text, CERTIFICATE_TEXT_MAX);
    bool ok = base64url_append(&text, certificate_der.data, certificate_der.len) &&
              member_set(payload, "certificate", json_stringn(buf_text(&text), text.len)) &&
              (reason < 0 || member_set(payload, "reason", json_integer(reason))) &&
              json_append(out, payload);
    buf_free(&text);
    return ok;
}

bool payload_finalize(struct span csr_der, struct buf *out)
{
    CLEANUP(json_release) json_t *payload = json_object();
    struct buf text;
    buf_init(&text, CSR_TEXT_MAX);
    bool ok = base64url_append(&text, csr_der.data, csr_der.len) &&
              member_set(payload, "csr", json_stringn(buf_text(&text), text.len)) &&
              json_append(out, payload);
    buf_free(&text);
    return ok;
}
