/* Revocations that others asked for (at the CA's console, or the CA itself by the thousands): live
 * certificates are looked up in the revocation lists that they name.
 *
 *   1. note: each live certificate's serial is put into a hash table, its list's URL into a small
 *      table of distinct ones
 *   2. run: each list is taken from STATE/crl/ while it is fresh, else fetched; one whose signature
 *      holds is walked once, entry by entry, against the hash table
 *
 * Nothing here fails a run: what goes wrong is a warning, one a host. */
#ifndef CERTMILL_CRL_CHECK_H
#define CERTMILL_CRL_CHECK_H

#include "base/arena.h"
#include "crypto/certificate.h"

struct crl_check;

struct crl_check_options {
    const char *state_folder;
    /* NULL: one is made when there is a list to verify. */
    const struct crypto_context *crypto;
    const char *ca_file;  /* for lists by https; NULL: the system's trust */
    int64_t now;          /* unix seconds */
    bool fetch;           /* else only the lists that are kept are looked at */
    unsigned patience_ms; /* for all lists together; 0: 30 s */
};

/* The options' texts must outlive it. Free with crl_check_free. */
bool crl_check_new(const struct crl_check_options *options, struct crl_check **ret_check,
                   struct error *error) MUST_USE;
void crl_check_free(struct crl_check *check);

/* Certificate number `index` of `count`, whose files are in live/`name` (borrowed). Nothing is kept
 * of one without a URL. */
void crl_check_note(struct crl_check *check, size_t index, size_t count, const char *name,
                    const struct certificate_info *info);

struct crl_revocation {
    size_t index;
    int64_t at;         /* unix seconds */
    const char *reason; /* static */
    const char *url;    /* of the list; lives as long as the check */
};

/* Looks at the lists. May take `patience_ms`, and some time for long lists. */
void crl_check_run(struct crl_check *check);
/* What was found, in no order; and what was in the way. Live as long as the check. */
const struct crl_revocation *crl_check_found(const struct crl_check *check, size_t *ret_count);
const char *const *crl_check_warnings(const struct crl_check *check, size_t *ret_count);

#endif
