/* Live certificates for tests: self-signed, with chosen dates, names and key, laid out as the store
 * does. */
#ifndef CERTMILL_TEST_LIVE_FILES_H
#define CERTMILL_TEST_LIVE_FILES_H

#include "check.h"

#include "crypto/key.h"

#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

struct live_sample {
    int64_t not_before;
    int64_t not_after;
    const char *names; /* "DNS:a.test,IP:192.0.2.1", as OpenSSL writes it */
    struct key_spec key;
    unsigned serial;
};

/* The PEM of such a certificate, to be freed. */
static inline char *live_sample_pem(const struct live_sample *sample)
{
    EVP_PKEY *key = sample->key.type == KEY_RSA ? EVP_RSA_gen(sample->key.bits)
                    : sample->key.bits == 384   ? EVP_EC_gen("P-384")
                                                : EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    CHECK(key != NULL && certificate != NULL);
    CHECK(X509_set_version(certificate, X509_VERSION_3) == 1);
    CHECK(ASN1_INTEGER_set(X509_get_serialNumber(certificate), (long)sample->serial) == 1);
    CHECK(ASN1_TIME_set(X509_getm_notBefore(certificate), sample->not_before) != NULL);
    CHECK(ASN1_TIME_set(X509_getm_notAfter(certificate), sample->not_after) != NULL);
    CHECK(X509_set_pubkey(certificate, key) == 1);
    CHECK(X509_NAME_add_entry_by_txt(X509_get_issuer_name(certificate), "CN", MBSTRING_ASC,
                                     (const unsigned char *)"Test CA", -1, -1, 0) == 1);
    X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, sample->names);
    CHECK(names != NULL && X509_add_ext(certificate, names, -1) == 1);
    X509_EXTENSION_free(names);
    CHECK(X509_sign(certificate, key, EVP_sha256()) > 0);
    BIO *out = BIO_new(BIO_s_mem());
    CHECK(PEM_write_bio_X509(out, certificate) == 1);
    char *data;
    long length = BIO_get_mem_data(out, &data);
    char *pem = strndup(data, (size_t)length);
    BIO_free(out);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return pem;
}

/* Writes archive/NAME/SEQUENCE/cert.pem below the folder and points live/NAME at it. */
static inline void live_file_put(const char *folder, const char *name, unsigned sequence,
                                 const char *pem)
{
    char path[512];
    char target[256];
    const char *const folders[] = {"archive", "live"};
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, folders[i]);
        (void)mkdir(path, S_IRWXU);
    }
    snprintf(path, sizeof path, "%s/archive/%s", folder, name);
    (void)mkdir(path, S_IRWXU);
    snprintf(path, sizeof path, "%s/archive/%s/%u", folder, name, sequence);
    (void)mkdir(path, S_IRWXU);
    snprintf(path, sizeof path, "%s/archive/%s/%u/cert.pem", folder, name, sequence);
    FILE *file = fopen(path, "we");
    CHECK(file != NULL && fputs(pem, file) >= 0 && fclose(file) == 0);
    snprintf(path, sizeof path, "%s/live/%s", folder, name);
    snprintf(target, sizeof target, "../archive/%s/%u", name, sequence);
    (void)unlink(path);
    CHECK(symlink(target, path) == 0);
}

/* The same without files of its own: archive/NAME is a link to archive/`model`. For many names. */
static inline void live_file_share(const char *folder, const char *name, unsigned sequence,
                                   const char *model)
{
    char path[512];
    char target[256];
    snprintf(path, sizeof path, "%s/archive/%s", folder, name);
    CHECK(symlink(model, path) == 0);
    snprintf(path, sizeof path, "%s/live/%s", folder, name);
    snprintf(target, sizeof target, "../archive/%s/%u", name, sequence);
    CHECK(symlink(target, path) == 0);
}

static inline void live_sample_put(const char *folder, const char *name, unsigned sequence,
                                   const struct live_sample *sample)
{
    char *pem = live_sample_pem(sample);
    live_file_put(folder, name, sequence, pem);
    free(pem);
}

#endif
