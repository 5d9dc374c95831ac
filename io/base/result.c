#include "base/result.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

PRINTF_LIKE(2, 0) static void text_format(char *text, const char *format, va_list arguments)
{
    int written = vsnprintf(text, ERROR_TEXT_MAX, format, arguments);
    if (written >= ERROR_TEXT_MAX)
        memcpy(text + ERROR_TEXT_MAX - 4, "...", 4);
}

bool error_set(struct error *error, enum error_kind kind, const char *format, ...)
{
    if (error == NULL)
        return false;
    /* An argument may be this error's own text, so format apart. */
    char text[ERROR_TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    text_format(text, format, arguments);
    va_end(arguments);
    error->kind = kind;
    error->sys = 0;
    memcpy(error->text, text, sizeof text);
    return false;
}

bool error_system(struct error *error, int system_error, const char *format, ...)
{
    if (error == NULL)
        return false;
    char text[ERROR_TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    text_format(text, format, arguments);
    va_end(arguments);
    error_set(error, ERROR_SYSTEM, "%s: %s", text, strerrordesc_np(system_error));
    error->sys = system_error;
    return false;
}

bool error_prefix(struct error *error, const char *format, ...)
{
    if (error == NULL)
        return false;
    char text[ERROR_TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    text_format(text, format, arguments);
    va_end(arguments);
    int system_error = error->sys;
    error_set(error, error->kind, "%s%s", text, error->text);
    error->sys = system_error;
    return false;
}

const char *error_kind_name(enum error_kind kind)
{
    static const char *const names[] = {
        [ERROR_NONE] = "none",
        [ERROR_CONFIG] = "config",
        [ERROR_MEMORY] = "memory",
        [ERROR_SYSTEM] = "system",
        [ERROR_NETWORK] = "network",
        [ERROR_PROTOCOL] = "protocol",
        [ERROR_CA] = "ca",
        [ERROR_CRYPTO] = "crypto",
        [ERROR_STATE] = "state",
        [ERROR_LIMIT] = "limit",
        [ERROR_NOT_FOUND] = "not-found",
        [ERROR_BUSY] = "busy",
        [ERROR_CANCELLED] = "cancelled",
    };
    return (size_t)kind < sizeof names / sizeof names[0] ? names[kind] : "unknown";
}
