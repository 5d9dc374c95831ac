#include "certificate_der.h"

#include "base/base64.h"
#include "base/printable.h"
#include "crypto/crl.h"
#include "der.h"
#include "key_der.h"
#include "pem.h"

#include <arpa/inet.h>
#include <string.h>

#define SERIAL_BYTES_MAX 32

/* Takes bytes as UTF-8 characters into a text of a fixed size. */
struct text_writer {
    char *text;
    size_t len;
    size_t size;
    bool full;
};

static void text_put(struct text_writer *writer, uint32_t character)
{
    /* The text ends up on terminals and in logs. */
    if (!printable_is_shown(character))
        character = '?';
    char bytes[4];
    size_t len = 1;
    if (character < 0x80) {
        bytes[0] = (char)character;
    } else if (character < 0x800) {
        bytes[0] = (char)(0xc0 | character >> 6);
        bytes[1] = (char)(0x80 | (character & 0x3f));
        len = 2;
    } else {
        if (character >= 0xd800 && character < 0xe000)
            character = 0xfffd; /* half of a surrogate pair */
        bytes[0] = (char)(0xe0 | character >> 12);
        bytes[1] = (char)(0x80 | (character >> 6 & 0x3f));
        bytes[2] = (char)(0x80 | (character & 0x3f));
        len = 3;
    }
    if (writer->full || writer->len + len >= writer->size) {
        writer->full = true;
        return;
    }
    memcpy(writer->text + writer->len, bytes, len);
    writer->len += len;
}

/* Well-formed UTF-8. Characters of four bytes are all shown. */
static void text_put_utf8(struct text_writer *writer, struct span value)
{
    size_t at = 0;
    while (at < value.len && !writer->full) {
        const unsigned char *bytes = (const unsigned char *)value.data + at;
        size_t len = bytes[0] < 0x80 ? 1 : bytes[0] < 0xe0 ? 2 : bytes[0] < 0xf0 ? 3 : 4;
        if (len == 1) {
            text_put(writer, bytes[0]);
        } else if (len == 2) {
            text_put(writer, (bytes[0] & 0x1fU) << 6 | (bytes[1] & 0x3fU));
        } else if (len == 3) {
            text_put(writer,
                     (bytes[0] & 0xfU) << 12 | (bytes[1] & 0x3fU) << 6 | (bytes[2] & 0x3fU));
        } else if (writer->len + len >= writer->size) {
            writer->full = true;
        } else {
            memcpy(writer->text + writer->len, bytes, len);
            writer->len += len;
        }
        at += len;
    }
}

static void text_from_value(unsigned tag, struct span value, char *text, size_t size)
{
    struct text_writer writer = {.text = text, .size = size};
    if (tag == DER_BMP_STRING) {
        for (size_t i = 0; i + 1 < value.len; i += 2)
            text_put(&writer, (uint32_t)((unsigned char)value.data[i] << 8 |
                                         (unsigned char)value.data[i + 1]));
    } else if (tag != DER_TELETEX_STRING && span_is_utf8(value)) {
        text_put_utf8(&writer, value);
    } else {
        /* Teletex strings hold Latin-1 in practice; so does what only says it were UTF-8. */
        for (size_t i = 0; i < value.len; i++)
            text_put(&writer, (unsigned char)value.data[i]);
    }
    text[writer.len] = '\0';
}

void certificate_name_text(struct span name, bool only_common_name, char *text, size_t size)
{
    struct span organization = {0};
    unsigned organization_tag = 0;
    struct span set;
    struct span pair;
    struct span oid;
    struct span value;
    unsigned tag;
    struct span sets = {0};
    text[0] = '\0';
    if (!der_take(&name, DER_SEQUENCE, &sets))
        return;
    while (der_take(&sets, DER_SET, &set)) {
        while (der_take(&set, DER_SEQUENCE, &pair)) {
            if (!der_take(&pair, DER_OID, &oid) || !der_next(&pair, &tag, &value))
                return;
            if (span_equal(oid, SPAN_LITERAL("\x55\x04\x03"))) {
                text_from_value(tag, value, text, size);
                return;
            }
            if (organization.data == NULL && span_equal(oid, SPAN_LITERAL("\x55\x04\x0a"))) {
                organization = value;
                organization_tag = tag;
            }
        }
    }
    if (!only_common_name && organization.data != NULL)
        text_from_value(organization_tag, organization, text, size);
}

/* SubjectPublicKeyInfo ::= SEQUENCE { SEQUENCE { algorithm, parameters }, BIT STRING } */
static bool key_read(struct span public_key, struct key_spec *ret_spec)
{
    struct span algorithm;
    struct span oid;
    struct span bits;
    struct span curve;
    struct span fields;
    TRY(der_take(&public_key, DER_SEQUENCE, &fields));
    TRY(der_take(&fields, DER_SEQUENCE, &algorithm));
    TRY(der_take(&fields, DER_BIT_STRING, &bits));
    TRY(bits.len > 1 && bits.data[0] == 0);
    TRY(der_take(&algorithm, DER_OID, &oid));
    if (span_equal(oid, SPAN_LITERAL("\x2a\x86\x48\xce\x3d\x02\x01"))) {
        static const unsigned sizes[] = {256, 384, 521};
        TRY(der_take(&algorithm, DER_OID, &curve));
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            struct key_spec spec = {.type = KEY_ECDSA, .bits = sizes[i]};
            if (span_equal(curve, key_curve_oid(spec))) {
                *ret_spec = spec;
                return true;
            }
        }
        return false;
    }
    TRY(span_equal(oid, SPAN_LITERAL("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01")));
    struct span pair;
    struct span modulus;
    bits = span_from(bits, 1);
    TRY(der_take(&bits, DER_SEQUENCE, &pair));
    TRY(der_take(&pair, DER_INTEGER, &modulus));
    while (modulus.len > 0 && modulus.data[0] == 0)
        modulus = span_from(modulus, 1);
    TRY(modulus.len > 0 && modulus.len < 4096);
    unsigned size = (unsigned)(modulus.len - 1) * 8;
    for (unsigned char top = (unsigned char)modulus.data[0]; top != 0; top >>= 1)
        size++;
    struct key_spec spec = {.type = KEY_RSA, .bits = size};
    TRY(key_spec_is_valid(spec));
    *ret_spec = spec;
    return true;
}

static void serial_text(struct span serial, char *text)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < serial.len; i++) {
        *text++ = digits[(unsigned char)serial.data[i] >> 4];
        *text++ = digits[(unsigned char)serial.data[i] & 15];
    }
    *text = '\0';
}

/* AuthorityKeyIdentifier ::= SEQUENCE { keyIdentifier [0] OPTIONAL, ... } */
static void ari_text(const struct certificate_parts *parts, char *text, size_t size)
{
    struct span fields = parts->authority_key_id;
    struct span identifier;
    text[0] = '\0';
    if (!der_take(&fields, DER_CONTEXT(0), &identifier) || identifier.len == 0)
        return;
    struct buf out CLEANUP(buf_free);
    buf_init(&out, size - 1);
    if (base64url_append(&out, identifier.data, identifier.len) && buf_append_char(&out, '.') &&
        base64url_append(&out, parts->serial.data, parts->serial.len))
        memcpy(text, out.data, out.len + 1);
}

bool certificate_name_next(struct span *names, char *text)
{
    unsigned tag;
    struct span name;
    while (der_next(names, &tag, &name)) {
        if (tag == DER_CONTEXT(7) && (name.len == 4 || name.len == 16)) {
            inet_ntop(name.len == 4 ? AF_INET : AF_INET6, name.data, text, CERTIFICATE_NAME_TEXT);
            return true;
        }
        if (tag != DER_CONTEXT(2) || name.len == 0 || name.len >= CERTIFICATE_NAME_TEXT)
            continue;
        /* A name with blanks, controls or a NUL in it names no host; cut at its NUL it might. */
        size_t i = 0;
        for (; i < name.len && name.data[i] > ' ' && name.data[i] < 0x7f; i++)
            text[i] = (char)(name.data[i] >= 'A' && name.data[i] <= 'Z' ? name.data[i] | 0x20
                                                                        : name.data[i]);
        text[i] = '\0';
        if (i == name.len)
            return true;
    }
    return false;
}

/* Counts the names, and sees that the list is whole. */
static bool names_count(struct span names, size_t *ret_count, struct error *error)
{
    char text[CERTIFICATE_NAME_TEXT];
    size_t count = 0;
    struct span rest = names;
    unsigned tag;
    struct span name;
    while (rest.len > 0)
        if (!der_next(&rest, &tag, &name))
            return error_set(error, ERROR_PROTOCOL,
                             "the certificate is damaged: its subject alternative names");
    while (certificate_name_next(&names, text))
        if (++count > CERTIFICATE_NAMES_MAX)
            return error_set(error, ERROR_LIMIT, "the certificate has more than %d names",
                             CERTIFICATE_NAMES_MAX);
    *ret_count = count;
    return true;
}

/* CRLDistributionPoints ::= SEQUENCE OF DistributionPoint { [0] { fullName [0] GeneralNames },
 * reasons [1], cRLIssuer [2] }, RFC 5280 section 4.2.1.13. A point with a cRLIssuer is of an
 * indirect list, which is another's to sign. */
static struct span crl_url_find(struct span value)
{
    struct span points;
    struct span point;
    struct span name;
    struct span names;
    struct span url;
    unsigned tag;
    if (!der_take(&value, DER_SEQUENCE, &points))
        return (struct span){0};
    while (der_take(&points, DER_SEQUENCE, &point)) {
        if (!der_take(&point, DER_CONTEXT_CONSTRUCTED(0), &name) ||
            !der_take(&name, DER_CONTEXT_CONSTRUCTED(0), &names))
            continue;
        der_skip(&point, DER_CONTEXT(1));
        if (point.len > 0)
            continue;
        while (der_next(&names, &tag, &url))
            if (tag == DER_CONTEXT(6) && crl_url_is_usable(url))
                return url;
    }
    return (struct span){0};
}

bool certificate_info_from(const struct certificate_parts *parts, struct certificate_info *ret_info,
                           struct error *error)
{
    if (parts->serial.len > SERIAL_BYTES_MAX)
        return error_set(error, ERROR_LIMIT, "a serial number of %zu bytes, the limit is %d",
                         parts->serial.len, SERIAL_BYTES_MAX);
    size_t count = 0;
    TRY(names_count(parts->names, &count, error));
    struct certificate_info info = {.not_before = parts->not_before,
                                    .not_after = parts->not_after,
                                    .names = parts->names,
                                    .name_count = count,
                                    .crl_url = crl_url_find(parts->crl_points),
                                    .issuer_name = parts->issuer,
                                    .issuer_key_id = parts->authority_key_id,
                                    .serial_bytes = parts->serial};
    info.key_known = key_read(parts->public_key, &info.key);
    serial_text(parts->serial, info.serial);
    certificate_name_text(parts->issuer, false, info.issuer, sizeof info.issuer);
    ari_text(parts, info.ari_id, sizeof info.ari_id);
    *ret_info = info;
    return true;
}

bool certificate_read(struct span pem, struct buf *der, struct certificate_info *ret_info,
                      struct error *error)
{
    struct pem_block block = {0};
    struct certificate_parts parts;
    enum pem_result result;
    do {
        result = pem_next(&pem, &block);
    } while (result == PEM_FOUND && !span_is(block.label, "CERTIFICATE"));
    if (result == PEM_NONE)
        return error_set(error, ERROR_PROTOCOL, "there is no certificate in PEM form");
    buf_clear(der);
    if (result == PEM_BROKEN || !base64_decode_lenient(block.body, der))
        return error_set(error, ERROR_PROTOCOL, "the certificate's PEM is damaged or too large");
    TRY(certificate_walk(buf_span(der), &parts, error));
    return certificate_info_from(&parts, ret_info, error);
}
