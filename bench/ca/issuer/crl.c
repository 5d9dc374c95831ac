/* Lists of revoked certificates, RFC 5280 section 5. */
#include "internal.h"

#include "base/clock.h"
#include "signed_der.h"

#include <stdlib.h>

#define ENTRY_MAX (ISSUER_SERIAL_MAX + 64)
#define FRAME_MAX 1024
#define CRL_DAYS  7

/* CRLNumber ::= INTEGER; the time grows from one list to the next. */
static void put_number(struct der_writer *writer, int64_t now)
{
    unsigned char number[8];
    for (size_t i = 0; i < sizeof number; i++)
        number[i] = (unsigned char)((uint64_t)now >> 8 * (sizeof number - 1 - i));
    size_t mark = der_written(writer);
    der_put_unsigned(writer, number, sizeof number);
    extension_wrap(writer, OID_CRL_NUMBER, false, mark);
}

static void put_entry(struct der_writer *writer, const struct revoked *revoked)
{
    size_t mark = der_written(writer);
    if (revoked->reason != 0) { /* "unspecified" is left out, section 5.3.1 */
        unsigned char reason = (unsigned char)revoked->reason;
        der_put_element(writer, 0x0a, &reason, 1); /* ENUMERATED */
        extension_wrap(writer, OID_REASON_CODE, false, mark);
        der_wrap(writer, DER_SEQUENCE, mark);
    }
    der_put_time(writer, revoked->at);
    der_put_element(writer, DER_INTEGER, revoked->serial, revoked->serial_len);
    der_wrap(writer, DER_SEQUENCE, mark);
}

/* TBSCertList */
static void put_list(struct der_writer *writer, const struct authority *authority,
                     const struct revoked *revoked, size_t count, int64_t now)
{
    static const unsigned char version_2 = 1;
    struct span algorithm = signature_algorithm_of(authority->spec)->identifier;
    put_number(writer, now);
    extension_put_issuer_key_id(writer, authority->key_id);
    der_wrap(writer, DER_SEQUENCE, 0);
    der_wrap(writer, DER_CONTEXT_CONSTRUCTED(0), 0);
    size_t mark = der_written(writer);
    for (size_t i = count; i-- > 0;)
        put_entry(writer, &revoked[i]);
    if (count > 0) /* an empty list is left out, section 5.1.2.6 */
        der_wrap(writer, DER_SEQUENCE, mark);
    der_put_time(writer, now + (int64_t)CRL_DAYS * SECONDS_PER_DAY);
    der_put_time(writer, now);
    der_put(writer, authority->name, authority->name_len);
    der_put(writer, algorithm.data, algorithm.len);
    der_put_element(writer, DER_INTEGER, &version_2, 1);
    der_wrap(writer, DER_SEQUENCE, 0);
}

bool issuer_crl(struct issuer *issuer, unsigned intermediate, const struct revoked *revoked,
                size_t count, int64_t now, struct buf *der, struct error *error)
{
    if (intermediate >= issuer->count)
        return error_set(error, ERROR_NOT_FOUND, "there is no such intermediate");
    const struct authority *authority = &issuer->intermediates[intermediate].authority;
    size_t size = FRAME_MAX + count * ENTRY_MAX;
    /* Not in the tools' frame, which would stay as large as the largest list. */
    unsigned char *frame = malloc(size);
    struct tools *tools = tools_take(&issuer->shop);
    bool ok = frame != NULL && tools != NULL;
    if (ok) {
        struct der_writer writer;
        der_writer_init(&writer, frame, size);
        put_list(&writer, authority, revoked, count, now);
        ok = authority_sign(issuer, tools, authority, &writer, der, error);
    } else {
        error_set(error, ERROR_MEMORY, "no memory for a list of revoked certificates");
    }
    if (tools != NULL)
        tools_give(&issuer->shop, tools);
    free(frame);
    return ok;
}
