#include "crypto/digest.h"

#include "crypto/context.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>

static pthread_once_t fetched = PTHREAD_ONCE_INIT;
static EVP_MD *sha256;
static EVP_MAC *hmac;

static void fetch(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
}

static bool algorithms(struct error *error)
{
    pthread_once(&fetched, fetch);
    return (sha256 != NULL && hmac != NULL) ||
           error_set(error, ERROR_CRYPTO, "OpenSSL has no SHA-256 or no HMAC");
}

void digest_hex(const unsigned char *bytes, size_t len, char *hex)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        hex[2 * i] = digits[bytes[i] >> 4];
        hex[2 * i + 1] = digits[bytes[i] & 15];
    }
    hex[2 * len] = '\0';
}

bool digest_sha256(struct span bytes, unsigned char digest[static SHA256_SIZE], struct error *error)
{
    TRY(algorithms(error));
    if (EVP_Digest(bytes.len > 0 ? bytes.data : "", bytes.len, digest, NULL, sha256, NULL) != 1)
        return crypto_error(error, "SHA-256");
    return true;
}

bool digest_sha256_hex(struct span bytes, char hex[static SHA256_HEX_SIZE], struct error *error)
{
    unsigned char digest[SHA256_SIZE];
    TRY(digest_sha256(bytes, digest, error));
    digest_hex(digest, sizeof digest, hex);
    return true;
}

bool digest_hmac_sha256(struct span key, struct span bytes, unsigned char mac[static SHA256_SIZE],
                        struct error *error)
{
    TRY(algorithms(error));
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)(uintptr_t) "SHA256", 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC_CTX *state = EVP_MAC_CTX_new(hmac);
    size_t len = 0;
    bool ok = state != NULL &&
              EVP_MAC_init(state, (const unsigned char *)key.data, key.len, parameters) == 1 &&
              EVP_MAC_update(state, (const unsigned char *)bytes.data, bytes.len) == 1 &&
              EVP_MAC_final(state, mac, &len, SHA256_SIZE) == 1 && len == SHA256_SIZE;
    EVP_MAC_CTX_free(state); /* wipes the key */
    return ok || crypto_error(error, "HMAC-SHA-256");
}
