/* Base64 (RFC 4648): section 5 without padding is what JOSE and ACME use. */
#ifndef CERTMILL_BASE_BASE64_H
#define CERTMILL_BASE_BASE64_H

#include "base/buf.h"

bool base64url_append(struct buf *out, const void *data, size_t len) MUST_USE;
bool base64_append(struct buf *out, const void *data, size_t len) MUST_USE; /* with padding */

/* Strict base64url: no padding, no blanks, zero trailing bits. Appends to `out`. */
bool base64url_decode(struct span text, struct buf *out) MUST_USE;

/* Takes either alphabet, padding or none, blanks and line ends: what people paste. Appends. */
bool base64_decode_lenient(struct span text, struct buf *out) MUST_USE;

#endif
