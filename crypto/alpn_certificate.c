#include "crypto/alpn_certificate.h"

#include "base/clock.h"
#include "context_internal.h"
#include "general_name.h"
#include "key_der.h"
#include "signed_der.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define SHA256_BYTES 32
#define SERIAL_BYTES 16
#define SUBJECT      "ACME tls-alpn-01"
#define VALID_DAYS   7

/* id-pe-acmeIdentifier, 1.3.6.1.5.5.7.1.31: RFC 8737 section 6.1. */
static const char oid_acme_identifier[] = "\x2b\x06\x01\x05\x05\x07\x01\x1f";

static void put_validity(struct der_writer *writer, int64_t now)
{
    size_t mark = der_written(writer);
    der_put_time(writer, now + (int64_t)(VALID_DAYS - 1) * SECONDS_PER_DAY);
    der_put_time(writer, now - SECONDS_PER_DAY);
    der_wrap(writer, DER_SEQUENCE, mark);
}

/* Issuer and subject are the same. */
static void put_name(struct der_writer *writer)
{
    size_t mark = der_written(writer);
    common_name_put(writer, SPAN_LITERAL(SUBJECT));
    der_wrap(writer, DER_SEQUENCE, mark);
}

/* [3] { Extensions { subjectAltName, acmeIdentifier } } */
static void put_extensions(struct der_writer *writer, const struct general_name *name,
                           const unsigned char *digest)
{
    static const unsigned char is_true = 0xff;
    size_t mark = der_written(writer);
    der_put_element(writer, DER_OCTET_STRING, digest, SHA256_BYTES);
    der_wrap(writer, DER_OCTET_STRING, mark);
    der_put_element(writer, DER_BOOLEAN, &is_true, 1);
    der_put_element(writer, DER_OID, oid_acme_identifier, sizeof oid_acme_identifier - 1);
    der_wrap(writer, DER_SEQUENCE, mark);
    general_names_put(writer, name, 1);
    der_wrap(writer, DER_SEQUENCE, mark);
    der_wrap(writer, DER_CONTEXT_CONSTRUCTED(3), mark);
}

static void put_version_3(struct der_writer *writer)
{
    static const unsigned char version = 2;
    size_t mark = der_written(writer);
    der_put_element(writer, DER_INTEGER, &version, 1);
    der_wrap(writer, DER_CONTEXT_CONSTRUCTED(0), mark);
}

bool alpn_certificate_make(const struct crypto_context *context, EVP_PKEY *key,
                           const char *identifier, struct span key_authorization, int64_t now,
                           struct buf *der, struct error *error)
{
    struct general_name name;
    struct key_spec spec;
    unsigned char digest[SHA256_BYTES];
    unsigned char frame[ALPN_CERTIFICATE_MAX];
    struct der_writer info;
    TRY(general_name_read(identifier, &name, error));
    if (!key_spec_of(key, &spec) || spec.type != KEY_ECDSA)
        return error_set(error, ERROR_CONFIG, "a validation certificate needs an ECDSA key");
    if (EVP_Digest(key_authorization.data, key_authorization.len, digest, NULL,
                   crypto_sha256(context), NULL) != 1)
        return crypto_error(error, "hashing a key authorization");
    der_writer_init(&info, frame, sizeof frame);
    put_extensions(&info, &name, digest);
    TRY(key_put_public(&info, key, spec, error));
    put_name(&info);
    put_validity(&info, now);
    put_name(&info);
    struct span algorithm = signature_algorithm_of(spec)->identifier;
    der_put(&info, algorithm.data, algorithm.len);
    /* As good as random: each key authorization has a token of its own. */
    der_put_unsigned(&info, digest, SERIAL_BYTES);
    put_version_3(&info);
    der_wrap(&info, DER_SEQUENCE, 0);
    if (info.full)
        return error_set(error, ERROR_LIMIT, "the validation certificate is too large");
    return signed_der_append(context, key, spec, span_make(info.at, der_written(&info)),
                             "the validation certificate", der, error);
}

bool alpn_server_name(const char *identifier, char *name, struct error *error)
{
    static const char digits[] = "0123456789abcdef";
    struct general_name read;
    TRY(general_name_read(identifier, &read, error));
    const unsigned char *address = read.address;
    if (!read.is_address) {
        snprintf(name, ALPN_SERVER_NAME_MAX, "%s", identifier);
    } else if (read.len == 4) {
        snprintf(name, ALPN_SERVER_NAME_MAX, "%u.%u.%u.%u.in-addr.arpa", address[3], address[2],
                 address[1], address[0]);
    } else {
        for (size_t i = read.len; i-- > 0;) {
            *name++ = digits[address[i] & 0xf];
            *name++ = '.';
            *name++ = digits[address[i] >> 4];
            *name++ = '.';
        }
        memcpy(name, "ip6.arpa", sizeof "ip6.arpa");
    }
    return true;
}
