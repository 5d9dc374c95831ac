/* DER (X.690), as much as certificates and keys need: a reader that never leaves its span, and a
 * writer that fills a buffer from its end, so that lengths are known when they are written. */
#ifndef CERTMILL_CRYPTO_DER_H
#define CERTMILL_CRYPTO_DER_H

#include "base/span.h"

enum der_tag {
    DER_BOOLEAN = 0x01,
    DER_INTEGER = 0x02,
    DER_BIT_STRING = 0x03,
    DER_OCTET_STRING = 0x04,
    DER_NULL = 0x05,
    DER_OID = 0x06,
    DER_UTF8_STRING = 0x0c,
    DER_PRINTABLE_STRING = 0x13,
    DER_TELETEX_STRING = 0x14,
    DER_IA5_STRING = 0x16,
    DER_UTC_TIME = 0x17,
    DER_GENERALIZED_TIME = 0x18,
    DER_BMP_STRING = 0x1e,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
};
#define DER_CONTEXT(number)             (0x80U | (number)) /* primitive */
#define DER_CONTEXT_CONSTRUCTED(number) (0xa0U | (number))

/* Takes the next element off *rest. False at the end and on anything that is not DER: long tags,
 * indefinite or padded lengths, lengths past the end; *rest then stays as it was. */
bool der_next(struct span *rest, unsigned *ret_tag, struct span *ret_content) MUST_USE;

/* As der_next, for an element that must have this tag. */
bool der_take(struct span *rest, unsigned tag, struct span *ret_content) MUST_USE;

/* As der_take, but gives the whole element, with tag and length. */
bool der_take_whole(struct span *rest, unsigned tag, struct span *ret_element) MUST_USE;

/* Takes an element off only when it has this tag; true when it did. */
bool der_skip(struct span *rest, unsigned tag);

/* UTCTime or GeneralizedTime as RFC 5280 section 4.1.2.5 has them: with seconds, in UTC. */
bool der_time(unsigned tag, struct span content, int64_t *ret_unix) MUST_USE;

struct der_writer {
    unsigned char *start;
    unsigned char *at; /* what is written so far begins here */
    unsigned char *end;
    bool full; /* something did not fit: all that was written is worthless */
};

void der_writer_init(struct der_writer *writer, void *buffer, size_t size);

/* What is written so far, for der_wrap: an element's content ends where it began. */
size_t der_written(const struct der_writer *writer);

/* Everything is written from the last element to the first. */
void der_put(struct der_writer *writer, const void *bytes, size_t len);
/* Puts the tag and length of an element whose content is elsewhere. */
void der_put_header(struct der_writer *writer, unsigned tag, size_t len);
/* Puts tag and length before all that was written since `written` was der_written. */
void der_wrap(struct der_writer *writer, unsigned tag, size_t written);
void der_put_element(struct der_writer *writer, unsigned tag, const void *content, size_t len);
/* A UTCTime, from 2050 on a GeneralizedTime (RFC 5280 section 4.1.2.5). */
void der_put_time(struct der_writer *writer, int64_t unix_seconds);
/* An INTEGER from an unsigned big-endian number. */
void der_put_unsigned(struct der_writer *writer, const unsigned char *number, size_t len);

#endif
