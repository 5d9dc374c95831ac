/* Roots, intermediates and the chains they make. Both roots sign the same key of an intermediate
 * under the same name, so that a leaf fits either chain. */
#include "internal.h"

#include "base/base64.h"
#include "base/clock.h"
#include "general_name.h"
#include "pem.h"
#include "signed_der.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_MAX         8192 /* of a root or an intermediate, RSA-4096 */
#define CERTIFICATE_MAX   ((size_t)16 * 1024)
#define CHAIN_MAX         ((size_t)64 * 1024)
#define ROOT_DAYS         (20 * 365)
#define INTERMEDIATE_DAYS (5 * 365)
#define SERIAL_SIGN       0x04 /* any byte that is neither zero nor negative */
#define NO_KEY            SIZE_MAX

static const char oid_organization[] = "\x55\x04\x0a";

bool serial_make(const struct issuer *issuer, struct tools *tools, uint64_t number,
                 unsigned char *serial, struct error *error)
{
    serial[0] = SERIAL_SIGN;
    for (size_t i = 0; i < sizeof number; i++)
        serial[sizeof number - i] = (unsigned char)(number >> 8 * i);
    return tools_random(&issuer->shop, tools, serial + 1 + sizeof number,
                        SERIAL_BYTES - 1 - sizeof number, error);
}

bool issuer_serial_number(struct span serial, uint64_t *ret_number)
{
    TRY(serial.len == SERIAL_BYTES && serial.data[0] == SERIAL_SIGN);
    uint64_t number = 0;
    for (size_t i = 0; i < sizeof number; i++)
        number = number << 8 | (unsigned char)serial.data[1 + i];
    *ret_number = number;
    return true;
}

bool key_id_make(const struct issuer *issuer, struct span public_key, unsigned char *key_id,
                 struct error *error)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    size_t len;
    struct span fields;
    struct span bits = {0};
    if (!der_take(&public_key, DER_SEQUENCE, &fields) || !der_skip(&fields, DER_SEQUENCE) ||
        !der_take(&fields, DER_BIT_STRING, &bits) || bits.len < 1)
        return error_set(error, ERROR_CRYPTO, "a public key without its bits");
    if (!tool_shop_hash(&issuer->shop, "SHA256", span_from(bits, 1), hash, &len))
        return crypto_error(error, "hashing a public key");
    memcpy(key_id, hash, KEY_ID_BYTES);
    return true;
}

struct span authority_name(const struct authority *authority)
{
    return span_make(authority->name, authority->name_len);
}

bool authority_sign(const struct issuer *issuer, struct tools *tools,
                    const struct authority *authority, const struct der_writer *writer,
                    struct buf *der, struct error *error)
{
    unsigned char signature[SIGNATURE_MAX];
    size_t len;
    if (writer->full)
        return error_set(error, ERROR_LIMIT, "the certificate is too large");
    struct span info = span_make(writer->at, der_written(writer));
    TRY(tools_sign(&issuer->shop, tools, authority->key, authority->spec, info, signature, &len,
                   error));
    return signed_der_join(signature_algorithm_of(authority->spec)->identifier, info,
                           span_make(signature, len), "the certificate", der, error);
}

/* Name ::= { O, CN } */
static void name_set(struct authority *authority, const char *common_name)
{
    struct der_writer writer;
    der_writer_init(&writer, authority->name, sizeof authority->name);
    common_name_put(&writer, span_of(common_name));
    size_t mark = der_written(&writer);
    struct span organization = SPAN_LITERAL("certmill load CA");
    der_put_element(&writer, DER_UTF8_STRING, organization.data, organization.len);
    der_put_element(&writer, DER_OID, oid_organization, sizeof oid_organization - 1);
    der_wrap(&writer, DER_SEQUENCE, mark);
    der_wrap(&writer, DER_SET, mark);
    der_wrap(&writer, DER_SEQUENCE, 0);
    authority->name_len = der_written(&writer);
    memmove(authority->name, writer.at, authority->name_len);
}

static bool authority_make(struct issuer *issuer, struct authority *authority, struct key_spec spec,
                           const char *common_name, struct error *error)
{
    EVP_PKEY *key = NULL;
    TRY(key_generate(issuer->shop.context, spec, &key, error));
    authority->key = tool_shop_add(&issuer->shop, key);
    authority->spec = spec;
    name_set(authority, common_name);
    return key_public_der(key, &authority->public_key, error) &&
           key_id_make(issuer, buf_span(&authority->public_key), authority->key_id, error);
}

/* A certificate over `subject` by `signer`; the same for a root. */
static bool authority_certify(const struct issuer *issuer, struct tools *tools,
                              const struct authority *subject, const struct authority *signer,
                              int64_t now, uint64_t number, struct buf *der, struct error *error)
{
    bool is_root = subject == signer;
    unsigned char frame[FRAME_MAX];
    unsigned char serial[SERIAL_BYTES];
    struct der_writer writer;
    TRY(serial_make(issuer, tools, number, serial, error));
    der_writer_init(&writer, frame, sizeof frame);
    if (!is_root) {
        extension_put_domain_validated(&writer);
        extension_put_issuer_key_id(&writer, signer->key_id);
    }
    extension_put_key_id(&writer, subject->key_id);
    extension_put_authority(&writer, is_root ? -1 : 0);
    if (!is_root)
        extension_put_server_auth(&writer);
    extension_put_key_usage(&writer,
                            USAGE_DIGITAL_SIGNATURE | USAGE_CERTIFICATE_SIGN | USAGE_CRL_SIGN);
    certificate_form_put(
        &writer,
        &(struct certificate_form){
            .serial = span_make(serial, sizeof serial),
            .issuer = authority_name(signer),
            .subject = authority_name(subject),
            .public_key = buf_span(&subject->public_key),
            .signer = signer->spec,
            .not_before = now - SECONDS_PER_DAY,
            .not_after = now + (int64_t)SECONDS_PER_DAY * (is_root ? ROOT_DAYS : INTERMEDIATE_DAYS),
        });
    return authority_sign(issuer, tools, signer, &writer, der, error);
}

static bool urls_make(struct intermediate *intermediate, unsigned number, const char *url,
                      struct error *error)
{
    if (url == NULL)
        return true;
    int len = snprintf(intermediate->issuer_url, sizeof intermediate->issuer_url, "%s/issuer/%u",
                       url, number);
    snprintf(intermediate->crl_url, sizeof intermediate->crl_url, "%s/crl/%u", url, number);
    return (size_t)len < sizeof intermediate->issuer_url ||
           error_set(error, ERROR_CONFIG, "the issuer's URL is too long");
}

/* The chains of one intermediate, and its key identifier as ARI has it. */
static bool chains_make(const struct issuer *issuer, struct intermediate *intermediate,
                        bool with_root, struct error *error)
{
    struct buf text CLEANUP(buf_free);
    buf_init(&text, KEY_ID_TEXT - 1);
    bool ok = base64url_append(&text, intermediate->authority.key_id, KEY_ID_BYTES);
    for (size_t root = 0; ok && root < ROOTS; root++)
        ok = pem_append(&intermediate->pem[root], "CERTIFICATE",
                        buf_span(&intermediate->der[root])) &&
             (!with_root || pem_append(&intermediate->pem[root], "CERTIFICATE",
                                       buf_span(&issuer->root_der[root])));
    if (!ok)
        return error_set(error, ERROR_MEMORY, "no memory for the issuer's chains");
    memcpy(intermediate->key_id, text.data, text.len + 1);
    return true;
}

static bool issuer_fill(struct issuer *issuer, struct tools *tools,
                        const struct issuer_options *options, int64_t now, struct error *error)
{
    uint64_t number = 0;
    for (size_t root = 0; root < ROOTS; root++)
        TRY(authority_certify(issuer, tools, &issuer->roots[root], &issuer->roots[root], now,
                              number++, &issuer->root_der[root], error));
    for (unsigned i = 0; i < issuer->count; i++) {
        struct intermediate *intermediate = &issuer->intermediates[i];
        for (size_t root = 0; root < ROOTS; root++)
            TRY(authority_certify(issuer, tools, &intermediate->authority, &issuer->roots[root],
                                  now, number++, &intermediate->der[root], error));
        TRY(urls_make(intermediate, i, options->url, error));
        TRY(chains_make(issuer, intermediate, options->chain_with_root, error));
    }
    return true;
}

static bool keys_make(struct issuer *issuer, struct key_spec spec, struct error *error)
{
    char name[64];
    for (unsigned root = 0; root < ROOTS; root++) {
        snprintf(name, sizeof name, "certmill load CA root %c", 'A' + (int)root);
        TRY(authority_make(issuer, &issuer->roots[root], spec, name, error));
    }
    for (unsigned i = 0; i < issuer->count; i++) {
        snprintf(name, sizeof name, "certmill load CA R%u", i + 1);
        TRY(authority_make(issuer, &issuer->intermediates[i].authority, spec, name, error));
    }
    return true;
}

static void bufs_init(struct issuer *issuer)
{
    for (size_t root = 0; root < ROOTS; root++) {
        buf_init(&issuer->roots[root].public_key, CERTIFICATE_MAX);
        buf_init(&issuer->root_der[root], CERTIFICATE_MAX);
        for (unsigned i = 0; i < issuer->count; i++) {
            buf_init(&issuer->intermediates[i].authority.public_key, CERTIFICATE_MAX);
            buf_init(&issuer->intermediates[i].der[root], CERTIFICATE_MAX);
            buf_init(&issuer->intermediates[i].pem[root], CHAIN_MAX);
        }
    }
}

bool issuer_new(const struct crypto_context *context, const struct issuer_options *options,
                int64_t now, struct issuer **ret_issuer, struct error *error)
{
    struct key_spec spec =
        options->key.bits != 0 ? options->key : (struct key_spec){KEY_ECDSA, 256};
    unsigned count = options->intermediates != 0 ? options->intermediates : 1;
    if (count > ISSUER_INTERMEDIATES_MAX)
        return error_set(error, ERROR_CONFIG, "%u intermediates, the limit is %d", count,
                         ISSUER_INTERMEDIATES_MAX);
    struct issuer *issuer = calloc(1, sizeof *issuer);
    struct intermediate *intermediates = calloc(count, sizeof *intermediates);
    if (issuer == NULL || intermediates == NULL) {
        free(issuer);
        free(intermediates);
        return error_set(error, ERROR_MEMORY, "no memory for the issuer");
    }
    issuer->intermediates = intermediates;
    issuer->count = count;
    bufs_init(issuer);
    if (!tool_shop_init(&issuer->shop, context, error)) {
        free(intermediates);
        free(issuer);
        return false;
    }
    struct tools *tools = NULL;
    bool ok = keys_make(issuer, spec, error) &&
              ((tools = tools_take(&issuer->shop)) != NULL ||
               error_set(error, ERROR_MEMORY, "no memory for the issuer")) &&
              issuer_fill(issuer, tools, options, now, error);
    if (tools != NULL)
        tools_give(&issuer->shop, tools);
    if (!ok) {
        issuer_free(issuer);
        return false;
    }
    *ret_issuer = issuer;
    return true;
}

void issuer_free(struct issuer *issuer)
{
    if (issuer == NULL)
        return;
    for (size_t root = 0; root < ROOTS; root++) {
        buf_free(&issuer->roots[root].public_key);
        buf_free(&issuer->root_der[root]);
        for (unsigned i = 0; i < issuer->count; i++) {
            buf_free(&issuer->intermediates[i].authority.public_key);
            buf_free(&issuer->intermediates[i].der[root]);
            buf_free(&issuer->intermediates[i].pem[root]);
        }
    }
    tool_shop_free(&issuer->shop);
    free(issuer->intermediates);
    free(issuer);
}

bool issuer_chain(const struct issuer *issuer, struct span leaf_der, unsigned intermediate,
                  unsigned alternate, struct buf *pem)
{
    return intermediate < issuer->count && alternate < ROOTS &&
           pem_append(pem, "CERTIFICATE", leaf_der) &&
           buf_append_span(pem, buf_span(&issuer->intermediates[intermediate].pem[alternate]));
}

unsigned issuer_alternates(const struct issuer *issuer)
{
    (void)issuer;
    return ROOTS - 1;
}

bool issuer_root(const struct issuer *issuer, unsigned alternate, struct buf *pem)
{
    return alternate < ROOTS &&
           pem_append(pem, "CERTIFICATE", buf_span(&issuer->root_der[alternate]));
}

struct span issuer_intermediate(const struct issuer *issuer, unsigned intermediate,
                                unsigned alternate)
{
    if (intermediate >= issuer->count || alternate >= ROOTS)
        return (struct span){0};
    return buf_span(&issuer->intermediates[intermediate].der[alternate]);
}

const char *issuer_key_id(const struct issuer *issuer, unsigned intermediate)
{
    return intermediate < issuer->count ? issuer->intermediates[intermediate].key_id : "";
}

int issuer_of_key_id(const struct issuer *issuer, struct span base64url)
{
    for (unsigned i = 0; i < issuer->count; i++)
        if (span_is(base64url, issuer->intermediates[i].key_id))
            return (int)i;
    return -1;
}
