#include "config/diagnostics.h"

#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

#define DIAGNOSTIC_TEXT_MAX 1024

void diagnostics_init(struct diagnostics *diagnostics)
{
    *diagnostics = (struct diagnostics){0};
    arena_init(&diagnostics->arena);
}

void diagnostics_free(struct diagnostics *diagnostics)
{
    arena_free(&diagnostics->arena);
    *diagnostics = (struct diagnostics){0};
}

PRINTF_LIKE(7, 0)
static void add(struct diagnostics *diagnostics, bool warning, const char *file, size_t line,
                size_t column, const char *field, const char *format, va_list arguments)
{
    size_t *counter = warning ? &diagnostics->warnings : &diagnostics->errors;
    bool is_kept = diagnostics->count < DIAGNOSTICS_MAX &&
                   (!warning || diagnostics->warnings < DIAGNOSTICS_WARNINGS_MAX);
    ++*counter;
    if (!is_kept)
        return;
    char place[64] = "";
    if (line > 0)
        snprintf(place, sizeof place, ":%zu:%zu", line, column);
    char message[DIAGNOSTIC_TEXT_MAX];
    vsnprintf(message, sizeof message, format, arguments);
    struct buf text;
    buf_init(&text, (size_t)DIAGNOSTIC_TEXT_MAX * 2);
    const char *kept = NULL;
    if (buf_printf(&text, "%s%s: %s%s%s%s", file, place, warning ? "warning: " : "",
                   field != NULL ? field : "", field != NULL ? ": " : "", message))
        kept = arena_text(&diagnostics->arena, buf_span(&text));
    buf_free(&text);
    diagnostics->items[diagnostics->count++] = (struct diagnostic){
        .warning = warning, .text = kept != NULL ? kept : "no memory for an error message"};
}

void diagnostics_error(struct diagnostics *diagnostics, const char *file, size_t line,
                       size_t column, const char *field, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add(diagnostics, false, file, line, column, field, format, arguments);
    va_end(arguments);
}

void diagnostics_warning(struct diagnostics *diagnostics, const char *file, size_t line,
                         size_t column, const char *field, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add(diagnostics, true, file, line, column, field, format, arguments);
    va_end(arguments);
}
