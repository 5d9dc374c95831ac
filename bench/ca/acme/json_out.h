/* JSON written straight into an answer's body: commas and escapes are seen to here. */
#ifndef CERTMILL_CA_ACME_JSON_OUT_H
#define CERTMILL_CA_ACME_JSON_OUT_H

#include "base/buf.h"

struct ca_out {
    struct buf *buf;
    bool comma;  /* the next value needs one before it */
    bool failed; /* no memory: what was written is worthless */
};

void ca_out_init(struct ca_out *out, struct buf *buf);
void ca_out_open(struct ca_out *out, char bracket); /* '{' or '[' */
void ca_out_close(struct ca_out *out, char bracket);
void ca_out_key(struct ca_out *out, const char *name);
void ca_out_text(struct ca_out *out, struct span text);
void ca_out_number(struct ca_out *out, int64_t number);
void ca_out_flag(struct ca_out *out, bool flag);
void ca_out_time(struct ca_out *out, int64_t unix_seconds); /* RFC 3339 */
void ca_out_raw(struct ca_out *out, struct span json);      /* is JSON already */
/* A string of at most 1023 bytes. */
void ca_out_printf(struct ca_out *out, const char *format, ...) PRINTF_LIKE(2, 3);

/* A member that is a string. */
void ca_out_pair(struct ca_out *out, const char *name, const char *text);

#endif
