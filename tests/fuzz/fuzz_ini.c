/* io/ini: ~/.aws/config and ~/.aws/credentials, and the words of section names and commands. */
#include "fuzz.h"

#include "aws/shell_words.h"
#include "io/ini.h"

#include <string.h>

void fuzz_prepare(void)
{
}

static void section_is_checked(const struct ini *ini, size_t section)
{
    const char *name = ini_section_name(ini, section);
    REQUIRE(strlen(name) > 0 && ini_section_line(ini, section) > 0);
    for (size_t i = 0; i < section; i++)
        REQUIRE(strcmp(ini_section_name(ini, i), name) != 0);
    const char *value = ini_value(ini, section, "s3");
    struct span nested = ini_nested(value, "endpoint_url");
    if (nested.data != NULL)
        fuzz_require_inside(nested, span_of(value));
    REQUIRE(ini_value(ini, section, "S3") == NULL);
}

static void words_are_split(struct span text)
{
    struct shell_words words;
    struct error error;
    if (!shell_words_split(text, &words, &error)) {
        fuzz_require_error(&error);
        return;
    }
    REQUIRE(words.count <= SHELL_WORDS_MAX && words.words[words.count] == NULL);
    size_t len = 0;
    for (size_t i = 0; i < words.count; i++)
        len += strlen(words.words[i]) + 1;
    REQUIRE(len <= text.len + 1);
    shell_words_free(&words);
}

void fuzz_input(struct span input)
{
    struct ini *ini;
    struct error error;
    words_are_split(input);
    if (!ini_read_text(input, "config", &ini, &error)) {
        fuzz_require_error(&error);
        REQUIRE(strncmp(error.text, "config:", 7) == 0);
        return;
    }
    for (size_t i = 0; i < ini_section_count(ini); i++)
        section_is_checked(ini, i);
    ini_free(ini);
}
