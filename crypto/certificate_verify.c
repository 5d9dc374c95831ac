#include "certificate_verify.h"

#include "context_internal.h"
#include "issuer_keys.h"
#include "signed_der.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

/* Equal bytes are equal names; other spellings of one name are OpenSSL's to compare (RFC 5280
 * section 7.1). */
static bool names_are_equal(struct span a, struct span b)
{
    if (span_equal(a, b))
        return true;
    const unsigned char *at_a = (const unsigned char *)a.data;
    const unsigned char *at_b = (const unsigned char *)b.data;
    X509_NAME *name_a = d2i_X509_NAME(NULL, &at_a, (long)a.len);
    X509_NAME *name_b = d2i_X509_NAME(NULL, &at_b, (long)b.len);
    bool equal = name_a != NULL && name_b != NULL && X509_NAME_cmp(name_a, name_b) == 0;
    X509_NAME_free(name_a);
    X509_NAME_free(name_b);
    return equal;
}

static bool signature_holds(const struct crypto_context *context,
                            const struct certificate_parts *certificate, EVP_PKEY *key,
                            const char *digest)
{
    struct span signature = certificate->signature;
    EVP_MD_CTX *verifier = EVP_MD_CTX_new();
    bool ok = verifier != NULL &&
              EVP_DigestVerifyInit_ex(verifier, NULL, digest, crypto_library(context),
                                      crypto_properties(context), key, NULL) == 1 &&
              EVP_DigestVerify(verifier, (const unsigned char *)signature.data, signature.len,
                               (const unsigned char *)certificate->signed_element.data,
                               certificate->signed_element.len) == 1;
    EVP_MD_CTX_free(verifier);
    return ok;
}

/* For every other algorithm: OpenSSL reads the whole certificate, which takes 100 us more. */
typedef bool slow_check(const struct crypto_context *context, struct span der, EVP_PKEY *key);

static bool list_signature_holds(const struct crypto_context *context, struct span der,
                                 EVP_PKEY *key)
{
    const unsigned char *at = (const unsigned char *)der.data;
    X509_CRL *list = X509_CRL_new_ex(crypto_library(context), crypto_properties(context));
    bool ok = list != NULL && d2i_X509_CRL(&list, &at, (long)der.len) != NULL &&
              X509_CRL_verify(list, key) == 1;
    X509_CRL_free(list);
    return ok;
}

static bool signature_holds_slowly(const struct crypto_context *context, struct span der,
                                   EVP_PKEY *key)
{
    const unsigned char *at = (const unsigned char *)der.data;
    X509 *certificate = X509_new_ex(crypto_library(context), crypto_properties(context));
    bool ok = certificate != NULL && d2i_X509(&certificate, &at, (long)der.len) != NULL &&
              X509_verify(certificate, key) == 1;
    X509_free(certificate);
    return ok;
}

/* By the key's table, which is three times quicker, when it has one. */
static bool signature_holds_quickly(const struct certificate_parts *certificate,
                                    const struct ecdsa_verifier *verifier, const EVP_MD *digest)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    struct span text = certificate->signed_element;
    return EVP_Digest(text.data, text.len, hash, &len, digest, NULL) == 1 &&
           ecdsa_verify_der(verifier, span_make(hash, len), certificate->signature);
}

static bool signed_by_key(const struct crypto_context *context, struct span der,
                          const struct certificate_parts *certificate, struct issuer_key *issuer,
                          slow_check *slowly)
{
    EVP_PKEY *key = issuer_key_pkey(issuer);
    const struct signature_algorithm *known =
        signature_algorithm_find(certificate->signature_algorithm);
    if (known == NULL)
        return slowly(context, der, key);
    if (!EVP_PKEY_is_a(key, known->key_type))
        return false;
    const EVP_MD *digest = crypto_digest(context, known->digest);
    const struct ecdsa_verifier *verifier =
        digest != NULL ? issuer_key_verifier(context, issuer) : NULL;
    if (verifier != NULL)
        return signature_holds_quickly(certificate, verifier, digest);
    return signature_holds(context, certificate, key, known->digest);
}

bool certificate_is_signed_by(const struct crypto_context *context, struct span der,
                              const struct certificate_parts *certificate,
                              const struct certificate_parts *issuer, bool remember)
{
    if (!names_are_equal(certificate->issuer, issuer->subject))
        return false;
    struct issuer_key *key = issuer_keys_get(context, issuer->public_key);
    if (key == NULL)
        return false;
    unsigned char digest[ISSUER_DIGEST];
    remember =
        remember && EVP_Digest(der.data, der.len, digest, NULL, crypto_sha256(context), NULL) == 1;
    bool ok = remember && issuer_key_has_signed(context, key, digest);
    if (!ok) {
        ok = signed_by_key(context, der, certificate, key, signature_holds_slowly);
        if (ok && remember)
            issuer_key_note_signed(context, key, digest);
    }
    issuer_keys_put(context, key);
    ERR_clear_error();
    return ok;
}

bool crl_is_signed_by(const struct crypto_context *context, struct span der,
                      const struct certificate_parts *list, const struct certificate_parts *issuer)
{
    if (!names_are_equal(list->issuer, issuer->subject))
        return false;
    struct issuer_key *key = issuer_keys_get(context, issuer->public_key);
    if (key == NULL)
        return false;
    bool ok = signed_by_key(context, der, list, key, list_signature_holds);
    issuer_keys_put(context, key);
    ERR_clear_error();
    return ok;
}
