#include "certificate_verify.h"

#include "base/arena.h"
#include "base/base64.h"
#include "base/clock.h"
#include "context_internal.h"
#include "der.h"
#include "key_der.h"
#include "pem.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

struct chain_link {
    struct buf der;
    struct certificate_parts parts;
};

struct chain {
    struct chain_link links[CERTIFICATE_CHAIN_MAX]; /* the leaf first */
    size_t count;
};

static void chain_release(struct chain *chain)
{
    for (size_t i = 0; i < chain->count; i++)
        buf_free(&chain->links[i].der);
}

/* Adds the next link; error texts count from 1, as an operator reads the file. */
static bool link_add(struct chain *chain, const struct pem_block *block, struct error *error)
{
    if (!span_is(block->label, "CERTIFICATE"))
        return error_set(error, ERROR_PROTOCOL,
                         "the chain holds something else than certificates: \"%.*s\"",
                         SPAN_PRINTF(block->label));
    if (chain->count == CERTIFICATE_CHAIN_MAX)
        return error_set(error, ERROR_LIMIT, "the chain has more than %d certificates",
                         CERTIFICATE_CHAIN_MAX);
    struct chain_link *link = &chain->links[chain->count];
    chain->count++;
    *link = (struct chain_link){0};
    buf_init(&link->der, CERTIFICATE_DER_MAX);
    if (!base64_decode_lenient(block->body, &link->der))
        return error_set(error, ERROR_PROTOCOL, "certificate %zu of the chain: damaged base64",
                         chain->count);
    if (!certificate_walk(buf_span(&link->der), &link->parts, error))
        return error_prefix(error, "certificate %zu of the chain: ", chain->count);
    return true;
}

/* A text that ends within the mark of a certificate that did not come. */
static bool ends_in_mark(struct span rest)
{
    static const char mark[] = "\n-----BEGIN ";
    for (size_t len = 2; len < sizeof mark; len++) {
        if (rest.len >= len && memcmp(rest.data + rest.len - len, mark, len) == 0)
            return true;
    }
    return false;
}

static bool chain_read(struct span pem, struct chain *chain, struct error *error)
{
    if (pem.len > CERTIFICATE_PEM_MAX)
        return error_set(error, ERROR_LIMIT, "a chain of %zu bytes, the limit is %zu", pem.len,
                         CERTIFICATE_PEM_MAX);
    struct pem_block block;
    enum pem_result result;
    while ((result = pem_next(&pem, &block)) == PEM_FOUND)
        TRY(link_add(chain, &block, error));
    if (result == PEM_BROKEN || (chain->count > 0 && ends_in_mark(pem)))
        return error_set(error, ERROR_PROTOCOL, "the chain's PEM is cut off or damaged");
    if (chain->count == 0)
        return error_set(error, ERROR_PROTOCOL, "the chain holds no certificate");
    return true;
}

/* Equal bytes are the same key; only a key that is encoded in another way needs OpenSSL to tell. */
static bool key_check(const struct crypto_context *context, struct span found, struct span wanted,
                      struct error *error)
{
    if (span_equal(found, wanted))
        return true;
    const unsigned char *at_found = (const unsigned char *)found.data;
    const unsigned char *at_wanted = (const unsigned char *)wanted.data;
    EVP_PKEY *found_key CLEANUP(key_release) = d2i_PUBKEY_ex(
        NULL, &at_found, (long)found.len, crypto_library(context), crypto_properties(context));
    EVP_PKEY *wanted_key CLEANUP(key_release) = d2i_PUBKEY_ex(
        NULL, &at_wanted, (long)wanted.len, crypto_library(context), crypto_properties(context));
    bool same = found_key != NULL && wanted_key != NULL && EVP_PKEY_eq(found_key, wanted_key) == 1;
    ERR_clear_error();
    return same ||
           error_set(error, ERROR_PROTOCOL, "the certificate's key is not the one of the request");
}

/* Addresses in the form that certificate_name_next gives them; names in lower case. */
static bool name_normalize(const char *name, char *text)
{
    unsigned char address[16];
    size_t len = strlen(name);
    if (inet_pton(AF_INET, name, address) == 1) {
        inet_ntop(AF_INET, address, text, CERTIFICATE_NAME_TEXT);
        return true;
    }
    if (inet_pton(AF_INET6, name, address) == 1) {
        inet_ntop(AF_INET6, address, text, CERTIFICATE_NAME_TEXT);
        return true;
    }
    if (len >= CERTIFICATE_NAME_TEXT)
        return false;
    for (size_t i = 0; i <= len; i++)
        text[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] | 0x20 : name[i]);
    return true;
}

static int text_compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool names_check(const struct certificate_info *info,
                        const struct certificate_request *request, struct error *error)
{
    struct arena arena CLEANUP(arena_free);
    arena_init(&arena);
    const char **names = arena_alloc(&arena, (info->name_count + 1) * sizeof *names);
    char text[CERTIFICATE_NAME_TEXT];
    struct span rest = info->names;
    size_t count = 0;
    if (names == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a certificate's names");
    while (count < info->name_count && certificate_name_next(&rest, text)) {
        names[count] = arena_text(&arena, span_of(text));
        if (names[count] == NULL)
            return error_set(error, ERROR_MEMORY, "no memory for a certificate's names");
        count++;
    }
    qsort(names, count, sizeof *names, text_compare);
    for (size_t i = 0; i < request->count; i++) {
        const char *wanted = text;
        if (!name_normalize(request->names[i], text) ||
            bsearch(&wanted, names, count, sizeof *names, text_compare) == NULL)
            return error_set(error, ERROR_PROTOCOL, "%s is missing in the certificate",
                             request->names[i]);
    }
    return true;
}

static bool dates_check(const struct chain *chain, const struct certificate_request *request,
                        struct error *error)
{
    char date[TIME_TEXT_MAX];
    char which[64] = "the certificate";
    for (size_t i = 0; i < chain->count; i++) {
        const struct certificate_parts *parts = &chain->links[i].parts;
        if (i > 0)
            snprintf(which, sizeof which, "certificate %zu of the chain", i + 1);
        if (parts->not_before > request->now &&
            parts->not_before - request->now > request->clock_skew)
            return error_set(error, ERROR_PROTOCOL, "%s is not valid before %s", which,
                             time_format_rfc3339(parts->not_before, date));
        if (parts->not_after < request->now)
            return error_set(error, ERROR_PROTOCOL, "%s has expired at %s", which,
                             time_format_rfc3339(parts->not_after, date));
    }
    return true;
}

static bool signatures_check(const struct crypto_context *context, const struct chain *chain,
                             struct error *error)
{
    for (size_t i = 0; i + 1 < chain->count; i++) {
        const struct chain_link *link = &chain->links[i];
        if (!certificate_is_signed_by(context, buf_span(&link->der), &link->parts,
                                      &chain->links[i + 1].parts, i > 0))
            return error_set(error, ERROR_PROTOCOL,
                             "certificate %zu of the chain is not signed by certificate %zu", i + 1,
                             i + 2);
    }
    return true;
}

/* Written anew from the DER: whatever else a server put into the text does not reach a file. */
static bool chain_write(const struct chain *chain, struct certificate_chain *out,
                        struct error *error)
{
    bool ok = buf_append_span(&out->der, buf_span(&chain->links[0].der));
    for (size_t i = 0; ok && i < chain->count; i++) {
        struct span der = buf_span(&chain->links[i].der);
        ok = pem_append(i == 0 ? &out->certificate : &out->chain, "CERTIFICATE", der) &&
             pem_append(&out->full, "CERTIFICATE", der);
    }
    return ok || error_set(error, ERROR_MEMORY, "no memory for a certificate");
}

bool certificate_check(const struct crypto_context *context, struct span pem,
                       const struct certificate_request *request,
                       struct certificate_chain *ret_chain, struct error *error)
{
    struct chain chain CLEANUP(chain_release);
    chain.count = 0;
    struct certificate_info info = {0};
    TRY(chain_read(pem, &chain, error));
    TRY(certificate_info_from(&chain.links[0].parts, &info, error));
    TRY(key_check(context, chain.links[0].parts.public_key, request->public_key, error));
    TRY(names_check(&info, request, error));
    TRY(dates_check(&chain, request, error));
    TRY(signatures_check(context, &chain, error));

    struct certificate_chain out = {.info = info};
    buf_init(&out.certificate, 2 * CERTIFICATE_PEM_MAX);
    buf_init(&out.chain, 2 * CERTIFICATE_PEM_MAX);
    buf_init(&out.full, 2 * CERTIFICATE_PEM_MAX);
    buf_init(&out.der, CERTIFICATE_DER_MAX);
    if (!chain_write(&chain, &out, error)) {
        certificate_chain_free(&out);
        return false;
    }
    /* The names pointed into the link's DER, which goes. */
    if (info.names.data != NULL)
        out.info.names.data = out.der.data + (info.names.data - chain.links[0].der.data);
    *ret_chain = out;
    return true;
}

void certificate_chain_free(struct certificate_chain *chain)
{
    buf_free(&chain->certificate);
    buf_free(&chain->chain);
    buf_free(&chain->full);
    buf_free(&chain->der);
    chain->info.names = (struct span){0};
}

bool certificate_chain_has_issuer(struct span pem, const char *common_name)
{
    struct chain chain CLEANUP(chain_release);
    chain.count = 0;
    char text[CERTIFICATE_NAME_TEXT];
    TRY(chain_read(pem, &chain, NULL));
    for (size_t i = 0; i < chain.count; i++) {
        certificate_name_text(chain.links[i].parts.issuer, true, text, sizeof text);
        if (text[0] != '\0' && strcmp(text, common_name) == 0)
            return true;
    }
    return false;
}
