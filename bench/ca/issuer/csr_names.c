#include "csr_internal.h"

#include "base/printable.h"
#include "crypto/certificate.h"
#include "form.h"
#include "general_name.h"

#include <string.h>

#define OID_COMMON_NAME       SPAN_LITERAL("\x55\x04\x03")
#define OID_EXTENSION_REQUEST SPAN_LITERAL("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e")

/* Bits of the first byte of a keyUsage that are for CAs only. */
#define USAGE_OF_CA (USAGE_CERTIFICATE_SIGN | USAGE_CRL_SIGN)

/* An OBJECT IDENTIFIER in its one encoding (X.690 section 8.19): numbers in the fewest bytes, the
 * last one whole. */
static bool take_oid(struct span *rest, struct span *ret_oid)
{
    struct span oid;
    TRY(der_take(rest, DER_OID, &oid) && oid.len > 0);
    bool begins = true;
    for (size_t i = 0; i < oid.len; i++) {
        unsigned char byte = (unsigned char)oid.data[i];
        TRY(!begins || byte != 0x80);
        begins = byte < 0x80;
    }
    *ret_oid = oid;
    return begins;
}

bool csr_host_name(struct span name, char *text)
{
    struct general_name read;
    TRY(name.len > 0 && name.len < CERTIFICATE_NAME_TEXT);
    TRY(memchr(name.data, '\0', name.len) == NULL);
    for (size_t i = 0; i < name.len; i++)
        text[i] =
            (char)(name.data[i] >= 'A' && name.data[i] <= 'Z' ? name.data[i] | 0x20 : name.data[i]);
    text[name.len] = '\0';
    return general_name_read(text, &read, NULL) && !read.is_address;
}

static bool refuse_name(struct error *error, struct span name, const char *why)
{
    char shown[128];
    printable_copy(name, shown, sizeof shown);
    return error_set(error, ERROR_PROTOCOL, "the certificate request names \"%s\", %s", shown, why);
}

static bool name_check(unsigned tag, struct span name, struct error *error)
{
    char text[CERTIFICATE_NAME_TEXT];
    if (tag == DER_CONTEXT(2))
        return csr_host_name(name, text) || refuse_name(error, name, "which is not a host name");
    if (tag == DER_CONTEXT(7))
        return name.len == 4 || name.len == 16 || csr_refuse(error, "names a damaged IP address");
    if (tag == DER_CONTEXT(1))
        return refuse_name(error, name, "an e-mail address");
    return csr_refuse(error, "has a name that is neither a host name nor an IP address");
}

/* GeneralNames */
static bool names_read(struct span value, struct csr_facts *facts, struct error *error)
{
    struct span names;
    struct span name;
    unsigned tag;
    if (!der_take(&value, DER_SEQUENCE, &names) || value.len != 0 || names.len == 0)
        return csr_refuse(error, "has damaged subject alternative names");
    for (struct span rest = names; rest.len > 0;) {
        if (!der_next(&rest, &tag, &name))
            return csr_refuse(error, "has damaged subject alternative names");
        TRY(name_check(tag, name, error));
        if (++facts->name_count > ISSUER_NAMES_MAX)
            return csr_refuse(error, "has too many names");
    }
    facts->names = names;
    return true;
}

/* RFC 7633: status_request alone is known. */
static bool feature_read(struct span value, struct csr_facts *facts, struct error *error)
{
    facts->must_staple = span_equal(value, MUST_STAPLE);
    return facts->must_staple ||
           csr_refuse(error, "asks for a TLS feature other than status_request (must-staple)");
}

static bool constraints_check(struct span value, struct csr_facts *facts, struct error *error)
{
    (void)facts;
    struct span fields;
    struct span is_ca = {0};
    if (!der_take(&value, DER_SEQUENCE, &fields) || value.len != 0)
        return csr_refuse(error, "has damaged basic constraints");
    if (der_take(&fields, DER_BOOLEAN, &is_ca) && !span_equal(is_ca, span_make("", 1)))
        return csr_refuse(error, "asks for a CA's certificate");
    return fields.len == 0 || csr_refuse(error, "asks for a path length");
}

static bool usage_check(struct span value, struct csr_facts *facts, struct error *error)
{
    (void)facts;
    struct span bits;
    if (!der_take(&value, DER_BIT_STRING, &bits) || value.len != 0 || bits.len < 1 || bits.len > 3)
        return csr_refuse(error, "has a damaged key usage");
    if (bits.len > 1 && ((unsigned char)bits.data[1] & USAGE_OF_CA) != 0)
        return csr_refuse(error, "asks for the key usage of a CA");
    return true;
}

static bool extended_usage_check(struct span value, struct csr_facts *facts, struct error *error)
{
    (void)facts;
    struct span list;
    struct span usage;
    if (!der_take(&value, DER_SEQUENCE, &list) || value.len != 0)
        return csr_refuse(error, "has a damaged extended key usage");
    while (list.len > 0) {
        if (!take_oid(&list, &usage))
            return csr_refuse(error, "has a damaged extended key usage");
        if (!span_equal(usage, OID_SERVER_AUTH) && !span_equal(usage, OID_CLIENT_AUTH))
            return csr_refuse(error, "asks for an extended key usage other than TLS server and "
                                     "client authentication");
    }
    return true;
}

/* What a CSR may ask for. Key usages are checked only: those that the CA puts into certificates are
 * its own. Other extensions are passed over as public CAs do, unless they are critical. */
static const struct {
    struct span oid;
    bool (*read)(struct span value, struct csr_facts *facts, struct error *error);
} extensions[] = {
    {{"\x55\x1d\x11", 3}, names_read},
    {{"\x2b\x06\x01\x05\x05\x07\x01\x18", 8}, feature_read},
    {{"\x55\x1d\x13", 3}, constraints_check},
    {{"\x55\x1d\x0f", 3}, usage_check},
    {{"\x55\x1d\x25", 3}, extended_usage_check},
};
#define EXTENSIONS (sizeof extensions / sizeof extensions[0])

/* `seen` has a bit for each kind. */
static bool extension_read(struct span extension, struct csr_facts *facts, unsigned *seen,
                           struct error *error)
{
    struct span oid;
    struct span value;
    struct span critical = {0};
    if (!take_oid(&extension, &oid) ||
        (der_take(&extension, DER_BOOLEAN, &critical) && critical.len != 1) ||
        !der_take(&extension, DER_OCTET_STRING, &value) || extension.len != 0)
        return csr_refuse(error, "has a damaged extension");
    size_t kind = 0;
    while (kind < EXTENSIONS && !span_equal(extensions[kind].oid, oid))
        kind++;
    if (kind == EXTENSIONS)
        return critical.len == 0 || critical.data[0] == 0 ||
               csr_refuse(error, "asks for a critical extension that is not known");
    if ((*seen & 1U << kind) != 0)
        return csr_refuse(error, "has an extension twice");
    *seen |= 1U << kind;
    return extensions[kind].read(value, facts, error);
}

/* SET { Extensions }, of which there is one. */
static bool extensions_read(struct span set, struct csr_facts *facts, struct error *error)
{
    struct span list;
    struct span extension;
    unsigned seen = 0;
    if (!der_take(&set, DER_SEQUENCE, &list) || set.len != 0)
        return csr_refuse(error, "has damaged extensions");
    while (list.len > 0) {
        if (!der_take(&list, DER_SEQUENCE, &extension))
            return csr_refuse(error, "has damaged extensions");
        TRY(extension_read(extension, facts, &seen, error));
    }
    return true;
}

bool csr_attributes_read(struct span attributes, struct csr_facts *facts, struct error *error)
{
    struct span attribute;
    struct span oid;
    struct span set;
    bool seen = false;
    while (attributes.len > 0) {
        if (!der_take(&attributes, DER_SEQUENCE, &attribute) || !take_oid(&attribute, &oid) ||
            !der_take(&attribute, DER_SET, &set) || attribute.len != 0)
            return csr_refuse(error, "has a damaged attribute");
        if (!span_equal(oid, OID_EXTENSION_REQUEST))
            continue; /* a challenge password, say: nothing to a CA of today */
        if (seen)
            return csr_refuse(error, "asks for extensions twice");
        seen = true;
        TRY(extensions_read(set, facts, error));
    }
    return true;
}

/* The element of the common name, with its tag; empty when there is none. */
static bool common_name_find(struct span subject, struct span *ret_element, struct error *error)
{
    struct span found = {0};
    struct span set;
    struct span pair;
    struct span oid;
    while (subject.len > 0) {
        if (!der_take(&subject, DER_SET, &set) || set.len == 0)
            return csr_refuse(error, "has a damaged subject");
        while (set.len > 0) {
            if (!der_take(&set, DER_SEQUENCE, &pair) || !take_oid(&pair, &oid))
                return csr_refuse(error, "has a damaged subject");
            struct span rest = pair;
            struct span value;
            unsigned tag;
            if (!der_next(&rest, &tag, &value) || rest.len != 0)
                return csr_refuse(error, "has a damaged subject");
            if (!span_equal(oid, OID_COMMON_NAME))
                continue;
            if (found.len != 0)
                return csr_refuse(error, "has two common names");
            found = pair;
        }
    }
    *ret_element = found;
    return true;
}

static bool name_is_among(const struct csr_facts *facts, const char *wanted)
{
    char text[CERTIFICATE_NAME_TEXT];
    struct span names = facts->names;
    while (csr_name_next(&names, text))
        if (strcmp(text, wanted) == 0)
            return true;
    return false;
}

/* RFC 8555 section 7.4 lets the common name stand for a subject alternative name. */
bool csr_subject_read(struct span subject, struct csr_facts *facts, struct error *error)
{
    char text[CERTIFICATE_NAME_TEXT];
    struct span element = {0};
    struct span name;
    unsigned tag = 0;
    TRY(common_name_find(subject, &element, error));
    struct span rest = element;
    if (element.len == 0)
        return true;
    if (!der_next(&rest, &tag, &name) ||
        (tag != DER_UTF8_STRING && tag != DER_PRINTABLE_STRING && tag != DER_IA5_STRING))
        return csr_refuse(error, "has a damaged common name");
    if (name.len == 0)
        return true;
    if (name.len >= sizeof facts->common_name)
        return csr_refuse(error, "has a common name of more than 64 characters");
    bool is_host = csr_host_name(name, text);
    if (facts->name_count == 0) {
        if (!is_host)
            return refuse_name(error, name, "which is not a host name");
        facts->names = element;
        facts->name_count = 1;
    } else if (!is_host) { /* an address, perhaps */
        if (memchr(name.data, '\0', name.len) != NULL)
            return refuse_name(error, name, "which is not a host name");
        memcpy(text, name.data, name.len);
        text[name.len] = '\0';
    }
    if (!name_is_among(facts, text))
        return refuse_name(error, name,
                           "its common name, which is not among its subject alternative names");
    memcpy(facts->common_name, text, name.len + 1);
    return true;
}

bool csr_name_next(struct span *names, char *text)
{
    unsigned char tag = names->len > 0 ? (unsigned char)names->data[0] : 0;
    struct span name;
    unsigned found;
    if (tag == DER_CONTEXT(2) || tag == DER_CONTEXT(7))
        return certificate_name_next(names, text);
    /* A common name without subject alternative names. */
    return der_next(names, &found, &name) && csr_host_name(name, text);
}
