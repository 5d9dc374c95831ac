/* tls-alpn-01, RFC 8737 and RFC 8738 section 6. */
#include "check.h"

#include "crypto/alpn_certificate.h"
#include "der.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <strings.h>

#define PROTOCOL "acme-tls/1"
#define WRONG    "Incorrect validation certificate for tls-alpn-01 challenge. "

void alpn_begin(struct check *check)
{
    check_locate(check, check->identifier);
}

/* The one name is the identifier. */
static bool name_holds(const struct check *check, const GENERAL_NAMES *names)
{
    unsigned char address[16];
    if (names == NULL || sk_GENERAL_NAME_num(names) != 1)
        return false;
    const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, 0);
    int type = 0;
    const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);
    size_t len = (size_t)ASN1_STRING_length(value);
    if (!check->is_address)
        return type == GEN_DNS && len == strlen(check->identifier) &&
               strncasecmp((const char *)ASN1_STRING_get0_data(value), check->identifier, len) == 0;
    bool four = inet_pton(AF_INET, check->identifier, address) == 1;
    if (!four && inet_pton(AF_INET6, check->identifier, address) != 1)
        return false;
    return type == GEN_IPADD && len == (four ? 4U : 16U) &&
           memcmp(ASN1_STRING_get0_data(value), address, len) == 0;
}

/* OpenSSL 3.0 has no number for it. The first behind `after`, or -1. */
static int extension_find(X509 *certificate, int after)
{
    /* id-pe-acmeIdentifier, 1.3.6.1.5.5.7.1.31 */
    static const struct span oid = {"\x2b\x06\x01\x05\x05\x07\x01\x1f", 8};
    for (int at = after + 1; at < X509_get_ext_count(certificate); at++) {
        const ASN1_OBJECT *kind = X509_EXTENSION_get_object(X509_get_ext(certificate, at));
        if (span_equal(span_make(OBJ_get0_data(kind), OBJ_length(kind)), oid))
            return at;
    }
    return -1;
}

/* acmeIdentifier: critical, there once, an OCTET STRING with the digest. NULL, or what is wrong. */
static const char *extension_look(const struct check *check, X509 *certificate)
{
    unsigned char digest[SHA256_BYTES];
    int at = extension_find(certificate, -1);
    if (at < 0)
        return "Missing acmeIdentifier extension";
    if (extension_find(certificate, at) >= 0)
        return "Extension acmeIdentifier present twice";
    X509_EXTENSION *extension = X509_get_ext(certificate, at);
    if (X509_EXTENSION_get_critical(extension) != 1)
        return "Extension acmeIdentifier not critical";
    const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(extension);
    struct span rest = span_make(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
    struct span found;
    if (!der_take(&rest, DER_OCTET_STRING, &found) || rest.len != 0)
        return "Malformed acmeIdentifier extension value";
    if (EVP_Digest(check->key_authorization, strlen(check->key_authorization), digest, NULL,
                   check->validator->sha256, NULL) != 1 ||
        !span_equal(found, span_make(digest, sizeof digest)))
        return "Invalid acmeIdentifier extension value: it is not the key authorization's digest";
    return NULL;
}

static const char *certificate_look(const struct check *check, X509 *certificate)
{
    int times = 0;
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, &times, NULL);
    bool named = name_holds(check, names);
    GENERAL_NAMES_free(names);
    if (!named)
        return "The only subject alternative name must be the identifier";
    if (X509_self_signed(certificate, 1) != 1)
        return "Self-signed certificate expected";
    return extension_look(check, certificate);
}

void alpn_shaken(struct check *check, SSL *ssl)
{
    const unsigned char *protocol = NULL;
    unsigned len = 0;
    const char *why = NULL;
    X509 *certificate = SSL_get1_peer_certificate(ssl);
    SSL_get0_alpn_selected(ssl, &protocol, &len);
    bool negotiated = span_is(span_make(protocol, len), PROTOCOL);
    if (negotiated)
        why =
            certificate != NULL ? certificate_look(check, certificate) : "No certificate was shown";
    X509_free(certificate);
    ERR_clear_error();
    connection_close(check->connection);
    if (!negotiated)
        check_end(check, "unauthorized",
                  "%s: Cannot negotiate ALPN protocol \"" PROTOCOL "\" for tls-alpn-01 challenge",
                  check->address);
    else if (why != NULL)
        check_end(check, "unauthorized", "%s: " WRONG "%s", check->address, why);
    else
        check_end(check, NULL, "%s", "");
}
