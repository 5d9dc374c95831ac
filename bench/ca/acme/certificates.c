/* Certificates: download (RFC 8555 section 7.4.2), revocation (7.6), renewal information (RFC
 * 9773).
 */
#include "call.h"

#include "base/base64.h"
#include "certificate_der.h"

#include <string.h>

enum { DER_MAX = 128 * 1024, CHAIN_MAX = 1024 * 1024, RENEWAL_INFO_S = 21600 };

/* An issued one, or NULL; with the lock. */
static struct ca_certificate *certificate_at(const struct acme *acme, uint64_t id)
{
    struct ca_certificate *certificate = ca_table_at(&acme->certificates, id);
    return certificate != NULL && certificate->account != 0 ? certificate : NULL;
}

static uint32_t certificate_by_serial(const struct acme *acme, struct span serial)
{
    uint64_t number;
    if (!issuer_serial_number(serial, &number))
        return 0;
    const struct ca_certificate *certificate = certificate_at(acme, number);
    return certificate != NULL &&
                   span_equal(serial, span_make(certificate->serial, certificate->serial_len))
               ? (uint32_t)number
               : 0;
}

/* Takes the serial out of an ARI identifier; false when it is none. */
static bool ari_read(struct span text, struct span *ret_key_id, struct buf *serial)
{
    struct buf bytes CLEANUP(buf_free);
    buf_init(&bytes, 64);
    *ret_key_id = span_split(&text, '.');
    return ret_key_id->len > 0 && text.len > 0 && base64url_decode(*ret_key_id, &bytes) &&
           base64url_decode(text, serial);
}

bool ca_ari_check(struct ca_call *call, struct span text)
{
    struct buf serial CLEANUP(buf_free);
    struct span key_id;
    buf_init(&serial, 64);
    return ari_read(text, &key_id, &serial) ||
           ca_refuse(call, 400, "malformed", "Invalid renewal information identifier");
}

uint32_t ca_certificate_by_ari(const struct acme *acme, struct span text)
{
    struct buf serial CLEANUP(buf_free);
    struct span key_id;
    buf_init(&serial, 64);
    if (!ari_read(text, &key_id, &serial))
        return 0;
    uint32_t id = certificate_by_serial(acme, buf_span(&serial));
    const struct ca_certificate *certificate = certificate_at(acme, id);
    return certificate != NULL &&
                   issuer_of_key_id(acme->issuer, key_id) == certificate->intermediate
               ? id
               : 0;
}

/* The certificate in the path, "/cert/N" or "/cert/N/ALTERNATE", if it is the account's. */
static const struct ca_certificate *own_certificate(struct ca_call *call, uint64_t *ret_id,
                                                    unsigned *ret_alternate)
{
    struct acme *acme = call->acme;
    struct span rest = {0};
    uint64_t alternate = 0;
    uint64_t id = ca_path_number(call, "/cert/", &rest);
    pthread_mutex_lock(&acme->lock);
    const struct ca_certificate *certificate = certificate_at(acme, id);
    if (certificate != NULL) {
        struct ca_order *order = ca_table_at(&acme->orders, certificate->order);
        ca_order_refresh(acme, order, call->request->now_us);
        if (order->status != CA_VALID)
            certificate = NULL; /* still processing, as far as the client may know */
    }
    pthread_mutex_unlock(&acme->lock);
    if (rest.len > 0 &&
        (!span_to_u64(span_from(rest, 1), issuer_alternates(acme->issuer), &alternate) ||
         alternate == 0))
        certificate = NULL;
    if (certificate == NULL) {
        (void)ca_refuse(call, 404, "malformed", "There is no such certificate");
        return NULL;
    }
    if (certificate->account != call->account) {
        (void)ca_refuse(call, 403, "unauthorized",
                        "Account authenticating request does not own certificate");
        return NULL;
    }
    *ret_id = id;
    *ret_alternate = (unsigned)alternate;
    return certificate;
}

void ca_serve_certificate(struct ca_call *call)
{
    uint64_t id;
    unsigned alternate;
    if (!ca_call_is_get(call))
        return;
    const struct ca_certificate *certificate = own_certificate(call, &id, &alternate);
    if (certificate == NULL)
        return;
    if (!issuer_chain(call->acme->issuer, span_make(certificate->der, certificate->der_len),
                      certificate->intermediate, alternate, &call->response->body)) {
        (void)ca_refuse(call, 500, "serverInternal", "no memory");
        return;
    }
    call->response->status = 200;
    call->response->content_type = "application/pem-certificate-chain";
    if (alternate == 0) {
        ca_link(call, "up", "/issuer/%u", certificate->intermediate);
    } else {
        ca_link(call, "up", "/issuer/%u/%u", certificate->intermediate, alternate);
        ca_link(call, "alternate", "/cert/%llu", (unsigned long long)id);
    }
    for (unsigned i = 1; i <= issuer_alternates(call->acme->issuer); i++) {
        if (i != alternate && call->response->header_count < CA_HEADERS_MAX - 1)
            ca_link(call, "alternate", "/cert/%llu/%u", (unsigned long long)id, i);
    }
}

static bool reason_read(struct ca_call *call, unsigned *ret_reason)
{
    struct ca_json reason = ca_json_get(call->body, "reason");
    uint64_t number;
    *ret_reason = 0;
    if (reason.kind == CA_JSON_NONE)
        return true;
    if (reason.kind != CA_JSON_NUMBER)
        return ca_refuse(call, 400, "malformed",
                         "Error unmarshaling certificate revocation JSON body");
    /* RFC 5280 section 5.3.1 has no 7. */
    if (!span_to_u64(reason.text, 10, &number) || number == 7)
        return ca_refuse(call, 400, "badRevocationReason", "Invalid revocation reason: %.*s",
                         reason.text.len < 20 ? (int)reason.text.len : 20, reason.text.data);
    *ret_reason = (unsigned)number;
    return true;
}

/* Has the account valid authorizations for all of the certificate's names? With the lock. */
static bool account_may(struct ca_call *call, const struct ca_certificate *certificate)
{
    struct acme *acme = call->acme;
    const struct ca_order *order = ca_table_at(&acme->orders, certificate->order);
    uint32_t id;
    if (certificate->account == call->account)
        return true;
    for (uint32_t i = 0; i < order->authorization_count; i++) {
        const struct ca_authorization *name = ca_authorization_of(acme, order, i);
        if (ca_authorization_find(acme, call->account, span_of(name->name), name->wildcard,
                                  call->now, &id) == NULL)
            return false;
    }
    return true;
}

/* RFC 8555 section 7.6. With the lock. */
static bool revoke(struct ca_call *call, struct span der, const struct certificate_parts *parts,
                   unsigned reason)
{
    struct acme *acme = call->acme;
    unsigned char digest[CA_KEY_DIGEST];
    uint32_t id = certificate_by_serial(acme, parts->serial);
    struct ca_certificate *certificate = certificate_at(acme, id);
    if (certificate == NULL || !span_equal(der, span_make(certificate->der, certificate->der_len)))
        return ca_refuse(call, 400, "malformed", "Unable to find specified certificate.");
    if (certificate->revoked != 0)
        return ca_refuse(call, 400, "alreadyRevoked", "Certificate has already been revoked.");
    if (call->account != 0 && !account_may(call, certificate))
        return ca_refuse(call, 403, "unauthorized",
                         "The certificate being revoked is not associated with account %u",
                         call->account);
    if (call->account == 0 && (!ca_spki_digest(acme->crypto, parts->public_key, digest) ||
                               memcmp(digest, call->key->spki_digest, sizeof digest) != 0))
        return ca_refuse(call, 403, "unauthorized",
                         "JWK embedded in revocation request must be the same public key as the "
                         "cert to be revoked");
    if (!ca_revoked_note(acme, id))
        return ca_refuse(call, 500, "serverInternal", "no memory");
    certificate->revoked = call->now;
    certificate->reason = (uint8_t)reason;
    acme->counts.revoked++;
    return true;
}

void ca_serve_revoke(struct ca_call *call)
{
    struct buf der CLEANUP(buf_free);
    struct certificate_parts parts;
    struct span text;
    unsigned reason;
    buf_init(&der, DER_MAX);
    if (!ca_call_has_object(call) || !reason_read(call, &reason))
        return;
    if (!ca_json_string(ca_json_get(call->body, "certificate"), &call->arena, &text) ||
        !base64url_decode(text, &der)) {
        (void)ca_refuse(call, 400, "malformed", "Error decoding Base64url-encoded DER");
        return;
    }
    if (!certificate_walk(buf_span(&der), &parts, NULL)) {
        (void)ca_refuse(call, 400, "malformed", "Unable to find specified certificate.");
        return;
    }
    pthread_mutex_lock(&call->acme->lock);
    bool revoked = revoke(call, buf_span(&der), &parts, reason);
    pthread_mutex_unlock(&call->acme->lock);
    if (revoked)
        call->response->status = 200;
}

struct window {
    int64_t start, end;
};

/* RFC 9773 section 4.2: two days around two thirds of the lifetime, less for short lifetimes; in
 * the past when it must be renewed now. With the lock. */
static struct window window_of(const struct acme *acme, uint32_t id, int64_t now)
{
    const struct ca_certificate *certificate = certificate_at(acme, id);
    const struct ca_account *account = ca_table_at(&acme->accounts, certificate->account);
    int64_t lifetime = certificate->not_after + 1 - certificate->not_before;
    int64_t ideal = certificate->not_after - lifetime / 3;
    int64_t half = lifetime / 45 < 86400 ? lifetime / 45 : 86400;
    if (half == 0)
        half = 1; /* a window has a length */
    if (certificate->revoked != 0 || id <= acme->renew_through || id <= account->renew_through ||
        certificate->not_after < now)
        return (struct window){now - 3600, now - 1800};
    return (struct window){ideal - half, ideal + half};
}

void ca_serve_renewal_info(struct ca_call *call)
{
    struct acme *acme = call->acme;
    struct span text = span_from(call->request->path, strlen("/renewal-info/"));
    struct window window = {0};
    struct ca_out out;
    if (!ca_ari_check(call, text))
        return;
    pthread_mutex_lock(&acme->lock);
    uint32_t id = ca_certificate_by_ari(acme, text);
    if (id != 0)
        window = window_of(acme, id, call->now);
    pthread_mutex_unlock(&acme->lock);
    if (id == 0) {
        (void)ca_refuse(call, 404, "malformed", "There is no such certificate");
        return;
    }
    ca_header_add(call->response, "retry-after", "%d", RENEWAL_INFO_S);
    ca_answer_begin(call, 200, &out);
    ca_out_key(&out, "suggestedWindow");
    ca_out_open(&out, '{');
    ca_out_key(&out, "start");
    ca_out_time(&out, window.start);
    ca_out_key(&out, "end");
    ca_out_time(&out, window.end);
    ca_out_close(&out, '}');
    ca_answer_end(call, &out);
}
