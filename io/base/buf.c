#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_init(struct buf *buf, size_t limit)
{
    *buf = (struct buf){.limit = limit};
}

void buf_init_secret(struct buf *buf, size_t limit)
{
    *buf = (struct buf){.limit = limit, .secret = true};
}

void buf_free(struct buf *buf)
{
    if (buf->secret && buf->data != NULL)
        explicit_bzero(buf->data, buf->capacity);
    free(buf->data);
    buf->data = NULL;
    buf->len = buf->capacity = 0;
}

void buf_clear(struct buf *buf)
{
    if (buf->secret && buf->data != NULL)
        explicit_bzero(buf->data, buf->capacity);
    buf->len = 0;
    if (buf->data != NULL)
        buf->data[0] = '\0';
}

/* realloc would leave a copy of a secret behind in freed memory. */
static char *secret_grow(const struct buf *buf, size_t capacity)
{
    char *data = malloc(capacity);
    if (data == NULL)
        return NULL;
    if (buf->data != NULL) {
        memcpy(data, buf->data, buf->len);
        explicit_bzero(buf->data, buf->capacity);
        free(buf->data);
    }
    return data;
}

char *buf_reserve(struct buf *buf, size_t more)
{
    if (buf->len > buf->limit || more > buf->limit - buf->len)
        return NULL;
    size_t need = buf->len + more + 1;
    if (need > buf->capacity) {
        size_t capacity = buf->capacity < 64 ? 64 : buf->capacity;
        while (capacity < need)
            capacity += capacity / 2;
        if (capacity > buf->limit + 1)
            capacity = buf->limit + 1;
        char *data = buf->secret ? secret_grow(buf, capacity) : realloc(buf->data, capacity);
        if (data == NULL)
            return NULL;
        buf->data = data;
        buf->capacity = capacity;
        buf->data[buf->len] = '\0';
    }
    return buf->data + buf->len;
}

bool buf_append(struct buf *buf, const void *data, size_t len)
{
    char *at = buf_reserve(buf, len);
    if (at == NULL)
        return false;
    if (len > 0)
        memcpy(at, data, len);
    at[len] = '\0';
    buf->len += len;
    return true;
}

bool buf_append_span(struct buf *buf, struct span span)
{
    return buf_append(buf, span.data, span.len);
}

bool buf_append_text(struct buf *buf, const char *text)
{
    return buf_append(buf, text, strlen(text));
}

bool buf_append_char(struct buf *buf, char c)
{
    return buf_append(buf, &c, 1);
}

bool buf_printf(struct buf *buf, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int need = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (need < 0)
        return false;
    char *at = buf_reserve(buf, (size_t)need);
    if (at == NULL)
        return false;
    va_start(arguments, format);
    vsnprintf(at, (size_t)need + 1, format, arguments);
    va_end(arguments);
    buf->len += (size_t)need;
    return true;
}

const char *buf_text(const struct buf *buf)
{
    return buf->data != NULL ? buf->data : "";
}

struct span buf_span(const struct buf *buf)
{
    return (struct span){.data = buf_text(buf), .len = buf->len};
}
