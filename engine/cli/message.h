/* Messages of the program to the operator: lines on standard error. */
#ifndef CERTMILL_CLI_MESSAGE_H
#define CERTMILL_CLI_MESSAGE_H

#include "base/result.h"

/* "certmill: TEXT", control characters replaced. */
void message_text(const char *format, ...) PRINTF_LIKE(1, 2);
void message_error(const struct error *error);

/* For a command that reads and prints: the message, and how the program ends by it. What could not
 * be printed is no fault of usage or configuration. */
int message_ending(const struct error *error);

#endif
