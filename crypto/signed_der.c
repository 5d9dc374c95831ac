#include "signed_der.h"

#include "der.h"

#include <openssl/evp.h>
#include <stdio.h>

#define SIGNATURE_MAX 2048 /* an RSA signature of 16,384 bits */

/* The digest that fits the key's strength, and the signature's AlgorithmIdentifier. */
struct signing {
    struct key_spec spec;
    const char *digest;
    struct span algorithm;
};

static const struct signing signings[] = {
    {{KEY_ECDSA, 256}, "SHA256", {"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02", 12}},
    {{KEY_ECDSA, 384}, "SHA384", {"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03", 12}},
    {{KEY_ECDSA, 521}, "SHA512", {"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x04", 12}},
};

static const struct signing rsa_signing = {
    {KEY_RSA, 0}, "SHA256", {"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00", 15}};

static const struct signing *signing_for(struct key_spec spec)
{
    for (size_t i = 0; i < sizeof signings / sizeof signings[0]; i++)
        if (key_spec_equal(signings[i].spec, spec))
            return &signings[i];
    return &rsa_signing;
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

struct span signed_der_algorithm(struct key_spec spec)
{
    return signing_for(spec)->algorithm;
}

bool signed_der_append(const struct crypto_context *context, EVP_PKEY *key, struct key_spec spec,
                       struct span info, const char *what, struct buf *der, struct error *error)
{
    const struct signing *signing = signing_for(spec);
    unsigned char signature[1 + SIGNATURE_MAX];
    size_t signature_len = SIGNATURE_MAX;
    signature[0] = 0; /* the bit string's count of unused bits */
    TRY(sign(context, key, signing->digest, info, what, signature + 1, &signature_len, error));

    unsigned char tail[SIGNATURE_MAX + 64];
    struct der_writer end;
    der_writer_init(&end, tail, sizeof tail);
    der_put_element(&end, DER_BIT_STRING, signature, 1 + signature_len);
    der_put(&end, signing->algorithm.data, signing->algorithm.len);

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
