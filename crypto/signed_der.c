#include "signed_der.h"

#include "der.h"
#include "nettle.h"

#include <openssl/evp.h>
#include <stdio.h>

#define SIGNATURE_MAX 2048 /* an RSA signature of 16,384 bits */

static const struct signature_algorithm algorithms[] = {
    {{"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02", 12}, "SHA256", "EC"},
    {{"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03", 12}, "SHA384", "EC"},
    {{"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x04", 12}, "SHA512", "EC"},
    {{"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00", 15}, "SHA256", "RSA"},
    {{"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c\x05\x00", 15}, "SHA384", "RSA"},
    {{"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d\x05\x00", 15}, "SHA512", "RSA"},
};
/* Their places, for keys of one's own: the digest that fits the key's strength. */
enum { EC_SHA256, EC_SHA384, EC_SHA512, RSA_SHA256, RSA_SHA384, RSA_SHA512, ALGORITHMS };

const struct signature_algorithm *signature_algorithm_find(struct span identifier)
{
    for (size_t i = 0; i < ALGORITHMS; i++)
        if (span_equal(algorithms[i].identifier, identifier))
            return &algorithms[i];
    return NULL;
}

const struct signature_algorithm *signature_algorithm_of(struct key_spec spec)
{
    if (spec.type == KEY_RSA)
        return &algorithms[RSA_SHA256];
    return &algorithms[spec.bits > 384 ? EC_SHA512 : spec.bits > 256 ? EC_SHA384 : EC_SHA256];
}

static bool sign(const struct crypto_context *context, EVP_PKEY *key, const char *digest,
                 struct span info, const char *what, unsigned char *signature, size_t *len,
                 struct error *error)
{
    EVP_MD_CTX *signer = EVP_MD_CTX_new();
    bool ok =
        signer != NULL &&
        EVP_DigestSignInit_ex(signer, NULL, digest, crypto_library(context),
                              crypto_properties(context), key, NULL) == 1 &&
        EVP_DigestSign(signer, signature, len, (const unsigned char *)info.data, info.len) == 1;
    EVP_MD_CTX_free(signer);
    if (ok)
        return true;
    char doing[64];
    snprintf(doing, sizeof doing, "signing %s", what);
    return crypto_error(error, doing);
}

bool signed_der_join(struct span algorithm, struct span info, struct span signature,
                     const char *what, struct buf *der, struct error *error)
{
    static const unsigned char unused_bits = 0;
    unsigned char tail[SIGNATURE_MAX + 64];
    struct der_writer end;
    der_writer_init(&end, tail, sizeof tail);
    der_put(&end, signature.data, signature.len);
    der_put(&end, &unused_bits, 1);
    der_wrap(&end, DER_BIT_STRING, 0);
    der_put(&end, algorithm.data, algorithm.len);

    unsigned char head[8];
    struct der_writer outer;
    der_writer_init(&outer, head, sizeof head);
    der_put_header(&outer, DER_SEQUENCE, info.len + der_written(&end));
    /* Room for all of it first, so that a full buffer keeps what it held. */
    if (end.full || buf_reserve(der, sizeof head + info.len + der_written(&end)) == NULL ||
        !buf_append(der, outer.at, der_written(&outer)) || !buf_append(der, info.data, info.len) ||
        !buf_append(der, end.at, der_written(&end)))
        return error_set(error, ERROR_LIMIT, "%s is too large", what);
    return true;
}

bool signed_der_append(const struct crypto_context *context, EVP_PKEY *key, struct key_spec spec,
                       struct span info, const char *what, struct buf *der, struct error *error)
{
    const struct signature_algorithm *algorithm = signature_algorithm_of(spec);
    unsigned char signature[SIGNATURE_MAX];
    size_t len = sizeof signature;
    bool made =
        nettle_is_better(context, spec) && nettle_sign(context, key, spec, info, signature, &len);
    if (!made)
        TRY(sign(context, key, algorithm->digest, info, what, signature, &len, error));
    return signed_der_join(algorithm->identifier, info, span_make(signature, len), what, der,
                           error);
}
