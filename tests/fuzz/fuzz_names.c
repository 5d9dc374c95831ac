/* Names of the manifest, URLs and e-mail addresses of the accounts file, and words of strangers
 * that are shown. */
#include "fuzz.h"

#include "acme/objects.h"
#include "base/printable.h"
#include "config/endpoint.h"
#include "config/names.h"

#include <string.h>

void fuzz_prepare(void)
{
}

/* Both kinds of names are quoted, and come out of the YAML reader, which has checked for UTF-8. */
static void refusal_is_shown(struct span input, const struct error *error)
{
    REQUIRE(error->kind == ERROR_CONFIG);
    if (span_is_utf8(input))
        fuzz_require_error(error);
}

/* What domain_read made is what domain_read takes, unchanged, and has a name for its folder. */
static void domain_is_settled(struct span input)
{
    struct domain domain;
    struct domain again;
    struct error error = {0};
    if (!domain_read(input, &domain, &error)) {
        refusal_is_shown(input, &error);
        return;
    }
    REQUIRE(domain.len > 0 && domain.len <= DOMAIN_MAX && strlen(domain.text) == domain.len);
    for (size_t i = 0; i < domain.len; i++)
        REQUIRE(domain.text[i] > ' ' && domain.text[i] < 0x7f && domain.text[i] != '/' &&
                !(domain.text[i] >= 'A' && domain.text[i] <= 'Z'));
    REQUIRE(domain_read(span_of(domain.text), &again, &error));
    REQUIRE(again.kind == domain.kind && strcmp(again.text, domain.text) == 0);
    char name[CERTIFICATE_NAME_MAX + 1];
    if (certificate_name_default(domain.text, name, &error))
        REQUIRE(certificate_name_check(span_of(name), &error));
    else
        fuzz_require_error(&error);
}

static void certificate_name_is_a_file_name(struct span input)
{
    struct error error = {0};
    if (!certificate_name_check(input, &error)) {
        refusal_is_shown(input, &error);
        return;
    }
    REQUIRE(input.len > 0 && input.len <= CERTIFICATE_NAME_MAX);
    REQUIRE(memchr(input.data, '/', input.len) == NULL && input.data[0] != '.');
}

static void urls_are_safe(struct span input)
{
    struct error error = {0};
    if (acme_url_check(input, &error)) {
        REQUIRE(input.len > strlen("http://") && input.len <= ACME_URL_MAX);
        for (size_t i = 0; i < input.len; i++)
            REQUIRE(input.data[i] > ' ' && input.data[i] < 0x7f);
    } else {
        fuzz_require_error(&error);
    }
    if (acme_token_check(input, &error))
        REQUIRE(input.len > 0 && memchr(input.data, '/', input.len) == NULL &&
                memchr(input.data, '.', input.len) == NULL);
    const char *problem = endpoint_problem(input);
    REQUIRE(problem != NULL || (input.len > 0 && input.len <= ENDPOINT_MAX));
    problem = email_problem(input);
    REQUIRE(problem != NULL || (input.len > 0 && input.len <= EMAIL_MAX));
}

static void words_are_printable(struct span input)
{
    static const size_t sizes[] = {4, 5, 17, 400};
    char text[400];
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t len = printable_copy(input, text, sizes[i]);
        REQUIRE(len < sizes[i] && strlen(text) == len);
        fuzz_require_line(text);
    }
}

void fuzz_input(struct span input)
{
    domain_is_settled(input);
    certificate_name_is_a_file_name(input);
    urls_are_safe(input);
    words_are_printable(input);
}
