#include "aws/shell_words.h"

#include <stdlib.h>
#include <string.h>

struct splitter {
    const char *in, *end;
    char *out;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Copies up to the closing mark. Inside double ones a backslash stands before itself and them. */
static bool quoted_take(struct splitter *splitter, char quote)
{
    for (; splitter->in < splitter->end; splitter->in++) {
        char c = *splitter->in;
        if (c == quote) {
            splitter->in++;
            return true;
        }
        if (c == '\\' && quote == '"' && splitter->in + 1 < splitter->end &&
            (splitter->in[1] == '"' || splitter->in[1] == '\\'))
            c = *++splitter->in;
        *splitter->out++ = c;
    }
    return false;
}

static bool word_take(struct splitter *splitter, struct error *error)
{
    while (splitter->in < splitter->end && !is_blank(*splitter->in)) {
        char c = *splitter->in++;
        if (c == '"' || c == '\'') {
            if (!quoted_take(splitter, c))
                return error_set(error, ERROR_CONFIG, "a quotation mark is not closed");
        } else if (c == '\\' && splitter->in == splitter->end) {
            return error_set(error, ERROR_CONFIG, "a backslash at the end");
        } else {
            *splitter->out++ = c == '\\' ? *splitter->in++ : c;
        }
    }
    *splitter->out++ = '\0';
    return true;
}

static bool words_take(struct splitter *splitter, struct shell_words *words, struct error *error)
{
    for (;;) {
        while (splitter->in < splitter->end && is_blank(*splitter->in))
            splitter->in++;
        if (splitter->in == splitter->end)
            return true;
        if (words->count == SHELL_WORDS_MAX)
            return error_set(error, ERROR_CONFIG, "more than %d words", SHELL_WORDS_MAX);
        words->words[words->count++] = splitter->out;
        TRY(word_take(splitter, error));
    }
}

bool shell_words_split(struct span text, struct shell_words *ret_words, struct error *error)
{
    /* A word is never longer than it stands there, and the NUL takes the blank's place. */
    struct shell_words words = {.text = malloc(text.len + 1)};
    if (words.text == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a command");
    const char *in = text.len > 0 ? text.data : "";
    struct splitter splitter = {in, in + text.len, words.text};
    if (!words_take(&splitter, &words, error)) {
        free(words.text);
        return false;
    }
    *ret_words = words;
    return true;
}

void shell_words_free(struct shell_words *words)
{
    free(words->text);
    *words = (struct shell_words){0};
}
