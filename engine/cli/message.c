#include "cli/message.h"

#include "cli/command.h"
#include "report/format.h"

#include <stdarg.h>
#include <stdio.h>

void message_text(const char *format, ...)
{
    char text[4096];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fputs("certmill: ", stderr);
    format_printable(stderr, text);
    fputc('\n', stderr);
}

void message_error(const struct error *error)
{
    message_text("%s", error->text);
}

int message_ending(const struct error *error)
{
    message_error(error);
    return ferror(stdout) ? ENDING_SOME_FAILED : ENDING_USAGE;
}
