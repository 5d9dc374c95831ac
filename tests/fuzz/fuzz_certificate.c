/* crypto/certificate_*: the chain a CA sends. An input without PEM in it is taken for the DER of a
 * chain and given PEM, so that not base64 alone is fuzzed. The request fits tests/vectors/pki. */
#include "crypto.h"

#include "crypto/certificate.h"
#include "der.h"
#include "io/file.h"
#include "pem.h"

#include <string.h>

#define NOW 1790000000 /* 2026-09-21 */

static struct crypto_context *context;
static struct buf public_key;

/* One block for each element; what is no DER is the last block. */
static bool pem_from_der(struct span der, struct buf *pem)
{
    while (der.len > 0) {
        struct span element = der;
        if (!der_take_whole(&der, DER_SEQUENCE, &element))
            der = (struct span){0};
        TRY(pem_append(pem, "CERTIFICATE", element));
    }
    return true;
}

static void info_is_clean(const struct certificate_info *info, const struct buf *der)
{
    char text[CERTIFICATE_NAME_TEXT];
    struct span names = info->names;
    size_t count = 0;
    fuzz_require_line(info->issuer);
    fuzz_require_line(info->serial);
    fuzz_require_line(info->ari_id);
    fuzz_require_inside(info->names, buf_span(der));
    REQUIRE(!info->key_known || key_spec_is_valid(info->key));
    while (certificate_name_next(&names, text)) {
        count++;
        REQUIRE(text[0] != '\0' && strlen(text) < sizeof text);
        fuzz_require_line(text);
    }
    REQUIRE(count == info->name_count && count <= CERTIFICATE_NAMES_MAX);
}

static void read_leaf(struct span pem)
{
    struct buf der CLEANUP(buf_free);
    struct certificate_info info;
    struct error error = {0};
    buf_init(&der, CERTIFICATE_DER_MAX);
    if (certificate_read(pem, &der, &info, &error))
        info_is_clean(&info, &der);
    else
        fuzz_require_error(&error);
}

/* A chain that passed the check is stored; what is stored must pass it again, byte for byte. */
static bool check_chain(struct span pem, bool again)
{
    static const char *const names[] = {"www.example.com", "192.0.2.1"};
    const struct certificate_request request = {
        .names = names, .count = 2, .public_key = buf_span(&public_key), .now = NOW};
    struct certificate_chain chain;
    struct error error = {0};
    if (!certificate_check(context, pem, &request, &chain, &error)) {
        REQUIRE(!again);
        fuzz_require_error(&error);
        return false;
    }
    info_is_clean(&chain.info, &chain.der);
    REQUIRE(chain.full.len == chain.certificate.len + chain.chain.len);
    if (again)
        REQUIRE(span_equal(buf_span(&chain.full), pem));
    else
        (void)check_chain(buf_span(&chain.full), true);
    certificate_chain_free(&chain);
    return true;
}

void fuzz_prepare(void)
{
    struct error error;
    EVP_PKEY *key;
    struct buf pem CLEANUP(buf_free);
    buf_init_secret(&pem, 4096);
    buf_init(&public_key, 1024);
    context = fuzz_context();
    REQUIRE(file_read(TEST_VECTORS "/pki/key-p256.pem", &pem, NULL, &error));
    REQUIRE(key_from_pem(context, buf_span(&pem), &key, &error));
    REQUIRE(key_public_der(key, &public_key, &error));
    key_release(&key);
    /* A request that did not fit the seeds would leave most of the check in the dark. */
    buf_clear(&pem);
    REQUIRE(file_read(TEST_VECTORS "/pki/chain.pem", &pem, NULL, &error));
    REQUIRE(check_chain(buf_span(&pem), false));
}

void fuzz_input(struct span input)
{
    struct buf pem CLEANUP(buf_free);
    buf_init(&pem, CERTIFICATE_PEM_MAX);
    if (input.len > 0 && memmem(input.data, input.len, "-----BEGIN ", 11) == NULL) {
        if (!pem_from_der(input, &pem))
            return;
        input = buf_span(&pem);
    }
    read_leaf(input);
    (void)check_chain(input, false);
    (void)certificate_chain_has_issuer(input, "Test Root");
}
