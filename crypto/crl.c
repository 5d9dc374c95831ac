#include "crypto/crl.h"

#include "base/base64.h"
#include "certificate_verify.h"
#include "der.h"
#include "pem.h"

#include <string.h>

#define CRL_EXTENSIONS_MAX 100
#define ISSUER_DER_MAX     ((size_t)64 * 1024)
/* Clocks differ, and some CAs give out a list the moment it is made. */
#define CLOCK_SKEW_S   300
#define DER_ENUMERATED 0x0aU

static bool damaged(struct error *error, const char *where)
{
    return error_set(error, ERROR_PROTOCOL, "the list is damaged: %s", where);
}

bool crl_url_is_usable(struct span url)
{
    size_t scheme = span_starts(url, "http://") ? 7 : span_starts(url, "https://") ? 8 : 0;
    if (scheme == 0 || url.len > CRL_URL_MAX || url.len == scheme || url.data[scheme] == '/')
        return false;
    for (size_t i = 0; i < url.len; i++)
        if (url.data[i] <= ' ' || url.data[i] >= 0x7f)
            return false;
    return true;
}

/* DistributionPointName ::= { fullName [0] GeneralNames }: is the URL among them? */
static bool point_names(struct span point, struct span url)
{
    struct span names;
    struct span name;
    unsigned tag;
    TRY(der_take(&point, DER_CONTEXT_CONSTRUCTED(0), &names));
    while (der_next(&names, &tag, &name))
        if (tag == DER_CONTEXT(6) && span_equal(name, url))
            return true;
    return false;
}

static bool is_true(struct span boolean)
{
    return boolean.len > 0 && boolean.data[0] != 0;
}

/* IssuingDistributionPoint, RFC 5280 section 5.2.5. Lists of some reasons only are good: what is on
 * them is revoked. */
static bool scope_fits(struct span value, struct span url, struct error *error)
{
    struct span fields;
    struct span content;
    unsigned tag;
    if (!der_take(&value, DER_SEQUENCE, &fields) || value.len != 0)
        return damaged(error, "its issuing distribution point");
    while (fields.len > 0) {
        if (!der_next(&fields, &tag, &content))
            return damaged(error, "its issuing distribution point");
        if (tag == DER_CONTEXT_CONSTRUCTED(0) && !point_names(content, url))
            return error_set(error, ERROR_PROTOCOL, "the list says that it belongs elsewhere");
        if ((tag == DER_CONTEXT(2) || tag == DER_CONTEXT(5)) && is_true(content))
            return error_set(error, ERROR_PROTOCOL, "the list is not for leaf certificates");
        if (tag == DER_CONTEXT(4) && is_true(content))
            return error_set(error, ERROR_PROTOCOL,
                             "the list is an indirect one, which is not supported");
    }
    return true;
}

static bool extension_judge(struct span extension, struct span url, struct error *error)
{
    struct span oid;
    struct span value;
    struct span critical = {0};
    if (!der_take(&extension, DER_OID, &oid))
        return damaged(error, "its extensions");
    bool has_flag = der_take(&extension, DER_BOOLEAN, &critical);
    if (!der_take(&extension, DER_OCTET_STRING, &value) || extension.len != 0)
        return damaged(error, "its extensions");
    if (span_equal(oid, SPAN_LITERAL("\x55\x1d\x1c")))
        return scope_fits(value, url, error);
    if (span_equal(oid, SPAN_LITERAL("\x55\x1d\x1b")))
        return error_set(error, ERROR_PROTOCOL, "the list is a delta, which is not supported");
    if (has_flag && is_true(critical))
        return error_set(error, ERROR_PROTOCOL,
                         "the list has a critical extension that is not "
                         "known");
    return true;
}

static bool extensions_judge(struct span wrapped, struct span url, struct error *error)
{
    struct span extensions;
    struct span extension;
    if (!der_take(&wrapped, DER_SEQUENCE, &extensions) || wrapped.len != 0)
        return damaged(error, "its extensions");
    for (int count = 0; extensions.len > 0; count++) {
        if (count == CRL_EXTENSIONS_MAX || !der_take(&extensions, DER_SEQUENCE, &extension))
            return damaged(error, "its extensions");
        TRY(extension_judge(extension, url, error));
    }
    return true;
}

static bool take_time(struct span *rest, int64_t *ret_time)
{
    unsigned tag;
    struct span time;
    struct span after = *rest;
    TRY(der_next(&after, &tag, &time) && der_time(tag, time, ret_time));
    *rest = after;
    return true;
}

/* TBSCertList */
static bool list_read(struct span list, struct span url, struct crl *crl, struct error *error)
{
    struct span algorithm;
    struct span wrapped;
    der_skip(&list, DER_INTEGER); /* version */
    if (!der_take_whole(&list, DER_SEQUENCE, &algorithm) ||
        !span_equal(algorithm, crl->signature_algorithm))
        return damaged(error, "its signature algorithm");
    if (!der_take_whole(&list, DER_SEQUENCE, &crl->issuer) || !take_time(&list, &crl->this_update))
        return damaged(error, "its issuer or date");
    if (!take_time(&list, &crl->next_update))
        return error_set(error, ERROR_PROTOCOL, "the list does not say when the next one comes");
    if (!der_take(&list, DER_SEQUENCE, &crl->entries))
        crl->entries = (struct span){0};
    if (der_take(&list, DER_CONTEXT_CONSTRUCTED(0), &wrapped))
        TRY(extensions_judge(wrapped, url, error));
    return list.len == 0 || damaged(error, "its outer structure");
}

bool crl_read(struct span der, struct span url, struct crl *ret_crl, struct error *error)
{
    struct crl crl = {.der = der};
    struct span outer;
    struct span bits;
    struct span list;
    if (der.len > CRL_DER_MAX)
        return error_set(error, ERROR_LIMIT, "the list has more than %zu bytes", CRL_DER_MAX);
    if (!der_take(&der, DER_SEQUENCE, &outer) || der.len != 0 ||
        !der_take_whole(&outer, DER_SEQUENCE, &crl.signed_element) ||
        !der_take_whole(&outer, DER_SEQUENCE, &crl.signature_algorithm) ||
        !der_take(&outer, DER_BIT_STRING, &bits) || outer.len != 0 || bits.len < 1 ||
        bits.data[0] != 0)
        return damaged(error, "its outer structure");
    crl.signature = span_from(bits, 1);
    struct span element = crl.signed_element;
    if (!der_take(&element, DER_SEQUENCE, &list))
        return damaged(error, "its outer structure");
    TRY(list_read(list, url, &crl, error));
    *ret_crl = crl;
    return true;
}

static bool issuer_find(struct span pem, struct buf *der, struct certificate_parts *ret_parts,
                        struct error *error)
{
    struct pem_block block = {0};
    enum pem_result result;
    do {
        result = pem_next(&pem, &block);
    } while (result == PEM_FOUND && !span_is(block.label, "CERTIFICATE"));
    if (result != PEM_FOUND || !base64_decode_lenient(block.body, der))
        return error_set(error, ERROR_PROTOCOL, "the issuer's certificate is not in chain.pem");
    return certificate_walk(buf_span(der), ret_parts, error) ||
           error_prefix(error, "the issuer in chain.pem: ");
}

static bool is_current(const struct crl *crl, int64_t now, struct error *error)
{
    if (crl->this_update > now + CLOCK_SKEW_S)
        return error_set(error, ERROR_PROTOCOL, "the list is of the future");
    return now < crl->next_update ||
           error_set(error, ERROR_PROTOCOL, "the list is stale: its successor was due before now");
}

bool crl_verify(const struct crypto_context *context, const struct crl *crl, struct span issuer_pem,
                int64_t now, struct error *error)
{
    struct certificate_parts issuer;
    struct buf der CLEANUP(buf_free);
    buf_init(&der, ISSUER_DER_MAX);
    TRY(is_current(crl, now, error));
    TRY(issuer_find(issuer_pem, &der, &issuer, error));
    const struct certificate_parts list = {.issuer = crl->issuer,
                                           .signed_element = crl->signed_element,
                                           .signature_algorithm = crl->signature_algorithm,
                                           .signature = crl->signature};
    return crl_is_signed_by(context, crl->der, &list, &issuer) ||
           error_set(error, ERROR_PROTOCOL, "the list is not signed by the certificate's issuer");
}

bool crl_next(struct span *entries, struct crl_entry *ret_entry)
{
    struct span rest = *entries;
    struct span fields;
    struct crl_entry entry = {0};
    TRY(der_take(&rest, DER_SEQUENCE, &fields) && der_take(&fields, DER_INTEGER, &entry.serial) &&
        take_time(&fields, &entry.revoked_at));
    if (fields.len > 0)
        TRY(der_take(&fields, DER_SEQUENCE, &entry.extensions) && fields.len == 0);
    *entries = rest;
    *ret_entry = entry;
    return true;
}

const char *crl_reason(const struct crl_entry *entry)
{
    static const char *const names[] = {
        "unspecified",        "keyCompromise",      "cACompromise",
        "affiliationChanged", "superseded",         "cessationOfOperation",
        "certificateHold",    "unspecified", /* 7 is not used */
        "removeFromCRL",      "privilegeWithdrawn", "aACompromise",
    };
    struct span rest = entry->extensions;
    struct span extension;
    struct span oid;
    struct span value;
    struct span reason;
    while (der_take(&rest, DER_SEQUENCE, &extension)) {
        if (!der_take(&extension, DER_OID, &oid) || !span_equal(oid, SPAN_LITERAL("\x55\x1d\x15")))
            continue;
        der_skip(&extension, DER_BOOLEAN);
        if (der_take(&extension, DER_OCTET_STRING, &value) &&
            der_take(&value, DER_ENUMERATED, &reason) && reason.len == 1 &&
            (unsigned char)reason.data[0] < sizeof names / sizeof names[0])
            return names[(unsigned char)reason.data[0]];
    }
    return names[0];
}
