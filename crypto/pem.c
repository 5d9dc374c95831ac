#include "pem.h"

#include <openssl/evp.h>
#include <string.h>

#define BEGIN_MARK "-----BEGIN "
#define END_MARK   "-----END "
#define DASHES     "-----"
#define LINE_BYTES 48 /* make 64 characters */

/* The offset of `mark`, or text.len when there is none. */
static size_t find(struct span text, const char *mark)
{
    const char *at = text.len > 0 ? memmem(text.data, text.len, mark, strlen(mark)) : NULL;
    return at != NULL ? (size_t)(at - text.data) : text.len;
}

enum pem_result pem_next(struct span *text, struct pem_block *ret_block)
{
    size_t begin = find(*text, BEGIN_MARK);
    if (begin == text->len)
        return PEM_NONE;
    struct span rest = span_from(*text, begin + strlen(BEGIN_MARK));
    size_t label_len = find(rest, DASHES);
    if (label_len == rest.len || label_len == 0 || label_len > 64)
        return PEM_BROKEN;
    struct span label = span_make(rest.data, label_len);
    rest = span_from(rest, label_len + strlen(DASHES));
    size_t body_len = find(rest, END_MARK);
    if (body_len == rest.len)
        return PEM_BROKEN;
    struct span body = span_make(rest.data, body_len);
    rest = span_from(rest, body_len + strlen(END_MARK));
    if (rest.len < label_len + strlen(DASHES) ||
        !span_equal(span_make(rest.data, label_len), label) ||
        memcmp(rest.data + label_len, DASHES, strlen(DASHES)) != 0)
        return PEM_BROKEN;
    *text = span_from(rest, label_len + strlen(DASHES));
    *ret_block = (struct pem_block){.label = label, .body = body};
    return PEM_FOUND;
}

static size_t pem_size(size_t label_len, size_t der_len)
{
    size_t lines = (der_len + LINE_BYTES - 1) / LINE_BYTES;
    return 2 * (label_len + strlen(DASHES) + 1) + strlen(BEGIN_MARK) + strlen(END_MARK) +
           (der_len + 2) / 3 * 4 + lines;
}

static char *put(char *at, const char *text, size_t len)
{
    memcpy(at, text, len);
    return at + len;
}

/* `at` has pem_size and one byte more. */
static void pem_write(char *at, struct span label, struct span der)
{
    at = put(at, BEGIN_MARK, strlen(BEGIN_MARK));
    at = put(at, label.data, label.len);
    at = put(at, DASHES "\n", strlen(DASHES) + 1);
    for (size_t offset = 0; offset < der.len; offset += LINE_BYTES) {
        size_t left = der.len - offset;
        int bytes = left < LINE_BYTES ? (int)left : LINE_BYTES;
        at += EVP_EncodeBlock((unsigned char *)at, (const unsigned char *)der.data + offset, bytes);
        *at++ = '\n';
    }
    at = put(at, END_MARK, strlen(END_MARK));
    at = put(at, label.data, label.len);
    at = put(at, DASHES "\n", strlen(DASHES) + 1);
    *at = '\0';
}

bool pem_append(struct buf *out, const char *label, struct span der)
{
    struct span text = span_of(label);
    size_t size = pem_size(text.len, der.len);
    char *at = buf_reserve(out, size);
    if (at == NULL)
        return false;
    pem_write(at, text, der);
    out->len += size;
    return true;
}

bool pem_secret(const char *label, struct span der, struct secret *ret_pem, struct error *error)
{
    struct span text = span_of(label);
    struct secret pem;
    TRY(secret_make(pem_size(text.len, der.len), &pem, error));
    pem_write(pem.data, text, der);
    *ret_pem = pem;
    return true;
}
