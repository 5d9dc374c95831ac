/* acme_accounts.yaml: ACME accounts by alias, with external account binding (RFC 8555 7.3.4).
 *
 *   accounts:
 *     scm_demo:
 *       - acme-endpoint: "https://acme.demo.sectigo.com"
 *         eab-hmac-key: "..."       # base64url or base64; with eab-key or neither
 *         eab-key: "..."
 *         email: ops@example.com
 *         RenewBeforeDays: 30
 *         KeyType: RSA              # RSA, ECDSA or EC
 *         KeySize: 2048 */
#ifndef CERTMILL_CONFIG_ACCOUNTS_H
#define CERTMILL_CONFIG_ACCOUNTS_H

#include "config/diagnostics.h"
#include "crypto/key.h"

#include <sys/types.h>

#define ACCOUNTS_BYTES_MAX ((size_t)4 * 1024 * 1024)

struct account {
    const char *alias;
    const char *endpoint;   /* the directory's URL as given */
    const char *eab_key_id; /* NULL without EAB */
    struct secret eab_hmac; /* raw bytes, on the secure heap; len 0 without EAB */
    const char *email;      /* NULL when not given */
    int renew_before_days;
    struct key_spec key; /* for certificates */
    size_t line;
};

struct accounts {
    struct arena arena;
    struct account *list;
    size_t count;
    const char *file; /* or its URL */
    const char *etag; /* of a file on S3; NULL: on disk */
};

/* Reads the file (at most 4 MiB, 10,000 aliases). Only the first entry of an alias is used; the
 * others are checked too. Warns when others than the owner can read the file. False only when it
 * cannot be read at all; what is wrong inside goes to `diagnostics`. Free with accounts_free either
 * way. */
bool accounts_read(const char *file, struct accounts *ret_accounts, struct diagnostics *diagnostics,
                   struct error *error) MUST_USE;
/* The same from memory: `file` is the name for messages. */
void accounts_parse(const char *file, struct span text, struct accounts *ret_accounts,
                    struct diagnostics *diagnostics);
void accounts_free(struct accounts *accounts);

const struct account *accounts_find(const struct accounts *accounts, const char *alias);

#endif
