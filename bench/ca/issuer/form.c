#include "form.h"

#include "signed_der.h"

#define OID_KEY_ID        SPAN_LITERAL("\x55\x1d\x0e")
#define OID_ISSUER_KEY_ID SPAN_LITERAL("\x55\x1d\x23")
#define OID_POLICIES      SPAN_LITERAL("\x55\x1d\x20")
#define OID_CRL_POINTS    SPAN_LITERAL("\x55\x1d\x1f")
#define OID_ISSUER_ACCESS SPAN_LITERAL("\x2b\x06\x01\x05\x05\x07\x01\x01")
#define OID_CA_ISSUERS    SPAN_LITERAL("\x2b\x06\x01\x05\x05\x07\x30\x02")
#define OID_DOMAIN_VALIDATED                                            \
    SPAN_LITERAL("\x67\x81\x0c\x01\x02\x01") /* of the CA/Browser Forum \
                                              */

static const unsigned char is_true = 0xff;

static void put_span(struct der_writer *writer, unsigned tag, struct span content)
{
    der_put_element(writer, tag, content.data, content.len);
}

void certificate_form_put(struct der_writer *writer, const struct certificate_form *form)
{
    static const unsigned char version_3 = 2;
    struct span algorithm = signature_algorithm_of(form->signer)->identifier;
    der_wrap(writer, DER_SEQUENCE, 0);
    der_wrap(writer, DER_CONTEXT_CONSTRUCTED(3), 0);
    der_put(writer, form->public_key.data, form->public_key.len);
    der_put(writer, form->subject.data, form->subject.len);
    size_t mark = der_written(writer);
    der_put_time(writer, form->not_after);
    der_put_time(writer, form->not_before);
    der_wrap(writer, DER_SEQUENCE, mark);
    der_put(writer, form->issuer.data, form->issuer.len);
    der_put(writer, algorithm.data, algorithm.len);
    put_span(writer, DER_INTEGER, form->serial);
    mark = der_written(writer);
    der_put_element(writer, DER_INTEGER, &version_3, 1);
    der_wrap(writer, DER_CONTEXT_CONSTRUCTED(0), mark);
    der_wrap(writer, DER_SEQUENCE, 0);
}

void extension_wrap(struct der_writer *writer, struct span oid, bool critical, size_t mark)
{
    der_wrap(writer, DER_OCTET_STRING, mark);
    if (critical)
        der_put_element(writer, DER_BOOLEAN, &is_true, 1);
    put_span(writer, DER_OID, oid);
    der_wrap(writer, DER_SEQUENCE, mark);
}

void extension_put_authority(struct der_writer *writer, int path_len)
{
    unsigned char number = (unsigned char)path_len;
    size_t mark = der_written(writer);
    if (path_len >= 0)
        der_put_element(writer, DER_INTEGER, &number, 1);
    der_put_element(writer, DER_BOOLEAN, &is_true, 1);
    der_wrap(writer, DER_SEQUENCE, mark);
    extension_wrap(writer, OID_BASIC_CONSTRAINTS, true, mark);
}

void extension_put_no_authority(struct der_writer *writer)
{
    size_t mark = der_written(writer);
    der_wrap(writer, DER_SEQUENCE, mark);
    extension_wrap(writer, OID_BASIC_CONSTRAINTS, true, mark);
}

void extension_put_key_usage(struct der_writer *writer, unsigned usage)
{
    unsigned char bits[2] = {0, (unsigned char)usage};
    while ((usage & 1U << bits[0]) == 0)
        bits[0]++; /* DER leaves out the zeros at the end of a list of bits */
    size_t mark = der_written(writer);
    der_put_element(writer, DER_BIT_STRING, bits, sizeof bits);
    extension_wrap(writer, OID_KEY_USAGE, true, mark);
}

void extension_put_server_auth(struct der_writer *writer)
{
    size_t mark = der_written(writer);
    put_span(writer, DER_OID, OID_SERVER_AUTH);
    der_wrap(writer, DER_SEQUENCE, mark);
    extension_wrap(writer, OID_EXTENDED_USAGE, false, mark);
}

void extension_put_key_id(struct der_writer *writer, const unsigned char *key_id)
{
    size_t mark = der_written(writer);
    der_put_element(writer, DER_OCTET_STRING, key_id, KEY_ID_BYTES);
    extension_wrap(writer, OID_KEY_ID, false, mark);
}

void extension_put_issuer_key_id(struct der_writer *writer, const unsigned char *key_id)
{
    size_t mark = der_written(writer);
    der_put_element(writer, DER_CONTEXT(0), key_id, KEY_ID_BYTES);
    der_wrap(writer, DER_SEQUENCE, mark);
    extension_wrap(writer, OID_ISSUER_KEY_ID, false, mark);
}

void extension_put_domain_validated(struct der_writer *writer)
{
    size_t mark = der_written(writer);
    put_span(writer, DER_OID, OID_DOMAIN_VALIDATED);
    der_wrap(writer, DER_SEQUENCE, mark); /* PolicyInformation */
    der_wrap(writer, DER_SEQUENCE, mark);
    extension_wrap(writer, OID_POLICIES, false, mark);
}

void extension_put_must_staple(struct der_writer *writer)
{
    size_t mark = der_written(writer);
    der_put(writer, MUST_STAPLE.data, MUST_STAPLE.len);
    extension_wrap(writer, OID_TLS_FEATURE, false, mark);
}

/* SEQUENCE { AccessDescription { caIssuers, URL } } */
void extension_put_issuer_url(struct der_writer *writer, struct span url)
{
    size_t mark = der_written(writer);
    put_span(writer, DER_CONTEXT(6), url);
    put_span(writer, DER_OID, OID_CA_ISSUERS);
    der_wrap(writer, DER_SEQUENCE, mark);
    der_wrap(writer, DER_SEQUENCE, mark);
    extension_wrap(writer, OID_ISSUER_ACCESS, false, mark);
}

/* SEQUENCE { DistributionPoint { [0] { fullName [0] { URL } } } } */
void extension_put_crl_url(struct der_writer *writer, struct span url)
{
    size_t mark = der_written(writer);
    put_span(writer, DER_CONTEXT(6), url);
    der_wrap(writer, DER_CONTEXT_CONSTRUCTED(0), mark);
    der_wrap(writer, DER_CONTEXT_CONSTRUCTED(0), mark);
    der_wrap(writer, DER_SEQUENCE, mark);
    der_wrap(writer, DER_SEQUENCE, mark);
    extension_wrap(writer, OID_CRL_POINTS, false, mark);
}
