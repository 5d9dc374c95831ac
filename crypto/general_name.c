#include "general_name.h"

#include <arpa/inet.h>
#include <string.h>

#define DNS_NAME_MAX  253 /* RFC 1035 section 2.3.4, in text form */
#define DNS_LABEL_MAX 63

static const char oid_common_name[] = "\x55\x04\x03";
static const char oid_subject_alt_name[] = "\x55\x1d\x11";

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

bool general_name_read(const char *text, struct general_name *ret_name, struct error *error)
{
    struct general_name name = {.bytes = text, .len = strlen(text)};
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

void general_names_put(struct der_writer *writer, const struct general_name *names, size_t count)
{
    size_t mark = der_written(writer);
    for (size_t i = count; i-- > 0;) {
        const struct general_name *name = &names[i];
        if (name->is_address)
            der_put_element(writer, DER_CONTEXT(7), name->address, name->len);
        else
            der_put_element(writer, DER_CONTEXT(2), name->bytes, name->len);
    }
    der_wrap(writer, DER_SEQUENCE, mark); /* GeneralNames */
    der_wrap(writer, DER_OCTET_STRING, mark);
    der_put_element(writer, DER_OID, oid_subject_alt_name, sizeof oid_subject_alt_name - 1);
    der_wrap(writer, DER_SEQUENCE, mark); /* Extension */
}

void common_name_put(struct der_writer *writer, struct span text)
{
    size_t mark = der_written(writer);
    der_put_element(writer, DER_UTF8_STRING, text.data, text.len);
    der_put_element(writer, DER_OID, oid_common_name, sizeof oid_common_name - 1);
    der_wrap(writer, DER_SEQUENCE, mark);
    der_wrap(writer, DER_SET, mark);
}
