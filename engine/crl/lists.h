/* The lists of a check, inside crl/. */
#ifndef CERTMILL_CRL_LISTS_H
#define CERTMILL_CRL_LISTS_H

#include "config/name_table.h"
#include "crl/check.h"
#include "crypto/crl.h"
#include "io/http.h"

#define CRL_LISTS_MAX   4096
#define CRL_HOSTS_MAX   64
#define CRL_ISSUERS_MAX 8
#define CRL_SERIAL_MAX  21 /* RFC 5280 section 4.1.2.2, with a leading zero */

/* Issuers that name one list: one whose key was changed keeps its name and mostly its URL. */
struct crl_issuer {
    uint64_t name_hash; /* of the Name */
    uint64_t key_hash;  /* and of the key identifier */
    const char *live;   /* a certificate of it, for its chain.pem */
};

struct crl_list {
    const char *url;
    uint32_t number;
    struct crl_host *host;
    struct crl_list *next; /* of the host */
    struct crl_issuer issuers[CRL_ISSUERS_MAX];
    unsigned issuer_count;
};

struct crl_host {
    struct crl_check *check;
    struct http_client *client;
    struct crl_list *waiting;
    unsigned out;
    size_t failed;  /* lists that could not be fetched or used */
    size_t unknown; /* those of them of which no older one is good either */
    char first_failure[ERROR_TEXT_MAX + CRL_URL_MAX];
};

/* A live certificate, 28 bytes, for there may be a million. */
struct crl_mark {
    uint32_t list; /* number + 1; 0: none */
    uint8_t issuer;
    uint8_t serial_len;
    unsigned char serial[CRL_SERIAL_MAX + 1];
};

struct crl_check {
    struct crl_check_options options;
    struct crypto_context *own_crypto;
    struct arena arena;
    struct name_table urls, host_names;
    struct crl_list *lists[CRL_LISTS_MAX];
    size_t list_count;
    struct crl_host hosts[CRL_HOSTS_MAX];
    size_t host_count;
    struct crl_mark *marks;
    size_t mark_count, noted;
    uint32_t *slots; /* mark + 1 by list and serial; a power of two of them */
    size_t slot_count;
    struct crl_revocation *found;
    size_t found_count, found_capacity;
    const char *warnings[CRL_HOSTS_MAX + 2];
    size_t warning_count;
    bool left_out; /* there was no room for all */
};

/* Verifies the list and looks up the live certificates that name it. */
bool crl_list_apply(struct crl_check *check, struct crl_list *list, struct span der,
                    struct error *error) MUST_USE;

/* Fetches what the hosts have waiting, all side by side. */
void crl_fetch_all(struct crl_check *check);

/* Lists are kept in STATE/crl/, one file a URL, whose time says when it was fetched. Not durable:
 * a file that is damaged does not verify, and is fetched again. */
enum crl_kept {
    CRL_NOT_KEPT,
    CRL_KEPT,       /* fetched too long ago to be the last word */
    CRL_KEPT_FRESH, /* fetched less than six hours ago */
};
enum crl_kept crl_cache_read(const struct crl_check *check, const struct crl_list *list,
                             struct buf *der);
void crl_cache_write(const struct crl_check *check, const struct crl_list *list, struct span der);

#endif
