/* One request on its way through the protocol. */
#ifndef CERTMILL_CA_ACME_CALL_H
#define CERTMILL_CA_ACME_CALL_H

#include "json_out.h"
#include "state.h"

#define CA_BASE_MAX 300 /* of "https://HOST" */

struct ca_call {
    struct acme *acme;
    enum ca_endpoint endpoint;
    const struct ca_request *request;
    const struct acme_mood *mood;
    struct ca_response *response;
    int64_t now; /* unix seconds */
    char base[CA_BASE_MAX];
    struct arena arena; /* what lives as long as the call */

    /* Of a POST whose signature, nonce and URL are good. */
    uint32_t account;   /* 0: the key came in the JWS */
    struct ca_key *key; /* a reference */
    struct span payload;
    struct ca_json body; /* the payload; kind CA_JSON_NONE: empty, POST-as-GET */
};

/* What a POST is signed with (RFC 8555 section 6.2). */
enum ca_identity {
    CA_BY_ACCOUNT,
    CA_BY_KEY,
    CA_BY_EITHER,
};

/* Checks the request's JWS and fills the call; false with the problem in the response. */
bool ca_call_open(struct ca_call *call, enum ca_identity identity) MUST_USE;

/* An inner JWS, of a key change or an external account binding: decoded, nothing checked. */
struct ca_jws {
    struct span input; /* what is signed */
    struct span payload;
    struct span signature;
    struct span algorithm, nonce, url, kid; /* empty when absent */
    struct ca_json jwk;
    bool has_nonce;
};
/* False with what is wrong with it. All spans live as long as the arena and the object. */
bool ca_jws_read(struct ca_json object, struct arena *arena, struct ca_jws *ret_jws,
                 struct error *error) MUST_USE;

/* The JWS was made for this request's URL. */
bool ca_jws_is_for(const struct ca_jws *jws, const struct ca_call *call);

/* Answers with a problem and returns false. */
bool ca_refuse(struct ca_call *call, int status, const char *type, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* The members of a problem, within an object that is open. */
void ca_problem_members(struct ca_out *out, const char *type, struct span detail, int status);

/* Begins an answer of one JSON object; the caller writes its members and closes it. */
void ca_answer_begin(struct ca_call *call, int status, struct ca_out *out);
/* Without memory for it the answer is a problem. */
void ca_answer_end(struct ca_call *call, struct ca_out *out);

void ca_link(struct ca_call *call, const char *relation, const char *format, ...) PRINTF_LIKE(3, 4);

/* Of a resource: "/new-order", "/order/" when an id follows. */
const char *ca_path(enum ca_endpoint endpoint);

/* The number after `prefix` in the request's path, which ends there or goes on with `/` or `?`:
 * *ret_rest is the part behind that. 0 when there is none. */
uint64_t ca_path_number(const struct ca_call *call, const char *prefix, struct span *ret_rest);

/* An object of the caller's account by the number in the path: a problem (404, or 403 when it is
 * another's) and NULL otherwise. With the lock. */
struct ca_order *ca_call_order(struct ca_call *call, const char *prefix, uint32_t *ret_id);

/* Answers with the order, its status brought up to date; with the lock. */
void ca_answer_order(struct ca_call *call, int status, uint32_t id);

/* Of its certificates, in seconds; 0: no profile. */
int64_t ca_profile_lifetime(const struct acme *acme, unsigned profile);

/* POST-as-GET: false with a problem when there is a payload. */
bool ca_call_is_get(struct ca_call *call) MUST_USE;
/* The payload is a JSON object: false with a problem otherwise. */
bool ca_call_has_object(struct ca_call *call) MUST_USE;

/* JSON of the state's objects; with the lock. */
void ca_write_account(struct ca_call *call, const struct ca_account *account, struct ca_out *out);
void ca_write_order(struct ca_call *call, uint32_t id, struct ca_out *out);
void ca_write_authorization(struct ca_call *call, uint32_t id, struct ca_out *out);
void ca_write_challenge(struct ca_call *call, uint32_t id, enum validation_method method,
                        struct ca_out *out);

/* Handlers, one a resource. */
void ca_serve_directory(struct ca_call *call);
void ca_serve_new_nonce(struct ca_call *call);
void ca_serve_new_account(struct ca_call *call);
void ca_serve_account(struct ca_call *call);
void ca_serve_orders(struct ca_call *call);
void ca_serve_key_change(struct ca_call *call);
void ca_serve_new_order(struct ca_call *call);
void ca_serve_order(struct ca_call *call);
void ca_serve_finalize(struct ca_call *call);
void ca_serve_authorization(struct ca_call *call);
void ca_serve_challenge(struct ca_call *call);
void ca_serve_certificate(struct ca_call *call);
void ca_serve_revoke(struct ca_call *call);
void ca_serve_renewal_info(struct ca_call *call);
void ca_serve_other(struct ca_call *call); /* of every method */

/* External account binding (RFC 8555 section 7.3.4): *ret_number is the key's number, or -1 when
 * none was given. False with a problem. Without the lock. */
bool ca_binding_check(struct ca_call *call, struct ca_json binding, int *ret_number) MUST_USE;

/* Puts a certificate on its issuer's CRL; with the lock. */
bool ca_revoked_note(struct acme *acme, uint32_t certificate) MUST_USE;

/* An ARI certificate identifier (RFC 9773 section 4.1): the certificate's id, or 0. With the lock.
 */
uint32_t ca_certificate_by_ari(const struct acme *acme, struct span text);
/* False with a problem when the text cannot be one. */
bool ca_ari_check(struct ca_call *call, struct span text) MUST_USE;

#endif
