#include "run/account_file.h"

#include "base/clock.h"
#include "io/file.h"
#include "test/point.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_MAX ((size_t)64 * 1024)
#define KEY_MAX    ((size_t)16 * 1024)

bool account_folder(const char *state_folder, const char *host, const char *alias, char *path,
                    size_t size)
{
    char plain[256];
    snprintf(plain, sizeof plain, "%s", host);
    for (char *c = plain; *c != '\0'; c++)
        if (*c == ':' || *c == '[' || *c == ']')
            *c = '_';
    int len = snprintf(path, size, "%s/accounts/%s/%s", state_folder, plain, alias);
    return len > 0 && (size_t)len < size;
}

static char *field_copy(const json_t *json, const char *key)
{
    const char *text = json_text(json, key, ACME_URL_MAX);
    return text != NULL ? strdup(text) : NULL;
}

bool account_record_read(const char *folder, struct account_record *ret_record, struct error *error)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/account.json", folder);
    struct buf text CLEANUP(buf_free);
    buf_init(&text, RECORD_MAX);
    if (!file_read(path, &text, NULL, error)) {
        if (error->kind != ERROR_NOT_FOUND)
            return false;
        *ret_record = (struct account_record){0};
        return true;
    }
    json_t *json = NULL;
    if (!json_parse(buf_span(&text), RECORD_MAX, &json, error))
        return error_prefix(error, "%s: ", path);
    *ret_record = (struct account_record){
        .url = field_copy(json, "url"),
        .directory = field_copy(json, "directory"),
        .orders = field_copy(json, "orders"),
    };
    const char *at = json_text(json, "registered_at", TIME_TEXT_MAX);
    if (at == NULL || !time_parse_rfc3339(span_of(at), &ret_record->registered_at))
        ret_record->registered_at = 0;
    json_decref(json);
    return true;
}

bool account_record_write(const char *folder, const struct account_record *record,
                          const char *endpoint, const char *email, struct error *error)
{
    char path[PATH_MAX];
    char at[TIME_TEXT_MAX];
    snprintf(path, sizeof path, "%s/account.json", folder);
    json_t *json CLEANUP(json_release) =
        json_pack("{s:s, s:s, s:s?, s:s?, s:s?, s:s}", "url", record->url, "endpoint", endpoint,
                  "directory", record->directory, "orders", record->orders, "email", email,
                  "registered_at", time_format_rfc3339(record->registered_at, at));
    struct buf text CLEANUP(buf_free);
    buf_init(&text, RECORD_MAX);
    if (json == NULL || !json_append(&text, json) || !buf_append_char(&text, '\n'))
        return error_set(error, ERROR_MEMORY, "%s: no memory", path);
    return file_write(path, buf_span(&text), 0600, error);
}

void account_record_free(struct account_record *record)
{
    free(record->url);
    free(record->directory);
    free(record->orders);
    *record = (struct account_record){0};
}

static bool key_make(const struct crypto_context *crypto, const char *folder, const char *path,
                     struct key_spec spec, EVP_PKEY **ret_key, struct error *error)
{
    EVP_PKEY *key CLEANUP(key_release) = NULL;
    struct secret pem CLEANUP(secret_free) = {0};
    TRY(folder_make(folder, 0700, error));
    TRY(key_generate(crypto, spec, &key, error));
    TRY(key_to_pem(crypto, key, &pem, error));
    TRY(file_write(path, secret_span(&pem), 0600, error));
    test_point("account-key-durable");
    *ret_key = key;
    key = NULL;
    return true;
}

bool account_key_have(const struct crypto_context *crypto, const char *folder, struct key_spec spec,
                      EVP_PKEY **ret_key, bool *ret_made, struct error *error)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/key.pem", folder);
    struct buf pem CLEANUP(buf_free);
    buf_init_secret(&pem, KEY_MAX);
    if (!file_read(path, &pem, NULL, error)) {
        if (error->kind != ERROR_NOT_FOUND)
            return false;
        TRY(key_make(crypto, folder, path, spec, ret_key, error));
        *ret_made = true;
        return true;
    }
    if (!key_from_pem(crypto, buf_span(&pem), ret_key, error))
        return error_prefix(error, "%s: ", path);
    *ret_made = false;
    return true;
}
