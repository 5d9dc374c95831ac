#include "crypto/csr.h"

#include "key_der.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define DNS_NAME_MAX    253 /* RFC 1035 section 2.3.4, in text form */
#define DNS_LABEL_MAX   63
#define SIGNATURE_MAX   2048 /* an RSA signature of 16,384 bits */
#define FRAME_MAX       4096 /* all of a CSR but the names */
#define NAME_HEADER_MAX 4    /* tag and length of one name */

static const char oid_common_name[] = "\x55\x04\x03";
static const char oid_subject_alt_name[] = "\x55\x1d\x11";
static const char oid_extension_request[] = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e";

/* A name as it stands in the request: text, or an address of 4 or 16 bytes. */
struct csr_name {
    const char *bytes;
    size_t len;
    bool is_address;
    unsigned char address[16];
};

/* All of a request's names, and room to write it. */
struct csr_names {
    struct csr_name *names;
    size_t count;
    unsigned char *frame;
    size_t frame_size;
};

static bool label_is_valid(struct span label)
{
    if (label.len == 0 || label.len > DNS_LABEL_MAX || label.data[0] == '-' ||
        label.data[label.len - 1] == '-')
        return false;
    for (size_t i = 0; i < label.len; i++) {
        char c = label.data[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_')
            return false;
    }
    return true;
}

static bool dns_name_is_valid(struct span name)
{
    if (name.len == 0 || name.len > DNS_NAME_MAX)
        return false;
    if (span_starts(name, "*."))
        name = span_from(name, 2);
    struct span label = {0};
    while (name.data != NULL) {
        label = span_split(&name, '.');
        if (!label_is_valid(label))
            return false;
    }
    /* A last label of digits only would be an address gone wrong (RFC 1123 section 2.1). */
    uint64_t number;
    return !span_to_u64(label, UINT64_MAX, &number);
}

static bool name_read(const char *text, struct csr_name *ret_name, struct error *error)
{
    struct csr_name name = {.bytes = text, .len = strlen(text)};
    if (inet_pton(AF_INET, text, name.address) == 1) {
        name.len = 4;
        name.is_address = true;
    } else if (inet_pton(AF_INET6, text, name.address) == 1) {
        name.len = 16;
        name.is_address = true;
    } else if (!dns_name_is_valid(span_of(text))) {
        return error_set(error, ERROR_CONFIG,
                         "\"%s\" is neither a host name in lower-case ASCII nor an IP address",
                         text);
    }
    *ret_name = name;
    return true;
}

/* [0] { Attribute { extensionRequest, { Extensions { subjectAltName } } } } */
static void put_attributes(struct der_writer *writer, const struct csr_names *names)
{
    size_t mark = der_written(writer);
    for (size_t i = names->count; i-- > 0;) {
        const struct csr_name *name = &names->names[i];
        if (name->is_address)
            der_put_element(writer, DER_CONTEXT(7), name->address, name->len);
        else
            der_put_element(writer, DER_CONTEXT(2), name->bytes, name->len);
    }
    der_wrap(writer, DER_SEQUENCE, mark); /* GeneralNames */
    der_wrap(writer, DER_OCTET_STRING, mark);
    der_put_element(writer, DER_OID, oid_subject_alt_name, sizeof oid_subject_alt_name - 1);
    der_wrap(writer, DER_SEQUENCE, mark); /* Extension */
    der_wrap(writer, DER_SEQUENCE, mark); /* Extensions */
    der_wrap(writer, DER_SET, mark);
    der_put_element(writer, DER_OID, oid_extension_request, sizeof oid_extension_request - 1);
    der_wrap(writer, DER_SEQUENCE, mark); /* Attribute */
    der_wrap(writer, DER_CONTEXT_CONSTRUCTED(0), mark);
}

static void put_subject(struct der_writer *writer, const struct csr_names *names)
{
    size_t mark = der_written(writer);
    for (size_t i = 0; i < names->count; i++) {
        const struct csr_name *name = &names->names[i];
        if (name->is_address || name->len > CSR_COMMON_NAME_MAX)
            continue;
        der_put_element(writer, DER_UTF8_STRING, name->bytes, name->len);
        der_put_element(writer, DER_OID, oid_common_name, sizeof oid_common_name - 1);
        der_wrap(writer, DER_SEQUENCE, mark);
        der_wrap(writer, DER_SET, mark);
        break;
    }
    der_wrap(writer, DER_SEQUENCE, mark);
}

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
                 struct span info, unsigned char *signature, size_t *len, struct error *error)
{
    EVP_MD_CTX *signer = EVP_MD_CTX_new();
    bool ok =
        signer != NULL &&
        EVP_DigestSignInit_ex(signer, NULL, digest, crypto_library(context),
                              crypto_properties(context), key, NULL) == 1 &&
        EVP_DigestSign(signer, signature, len, (const unsigned char *)info.data, info.len) == 1;
    EVP_MD_CTX_free(signer);
    return ok || crypto_error(error, "signing the certificate request");
}

/* Writes CertificationRequestInfo into `frame`, signs it, and appends the whole to *der. */
static bool csr_build(const struct crypto_context *context, EVP_PKEY *key, struct key_spec spec,
                      const struct csr_names *names, struct buf *der, struct error *error)
{
    static const unsigned char version = 0;
    struct der_writer info;
    der_writer_init(&info, names->frame, names->frame_size);
    put_attributes(&info, names);
    TRY(key_put_public(&info, key, spec, error));
    put_subject(&info, names);
    der_put_element(&info, DER_INTEGER, &version, 1);
    der_wrap(&info, DER_SEQUENCE, 0);
    if (info.full)
        return error_set(error, ERROR_LIMIT, "the certificate request is too large");

    const struct signing *signing = signing_for(spec);
    unsigned char signature[1 + SIGNATURE_MAX];
    size_t signature_len = SIGNATURE_MAX;
    signature[0] = 0; /* the bit string's count of unused bits */
    TRY(sign(context, key, signing->digest, span_make(info.at, der_written(&info)), signature + 1,
             &signature_len, error));

    unsigned char tail[SIGNATURE_MAX + 64];
    struct der_writer end;
    der_writer_init(&end, tail, sizeof tail);
    der_put_element(&end, DER_BIT_STRING, signature, 1 + signature_len);
    der_put(&end, signing->algorithm.data, signing->algorithm.len);

    unsigned char head[8];
    struct der_writer outer;
    der_writer_init(&outer, head, sizeof head);
    der_put_header(&outer, DER_SEQUENCE, der_written(&info) + der_written(&end));
    /* Room for all of it first, so that a full buffer keeps what it held. */
    if (end.full ||
        buf_reserve(der, sizeof head + der_written(&info) + der_written(&end)) == NULL ||
        !buf_append(der, outer.at, der_written(&outer)) ||
        !buf_append(der, info.at, der_written(&info)) ||
        !buf_append(der, end.at, der_written(&end)))
        return error_set(error, ERROR_LIMIT, "the certificate request is too large");
    return true;
}

/* Reads the names into `read` and makes room for the request; the caller frees both. */
static bool names_read(struct csr_names *read, const char *const *names, struct error *error)
{
    read->names = calloc(read->count, sizeof *read->names);
    if (read->names == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for the names of a request");
    read->frame_size = FRAME_MAX;
    for (size_t i = 0; i < read->count; i++) {
        TRY(name_read(names[i], &read->names[i], error));
        read->frame_size += read->names[i].len + NAME_HEADER_MAX;
    }
    read->frame = malloc(read->frame_size);
    return read->frame != NULL ||
           error_set(error, ERROR_MEMORY, "no memory for a certificate request");
}

bool csr_make(const struct crypto_context *context, EVP_PKEY *key, const char *const *names,
              size_t count, struct buf *der, struct error *error)
{
    if (count == 0 || count > CSR_NAMES_MAX)
        return error_set(error, ERROR_LIMIT, "a certificate request for %zu names, 1 to %d allowed",
                         count, CSR_NAMES_MAX);
    struct key_spec spec;
    if (!key_spec_of(key, &spec))
        return error_set(error, ERROR_CONFIG, "a key of a kind that certmill does not use");
    struct csr_names read = {.count = count};
    bool ok = names_read(&read, names, error) && csr_build(context, key, spec, &read, der, error);
    free(read.names);
    free(read.frame);
    return ok;
}
