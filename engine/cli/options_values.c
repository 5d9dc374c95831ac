/* The values of options, each checked for what it may be. */
#include "cli/options_parser.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define IN_FLIGHT_MAX 100000
#define WORKERS_MAX   64
#define CRYPTO_MAX    1024
#define REQUESTS_MAX  1000000.0
#define PATH_TEXT_MAX 4095

bool parser_error(struct parser *parser, const char *format, ...)
{
    char text[ERROR_TEXT_MAX / 2];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    const struct command *command = parser->options.command;
    if (command == NULL)
        return error_set(parser->error, ERROR_CONFIG, "%s (see \"certmill --help\")", text);
    return error_set(parser->error, ERROR_CONFIG, "%s: %s (see \"certmill %s --help\")",
                     command->name, text, command->name);
}

static bool value_path(struct parser *parser, const struct option_spec *spec, const char *value,
                       const char **ret_path)
{
    if (value[0] == '\0')
        return parser_error(parser, "--%s is empty", spec->name);
    if (strlen(value) > PATH_TEXT_MAX)
        return parser_error(parser, "--%s is longer than %d bytes", spec->name, PATH_TEXT_MAX);
    *ret_path = value;
    return true;
}

static bool value_number(struct parser *parser, const struct option_spec *spec, const char *value,
                         unsigned max, unsigned *ret_number)
{
    uint64_t number;
    if (!span_to_u64(span_of(value), max, &number) || number == 0)
        return parser_error(parser, "--%s is \"%.40s\", not a whole number from 1 to %u",
                            spec->name, value, max);
    *ret_number = (unsigned)number;
    return true;
}

static bool value_rate(struct parser *parser, const struct option_spec *spec, const char *value,
                       double *ret_rate)
{
    /* strtod alone would take "inf", "nan", "0x1p3" and blanks. */
    char *end = NULL;
    double rate = -1;
    if (value[0] != '\0' && strspn(value, "0123456789.") == strlen(value))
        rate = strtod(value, &end);
    if (end == NULL || end == value || *end != '\0' || rate > REQUESTS_MAX)
        return parser_error(parser, "--%s is \"%.40s\", not a number from 0 to %.0f", spec->name,
                            value, REQUESTS_MAX);
    *ret_rate = rate;
    return true;
}

/* Which of the NULL-terminated words the value is. */
static bool value_word(struct parser *parser, const struct option_spec *spec, const char *value,
                       const char *const *words, unsigned *ret_index)
{
    char allowed[128] = "";
    size_t len = 0;
    for (unsigned i = 0; words[i] != NULL; i++) {
        if (strcmp(words[i], value) == 0) {
            *ret_index = i;
            return true;
        }
        const char *separator = i == 0 ? "" : words[i + 1] != NULL ? ", " : " or ";
        len += (size_t)snprintf(allowed + len, sizeof allowed - len, "%s%s", separator, words[i]);
    }
    (void)parser_error(parser, "--%s is \"%.40s\", not %s", spec->name, value, allowed);
    return false;
}

static bool value_progress(struct parser *parser, const struct option_spec *spec, const char *value)
{
    static const char *const words[] = {"auto", "always", "never", NULL};
    static const enum progress_mode modes[] = {PROGRESS_AUTO, PROGRESS_ALWAYS, PROGRESS_NEVER};
    unsigned index;
    TRY(value_word(parser, spec, value, words, &index));
    parser->options.progress = modes[index];
    return true;
}

static bool value_io(struct parser *parser, const struct option_spec *spec, const char *value)
{
    static const char *const words[] = {"auto", "ring", "sync", NULL};
    static const enum store_mode modes[] = {STORE_AUTO, STORE_RING, STORE_SYNC};
    unsigned index;
    TRY(value_word(parser, spec, value, words, &index));
    parser->options.io = modes[index];
    return true;
}

static bool value_account_key(struct parser *parser, const struct option_spec *spec,
                              const char *value)
{
    static const char *const words[] = {"ES256", "ES384", "RS256", NULL};
    static const struct key_spec keys[] = {{KEY_ECDSA, 256}, {KEY_ECDSA, 384}, {KEY_RSA, 2048}};
    unsigned index;
    TRY(value_word(parser, spec, value, words, &index));
    parser->options.account_key = keys[index];
    return true;
}

static bool value_crypto(struct parser *parser, const struct option_spec *spec, const char *value)
{
    unsigned index;
    TRY(value_word(parser, spec, value, crypto_way_words, &index));
    parser->options.crypto = (enum crypto_way)index;
    parser->options.crypto_given = true;
    return true;
}

static bool value_provider(struct parser *parser, const struct option_spec *spec, const char *value)
{
    struct command_options *options = &parser->options;
    if (options->provider_count == OPTIONS_PROVIDERS_MAX)
        return parser_error(parser, "more than %d --%s", OPTIONS_PROVIDERS_MAX, spec->name);
    TRY(value_path(parser, spec, value, &options->providers[options->provider_count]));
    options->provider_count++;
    return true;
}

static bool value_challenge(struct parser *parser, const struct option_spec *spec,
                            const char *value)
{
    static const char *const words[] = {"none", "http-01", "dns-01", "tls-alpn-01", NULL};
    unsigned index;
    TRY(value_word(parser, spec, value, words, &index));
    parser->options.challenge = words[index];
    return true;
}

static bool value_key(struct parser *parser, const struct option_spec *spec, const char *value)
{
    static const char *const words[] = {"RSA-2048", "RSA-3072", "RSA-4096", "P-256",
                                        "P-384",    "P-521",    NULL};
    static const char *const sizes[] = {"2048", "3072", "4096", "256", "384", "521"};
    unsigned index;
    TRY(value_word(parser, spec, value, words, &index));
    parser->options.key_type = words[index][0] == 'R' ? "RSA" : "ECDSA";
    parser->options.key_size = sizes[index];
    return true;
}

bool parser_take(struct parser *parser, const struct option_spec *spec, const char *value)
{
    struct command_options *options = &parser->options;
    switch (spec->id) {
    case OPTION_ACCOUNTS:
        return value_path(parser, spec, value, &options->accounts_file);
    case OPTION_STATE:
        return value_path(parser, spec, value, &options->state_folder);
    case OPTION_MANIFEST:
        return value_path(parser, spec, value, &options->manifest);
    case OPTION_CA_FILE:
        return value_path(parser, spec, value, &options->ca_file);
    case OPTION_ONLY:
        return value_path(parser, spec, value, &options->only);
    case OPTION_ACCOUNT:
        return value_path(parser, spec, value, &options->account);
    case OPTION_DOMAINS:
        return value_path(parser, spec, value, &options->domains);
    case OPTION_NAME:
        return value_path(parser, spec, value, &options->name);
    case OPTION_ARN:
        return value_path(parser, spec, value, &options->arn);
    case OPTION_PROFILE:
        return value_path(parser, spec, value, &options->profile);
    case OPTION_REGION:
        return value_path(parser, spec, value, &options->region);
    case OPTION_REASON:
        return value_path(parser, spec, value, &options->reason);
    case OPTION_CHALLENGE:
        return value_challenge(parser, spec, value);
    case OPTION_KEY:
        return value_key(parser, spec, value);
    case OPTION_NO_IMPORT:
        options->no_import = true;
        return true;
    case OPTION_EVENTS:
        return value_path(parser, spec, value, &options->events);
    case OPTION_PROPERTY_QUERY:
        return value_path(parser, spec, value, &options->property_query);
    case OPTION_OPENSSL_CONFIG:
        return value_path(parser, spec, value, &options->openssl_config);
    case OPTION_CRYPTO:
        return value_crypto(parser, spec, value);
    case OPTION_PROVIDER:
        return value_provider(parser, spec, value);
    case OPTION_PROGRESS:
        return value_progress(parser, spec, value);
    case OPTION_IO:
        return value_io(parser, spec, value);
    case OPTION_ACCOUNT_KEY:
        return value_account_key(parser, spec, value);
    case OPTION_IN_FLIGHT:
        return value_number(parser, spec, value, IN_FLIGHT_MAX, &options->in_flight);
    case OPTION_WORKERS:
        return value_number(parser, spec, value, WORKERS_MAX, &options->workers);
    case OPTION_CRYPTO_THREADS:
        return value_number(parser, spec, value, CRYPTO_MAX, &options->crypto_threads);
    case OPTION_REQUESTS_PER_SECOND:
        return value_rate(parser, spec, value, &options->requests_per_second);
    case OPTION_ALL:
        options->all = true;
        return true;
    case OPTION_FORCE:
        options->force = true;
        return true;
    case OPTION_JSON:
        options->json = true;
        return true;
    case OPTION_QUIET:
        options->quiet = true;
        return true;
    case OPTION_HELP:
        options->wish = WISH_HELP;
        return true;
    }
    return parser_error(parser, "--%s has no meaning here", spec->name);
}
