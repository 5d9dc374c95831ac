/* Certificates as DER (RFC 5280 section 4.1), for the writer that fills a buffer from its end:
 * first the extensions, the last of them first, then certificate_form_put. */
#ifndef CERTMILL_CA_ISSUER_FORM_H
#define CERTMILL_CA_ISSUER_FORM_H

#include "crypto/key.h"
#include "der.h"

#define KEY_ID_BYTES 20

/* Bits of keyUsage, the first of them first in the bit string (section 4.2.1.3). */
enum key_usage {
    USAGE_DIGITAL_SIGNATURE = 0x80,
    USAGE_KEY_ENCIPHERMENT = 0x20,
    USAGE_CERTIFICATE_SIGN = 0x04,
    USAGE_CRL_SIGN = 0x02,
};

struct certificate_form {
    struct span serial;     /* an INTEGER's content */
    struct span issuer;     /* Name */
    struct span subject;    /* Name */
    struct span public_key; /* SubjectPublicKeyInfo */
    struct key_spec signer;
    int64_t not_before, not_after; /* unix seconds */
};

/* Makes all that was written a list of extensions, and puts the rest of a TBSCertificate. */
void certificate_form_put(struct der_writer *writer, const struct certificate_form *form);

/* Makes what was written since `mark` the value of an extension. */
void extension_wrap(struct der_writer *writer, struct span oid, bool critical, size_t mark);

void extension_put_authority(struct der_writer *writer, int path_len); /* -1: any */
void extension_put_no_authority(struct der_writer *writer);
void extension_put_key_usage(struct der_writer *writer, unsigned usage);
void extension_put_server_auth(struct der_writer *writer);
void extension_put_key_id(struct der_writer *writer, const unsigned char *key_id);
void extension_put_issuer_key_id(struct der_writer *writer, const unsigned char *key_id);
void extension_put_domain_validated(struct der_writer *writer);
void extension_put_must_staple(struct der_writer *writer);
void extension_put_issuer_url(struct der_writer *writer, struct span url);
void extension_put_crl_url(struct der_writer *writer, struct span url);

/* Contents of object identifiers. */
#define OID_SUBJECT_ALT_NAME  SPAN_LITERAL("\x55\x1d\x11")
#define OID_KEY_USAGE         SPAN_LITERAL("\x55\x1d\x0f")
#define OID_BASIC_CONSTRAINTS SPAN_LITERAL("\x55\x1d\x13")
#define OID_EXTENDED_USAGE    SPAN_LITERAL("\x55\x1d\x25")
#define OID_CRL_NUMBER        SPAN_LITERAL("\x55\x1d\x14")
#define OID_REASON_CODE       SPAN_LITERAL("\x55\x1d\x15")
#define OID_TLS_FEATURE       SPAN_LITERAL("\x2b\x06\x01\x05\x05\x07\x01\x18")
#define OID_SERVER_AUTH       SPAN_LITERAL("\x2b\x06\x01\x05\x05\x07\x03\x01")
#define OID_CLIENT_AUTH       SPAN_LITERAL("\x2b\x06\x01\x05\x05\x07\x03\x02")

/* TLS feature: status_request (RFC 7633 section 4), the extension's value. */
#define MUST_STAPLE SPAN_LITERAL("\x30\x03\x02\x01\x05")

#endif
