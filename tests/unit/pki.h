/* What the tests of crypto/ share: a context, certificates made by OpenSSL's own X509 functions,
 * and the openssl command, so that nothing is checked with the code that made it. */
#ifndef CERTMILL_TEST_PKI_H
#define CERTMILL_TEST_PKI_H

#include "check.h"

#include "crypto/certificate.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#define PKI_NOW 1790000000 /* 2026-09-21 */

static const struct key_spec pki_specs[] = {{KEY_ECDSA, 256}, {KEY_ECDSA, 384}, {KEY_ECDSA, 521},
                                            {KEY_RSA, 2048},  {KEY_RSA, 3072},  {KEY_RSA, 4096}};
#define PKI_SPECS (sizeof pki_specs / sizeof pki_specs[0])

static inline struct crypto_context *pki_context(void)
{
    struct error error;
    struct crypto_context *context = NULL;
    CHECK_OK(crypto_context_new(&(struct crypto_options){0}, &context, &error), error);
    return context;
}

static inline EVP_PKEY *pki_key(const struct crypto_context *context, enum key_type type,
                                unsigned bits)
{
    struct error error;
    EVP_PKEY *key = NULL;
    CHECK_OK(key_generate(context, (struct key_spec){type, bits}, &key, &error), error);
    return key;
}

struct pki_wish {
    const char *common_name;
    const char *organization;
    const char *names; /* as openssl.cnf has them: "DNS:a,IP:1.2.3.4" */
    const char *serial_hex;
    EVP_PKEY *key;
    X509 *issuer; /* NULL: self-signed */
    EVP_PKEY *issuer_key;
    int64_t not_before;
    int64_t not_after;
    bool no_key_ids;
    int string_type; /* of the names in the subject; 0: UTF-8 */
};

static inline void pki_extend(X509 *certificate, X509V3_CTX *context, int kind, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, context, kind, value);
    CHECK(extension != NULL && X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

static inline void pki_subject(X509 *certificate, const char *field, const char *text, int type)
{
    if (text != NULL)
        CHECK(X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), field,
                                         type != 0 ? type : MBSTRING_UTF8,
                                         (const unsigned char *)text, -1, -1, 0) == 1);
}

static inline X509 *pki_certificate(const struct pki_wish *wish)
{
    X509 *certificate = X509_new();
    BIGNUM *serial = NULL;
    CHECK(certificate != NULL && X509_set_version(certificate, X509_VERSION_3) == 1);
    CHECK(BN_hex2bn(&serial, wish->serial_hex != NULL ? wish->serial_hex : "01a2b3c4") > 0);
    CHECK(BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(certificate)) != NULL);
    BN_free(serial);
    int64_t before = wish->not_before != 0 ? wish->not_before : PKI_NOW - 3600;
    int64_t after = wish->not_after != 0 ? wish->not_after : PKI_NOW + 90 * 86400;
    CHECK(ASN1_TIME_set(X509_getm_notBefore(certificate), before) != NULL);
    CHECK(ASN1_TIME_set(X509_getm_notAfter(certificate), after) != NULL);
    pki_subject(certificate, "O", wish->organization, wish->string_type);
    pki_subject(certificate, "CN", wish->common_name, wish->string_type);
    X509 *issuer = wish->issuer != NULL ? wish->issuer : certificate;
    CHECK(X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1);
    CHECK(X509_set_pubkey(certificate, wish->key) == 1);
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    if (!wish->no_key_ids) {
        pki_extend(certificate, &context, NID_subject_key_identifier, "hash");
        pki_extend(certificate, &context, NID_authority_key_identifier, "keyid:always");
    }
    if (wish->names != NULL)
        pki_extend(certificate, &context, NID_subject_alt_name, wish->names);
    else
        pki_extend(certificate, &context, NID_basic_constraints, "critical,CA:TRUE");
    EVP_PKEY *signing = wish->issuer_key != NULL ? wish->issuer_key : wish->key;
    CHECK(X509_sign(certificate, signing, EVP_PKEY_is_a(signing, "ED25519") ? NULL : EVP_sha256()) >
          0);
    return certificate;
}

static inline void pki_append(struct buf *out, X509 *certificate)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    CHECK(bio != NULL && PEM_write_bio_X509(bio, certificate) == 1);
    long len = BIO_get_mem_data(bio, &text);
    CHECK(len > 0 && buf_append(out, text, (size_t)len));
    BIO_free(bio);
}

/* A file of its own folder, for the openssl command. Writes its path into `path`. */
static inline void pki_file(const struct span content, char *path, size_t size)
{
    const char *folder = getenv("TMPDIR");
    snprintf(path, size, "%s/certmill-test-XXXXXX", folder != NULL ? folder : "/tmp");
    int fd = mkstemp(path);
    CHECK(fd >= 0);
    CHECK(write(fd, content.data, content.len) == (ssize_t)content.len);
    close(fd);
}

/* Runs "openssl ARGUMENTS FILE", appends what it prints to *out, and gives its exit status. */
static inline int pki_openssl(const char *arguments, struct span file, struct buf *out)
{
    char path[256];
    char command[1024];
    char text[4096];
    pki_file(file, path, sizeof path);
    snprintf(command, sizeof command, "openssl %s -in %s 2>&1", arguments, path);
    /* The command line is made of the test's own words. */
    FILE *pipe = popen(command, "r"); /* NOLINT(cert-env33-c) */
    CHECK(pipe != NULL);
    size_t len;
    while ((len = fread(text, 1, sizeof text, pipe)) > 0)
        CHECK(buf_append(out, text, len));
    int status = pclose(pipe);
    unlink(path);
    return status;
}

#endif
