/* Words as a POSIX shell splits them, without expanding anything: how the AWS CLI reads section
 * names and credential_process (Python's shlex.split). */
#ifndef CERTMILL_AWS_SHELL_WORDS_H
#define CERTMILL_AWS_SHELL_WORDS_H

#include "base/span.h"

#define SHELL_WORDS_MAX 64

/* Cuts `text` (of malloc; freed with the words) into at most SHELL_WORDS_MAX words, of which the
 * last is followed by NULL. */
struct shell_words {
    char *text;
    const char *words[SHELL_WORDS_MAX + 1];
    size_t count;
};

/* ERROR_CONFIG for a quotation mark that is not closed, a backslash at the end, too many words. */
bool shell_words_split(struct span text, struct shell_words *ret_words,
                       struct error *error) MUST_USE;
void shell_words_free(struct shell_words *words);

#endif
