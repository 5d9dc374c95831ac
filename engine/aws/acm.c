#include "aws/acm.h"

#include "base/base64.h"
#include "base/json.h"

#include <string.h>
#include <xxhash.h>

/* A page's rows name up to 100 names of up to 253 bytes each: so many surely fit into the 8 MiB
 * that a reply may have. */
#define LIST_PAGE 250

bool acm_serial_equal(const char *a, const char *b)
{
    while (*a == '0')
        a++;
    while (*b == '0')
        b++;
    return *a != '\0' && strcmp(a, b) == 0;
}

uint64_t acm_names_digest(const char *const *names, size_t count)
{
    uint64_t sum = count;
    for (size_t i = 0; i < count; i++) {
        char lower[256];
        size_t len = 0;
        for (const char *c = names[i]; *c != '\0' && len < sizeof lower; c++)
            lower[len++] = *c >= 'A' && *c <= 'Z' ? (char)(*c | 0x20) : *c;
        sum += XXH3_64bits(lower, len);
    }
    return sum;
}

/* json_object_set_new fails on a NULL value, so that memory is checked once, here. */
static bool member_set(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value) == 0;
}

/* ACM's blobs are base64 of the PEM text, which is base64 itself. */
static bool blob_set(json_t *object, const char *key, struct span data)
{
    struct buf text;
    buf_init(&text, (data.len / 3 + 1) * 4);
    bool ok = base64_append(&text, data.data, data.len) &&
              member_set(object, key, json_stringn(buf_text(&text), text.len));
    buf_free(&text);
    return ok;
}

static bool tags_set(json_t *object, const struct acm_tag *tags, size_t count)
{
    json_t *list = json_array();
    TRY(member_set(object, "Tags", list)); /* which owns it from here on */
    for (size_t i = 0; i < count; i++) {
        json_t *tag = tags[i].value[0] != '\0'
                          ? json_pack("{s:s, s:s}", "Key", tags[i].key, "Value", tags[i].value)
                          : json_pack("{s:s}", "Key", tags[i].key);
        TRY(json_array_append_new(list, tag) == 0);
    }
    return true;
}

static bool import_fill(json_t *object, const struct acm_import *import)
{
    if (import->arn != NULL)
        TRY(member_set(object, "CertificateArn", json_string(import->arn)));
    TRY(blob_set(object, "Certificate", import->certificate));
    if (import->chain.len > 0)
        TRY(blob_set(object, "CertificateChain", import->chain));
    if (import->arn == NULL && import->tag_count > 0)
        TRY(tags_set(object, import->tags, import->tag_count));
    return true;
}

/* The object is open again: its last brace goes, and the key's member, whose base64 is text that
 * JSON takes as it is, closes it. */
static bool key_append(struct span key, struct buf *body)
{
    body->len--;
    return buf_append_text(body, ",\"PrivateKey\":\"") && base64_append(body, key.data, key.len) &&
           buf_append_text(body, "\"}");
}

bool acm_import_body(const struct acm_import *import, struct buf *body, struct error *error)
{
    CLEANUP(json_release) json_t *object = json_object();
    if (!import_fill(object, import) || !json_append(body, object) ||
        !key_append(import->key, body))
        return error_set(error, ERROR_MEMORY, "no memory for a request of ImportCertificate");
    return true;
}

bool acm_list_body(const char *next, bool imported_only, struct buf *body)
{
    CLEANUP(json_release)
    json_t *object = json_pack("{s:i, s:{s:[s,s,s,s,s,s,s]}}", "MaxItems", LIST_PAGE, "Includes",
                               "keyTypes", "RSA_1024", "RSA_2048", "RSA_3072", "RSA_4096",
                               "EC_prime256v1", "EC_secp384r1", "EC_secp521r1");
    if (imported_only)
        TRY(member_set(object, "CertificateStatuses",
                       json_pack("[s,s,s,s]", "ISSUED", "INACTIVE", "EXPIRED", "REVOKED")));
    if (next != NULL)
        TRY(member_set(object, "NextToken", json_string(next)));
    return json_append(body, object);
}

bool acm_arn_body(const char *arn, struct buf *body)
{
    CLEANUP(json_release) json_t *object = json_pack("{s:s}", "CertificateArn", arn);
    return object != NULL && json_append(body, object);
}

bool acm_tags_body(const char *arn, const struct acm_tag *tags, size_t count, struct buf *body)
{
    CLEANUP(json_release) json_t *object = json_pack("{s:s}", "CertificateArn", arn);
    return object != NULL && tags_set(object, tags, count) && json_append(body, object);
}
