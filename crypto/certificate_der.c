#include "certificate_der.h"

#include "der.h"

#define EXTENSIONS_MAX 100

static bool damaged(struct error *error, const char *where)
{
    return error_set(error, ERROR_PROTOCOL, "the certificate is damaged: %s", where);
}

/* One extension: SEQUENCE { OID, critical DEFAULT FALSE, OCTET STRING }. Each kind may come once
 * (RFC 5280 section 4.2). */
static bool extension_keep(struct span extension, struct certificate_parts *parts,
                           struct error *error)
{
    struct span oid;
    struct span value;
    if (!der_take(&extension, DER_OID, &oid))
        return damaged(error, "an extension without a kind");
    der_skip(&extension, DER_BOOLEAN);
    if (!der_take(&extension, DER_OCTET_STRING, &value) || extension.len != 0)
        return damaged(error, "an extension without a value");
    struct span *keep = NULL;
    if (span_equal(oid, SPAN_LITERAL("\x55\x1d\x11")))
        keep = &parts->names;
    else if (span_equal(oid, SPAN_LITERAL("\x55\x1d\x23")))
        keep = &parts->authority_key_id;
    else if (span_equal(oid, SPAN_LITERAL("\x55\x1d\x1f")))
        keep = &parts->crl_points;
    if (keep == NULL)
        return true;
    if (keep->data != NULL)
        return damaged(error, "the same extension twice");
    /* A certificate whose CRL cannot be found serves as well as one that names none. */
    if (keep == &parts->crl_points) {
        *keep = value;
        return true;
    }
    if (!der_take(&value, DER_SEQUENCE, keep) || value.len != 0)
        return damaged(error, keep == &parts->names ? "its subject alternative names"
                                                    : "its authority key identifier");
    return true;
}

static bool extensions_walk(struct span tbs, struct certificate_parts *parts, struct error *error)
{
    struct span wrapped;
    struct span extensions;
    struct span extension;
    der_skip(&tbs,
             DER_CONTEXT(1)); /* issuerUniqueID and subjectUniqueID: bit strings nobody uses */
    der_skip(&tbs, DER_CONTEXT(2));
    if (tbs.len == 0)
        return true;
    if (!der_take(&tbs, DER_CONTEXT_CONSTRUCTED(3), &wrapped) || tbs.len != 0 ||
        !der_take(&wrapped, DER_SEQUENCE, &extensions) || wrapped.len != 0)
        return damaged(error, "its extensions");
    for (int count = 0; extensions.len > 0; count++) {
        if (count == EXTENSIONS_MAX)
            return error_set(error, ERROR_LIMIT, "the certificate has more than %d extensions",
                             EXTENSIONS_MAX);
        if (!der_take(&extensions, DER_SEQUENCE, &extension))
            return damaged(error, "its extensions");
        TRY(extension_keep(extension, parts, error));
    }
    return true;
}

static bool validity_read(struct span validity, struct certificate_parts *parts,
                          struct error *error)
{
    unsigned tag;
    struct span time;
    if (!der_next(&validity, &tag, &time) || !der_time(tag, time, &parts->not_before) ||
        !der_next(&validity, &tag, &time) || !der_time(tag, time, &parts->not_after) ||
        validity.len != 0)
        return damaged(error, "its dates");
    return true;
}

/* The outer structure: what is signed, by which algorithm, and the signature. */
static bool outer_read(struct span der, struct certificate_parts *parts, struct span *ret_signed,
                       struct error *error)
{
    struct span certificate;
    struct span bits;
    if (!der_take(&der, DER_SEQUENCE, &certificate) || der.len != 0 ||
        !der_take_whole(&certificate, DER_SEQUENCE, &parts->signed_element) ||
        !der_take_whole(&certificate, DER_SEQUENCE, &parts->signature_algorithm) ||
        !der_take(&certificate, DER_BIT_STRING, &bits) || certificate.len != 0 || bits.len < 1 ||
        bits.data[0] != 0)
        return damaged(error, "its outer structure");
    parts->signature = span_from(bits, 1);
    struct span element = parts->signed_element;
    return der_take(&element, DER_SEQUENCE, ret_signed) || damaged(error, "its outer structure");
}

bool certificate_walk(struct span der, struct certificate_parts *ret_parts, struct error *error)
{
    struct certificate_parts parts = {0};
    struct span tbs = {0};
    struct span algorithm;
    struct span validity;
    TRY(outer_read(der, &parts, &tbs, error));
    der_skip(&tbs, DER_CONTEXT_CONSTRUCTED(0)); /* version */
    if (!der_take(&tbs, DER_INTEGER, &parts.serial) || parts.serial.len == 0)
        return damaged(error, "its serial number");
    /* The algorithm stands inside and outside of what is signed, and must be the same (RFC 5280
     * section 4.1.1.2): the outer one could be changed by anybody. */
    if (!der_take_whole(&tbs, DER_SEQUENCE, &algorithm) ||
        !span_equal(algorithm, parts.signature_algorithm))
        return damaged(error, "its signature algorithm");
    if (!der_take_whole(&tbs, DER_SEQUENCE, &parts.issuer) ||
        !der_take(&tbs, DER_SEQUENCE, &validity) ||
        !der_take_whole(&tbs, DER_SEQUENCE, &parts.subject))
        return damaged(error, "its issuer, dates or subject");
    TRY(validity_read(validity, &parts, error));
    if (!der_take_whole(&tbs, DER_SEQUENCE, &parts.public_key))
        return damaged(error, "its public key");
    TRY(extensions_walk(tbs, &parts, error));
    *ret_parts = parts;
    return true;
}
