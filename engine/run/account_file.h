/* account.json and key.pem of one account: what is kept of it between runs. */
#ifndef CERTMILL_RUN_ACCOUNT_FILE_H
#define CERTMILL_RUN_ACCOUNT_FILE_H

#include "run/lane.h"

struct account_record {
    char *url;       /* the account's; NULL: not registered yet */
    char *directory; /* the URL that answered with a directory, when it was not the one given */
    char *orders;
    int64_t registered_at;
};

/* The folder of an account: "STATE/accounts/HOST/ALIAS"; ':' of a port becomes '_'. False when it
 * is too long. */
bool account_folder(const char *state_folder, const char *host, const char *alias, char *path,
                    size_t size) MUST_USE;

/* A missing file gives an empty record; free it with account_record_free. */
bool account_record_read(const char *folder, struct account_record *ret_record,
                         struct error *error) MUST_USE;
bool account_record_write(const char *folder, const struct account_record *record,
                          const char *endpoint, const char *email, struct error *error) MUST_USE;
void account_record_free(struct account_record *record);

/* Reads the account's key; when there is none, makes one of this kind and writes it, durable, 0600,
 * before it returns. `ret_made` tells which. The caller frees the key. */
bool account_key_have(const struct crypto_context *crypto, const char *folder, struct key_spec spec,
                      EVP_PKEY **ret_key, bool *ret_made, struct error *error) MUST_USE;

#endif
