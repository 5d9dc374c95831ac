#include "ca/program/options.h"

#include "base/suggest.h"
#include "ca/program/values.h"
#include "ca/weather.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static bool take_config(struct program_options *options, const struct option_spec *spec,
                        const char *value, struct error *error);

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define AT(member)      offsetof(struct program_options, member)

/* In the order of --help; a heading stands before the first of its group. */
static const struct option_spec specs[] = {
    {"listen", "ADDRESS:PORT", "where the CA answers; port 0 is any (127.0.0.1:0)", take_text,
     AT(listen), 0},
    {"control", "ADDRESS:PORT", "control port, loopback only; see \"GET /\" there\n(127.0.0.1:0)",
     take_text, AT(control), 0},
    {"threads", "N", "server threads (1)", take_number, AT(threads), 64},
    {"config", "FILE.json",
     "options by their names here: {\"threads\": 2, \"no-tls\":\ntrue, \"eab\": [...], "
     "\"weather\": "
     "{...}}; options given\nlater win",
     take_config, 0, 0},
    {"weather", "FILE.json", "latency, faults, limits; see below", take_weather, 0, 0},
    {"seed", "N", "of the weather and of tokens: a run can be repeated", take_seed, 0, 0},
    {"prevalidated", NULL, "names are valid without a challenge", take_flag, AT(prevalidated), 0},
    {"always-valid", NULL, "challenges become valid without a look", take_flag, AT(always_valid),
     0},
    {"http-port", "N", "where http-01 is validated (80)", take_number, AT(http_port), 65535},
    {"tls-port", "N", "where tls-alpn-01 is validated (443)", take_number, AT(tls_port), 65535},
    {"dns", "ADDRESS:PORT", "DNS server to ask for addresses and dns-01 (the system's)", take_text,
     AT(dns), 0},
    {"resolve-all-to", "ADDRESS", "every name is at this address; DNS is asked for TXT only",
     take_text, AT(resolve_all_to), 0},
    {"eab", "ID:BASE64URLKEY",
     "an external account binding; with one, accounts need\none. Repeat "
     "for more",
     take_eab, 0, 0},
    {"eab-file", "FILE", "the same, one ID:BASE64URLKEY a line", take_eab_file, 0, 0},
    {"eab-once", NULL, "a binding is spent by its first account", take_flag, AT(eab_once), 0},
    {"reuse-authorizations", NULL, "a valid name need not be validated again", take_flag,
     AT(reuse_authorizations), 0},
    {"orders-list", NULL, "accounts have a list of orders (RFC 8555 section\n7.1.2.1)", take_flag,
     AT(orders_list), 0},
    {"terms", "URL", "terms of service that accounts have to agree to", take_text, AT(terms), 0},
    {"refuse", "NAME", "refuse this name and all below it; repeat for more", take_refused, 0, 0},
    {"names-max", "N", "most names of an order (100)", take_number, AT(names_max), 1000},
    {"key", "KIND",
     "of roots and intermediates: ecdsa-256 (default),\necdsa-384, ecdsa-521, "
     "rsa-2048, rsa-3072, rsa-4096",
     take_key, 0, 0},
    {"intermediates", "N", "that sign in turn (1)", take_number, AT(intermediates),
     ISSUER_INTERMEDIATES_MAX},
    {"chain-with-root", NULL, "chains end with the root", take_flag, AT(chain_with_root), 0},
    {"crl-url-base", "URL",
     "certificates point to URL/crl/N and URL/issuer/N, which\nthis CA serves; the port must be "
     "known "
     "for it",
     take_text, AT(crl_url_base), 0},
    {"lifetime", "DAYS", "of certificates (90)", take_number, AT(lifetime_days), 36500},
    {"profile", "NAME:DAYS", "offer a profile; repeat for more", take_profile, 0, 0},
    {"no-tls", NULL, "HTTP in the clear", take_flag, AT(no_tls), 0},
    {"http1-only", NULL, "do not offer HTTP/2", take_flag, AT(http1_only), 0},
    {"name", "NAME", "host in the directory's URL and in the server's\ncertificate (localhost)",
     take_text, AT(name), 0},
    {"root-file", "FILE", "write the root here, for --ca-file and --cacert", take_text,
     AT(root_file), 0},
    {"ready-fd", "N", "write the ready lines there, not to standard output", take_ready_fd, 0, 0},
    {"help", NULL, "this text", take_flag, AT(help), 0},
};

static const char head[] =
    "usage: certmill-ca [OPTION]...\n"
    "\n"
    "A load CA for benchmarks and tests: a whole ACME server (RFC 8555, RFC 9773) with its state\n"
    "in memory and keys made at the start, with latency, faults and rate limits as wished. Its\n"
    "certificates are of no value. Once it serves it writes\n"
    "\n"
    "  DIRECTORY=https://localhost:PORT/dir\n"
    "  CONTROL=http://127.0.0.1:PORT\n"
    "  CA_FILE=FILE                             (with --root-file)\n"
    "\n"
    "to standard output and closes it. SIGTERM and SIGINT end it.\n"
    "\n";

static const char tail[] =
    "\n"
    "Challenges are validated over the network unless --prevalidated or --always-valid is given.\n"
    "Exit codes: 0 ended by a signal, 1 failed, 2 wrong options or files.\n"
    "\n"
    "  certmill-ca --prevalidated --root-file /tmp/root.pem\n"
    "  certmill-ca --resolve-all-to 127.0.0.1 --http-port 5002 --weather storm.json --seed 7\n";

void program_options_help(FILE *out)
{
    fputs(head, out);
    for (size_t i = 0; i < COUNT_OF(specs); i++) {
        char word[48];
        snprintf(word, sizeof word, "--%s%s%s", specs[i].name, specs[i].argument != NULL ? " " : "",
                 specs[i].argument != NULL ? specs[i].argument : "");
        fprintf(out, "  %-28s  ", word);
        for (const char *at = specs[i].help; *at != '\0'; at++) {
            fputc(*at, out);
            if (*at == '\n')
                fprintf(out, "%32s", "");
        }
        fputc('\n', out);
    }
    fputs("\n", out);
    fputs(weather_help, out);
    fputs(tail, out);
}

static bool option_unknown(const char *name, struct error *error)
{
    for (size_t i = 0; i < COUNT_OF(specs); i++) {
        if (suggest_is_near(span_of(name), specs[i].name))
            return error_set(error, ERROR_CONFIG, "unknown option --%.60s, did you mean --%s?",
                             name, specs[i].name);
    }
    return error_set(error, ERROR_CONFIG, "unknown option --%.60s", name);
}

static const struct option_spec *spec_find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(specs); i++) {
        if (strcmp(specs[i].name, name) == 0)
            return &specs[i];
    }
    return NULL;
}

/* The configuration file. */

static bool member_take_one(struct program_options *options, const struct option_spec *spec,
                            const json_t *value, struct error *error)
{
    if (spec->argument == NULL) {
        if (!json_is_boolean(value))
            return error_set(error, ERROR_CONFIG, "%s: not true or false", spec->name);
        return json_is_false(value) || spec->take(options, spec, "", error);
    }
    char number[24];
    if (json_is_integer(value)) {
        snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
        return spec->take(options, spec, number, error);
    }
    if (!json_is_string(value))
        return error_set(error, ERROR_CONFIG, "%s: not a text or a whole number", spec->name);
    return spec->take(options, spec, json_string_value(value), error);
}

static bool member_take(struct program_options *options, const char *name, json_t *value,
                        struct error *error)
{
    const struct option_spec *spec = spec_find(name);
    if (spec == NULL || spec->take == take_config || strcmp(name, "help") == 0)
        return option_unknown(name, error);
    if (spec->take == take_weather && json_is_object(value)) {
        json_decref(options->weather);
        options->weather = json_incref(value);
        return true;
    }
    if (!json_is_array(value))
        return member_take_one(options, spec, value, error);
    for (size_t i = 0; i < json_array_size(value); i++)
        TRY(member_take_one(options, spec, json_array_get(value, i), error));
    return true;
}

static bool take_config(struct program_options *options, const struct option_spec *spec,
                        const char *value, struct error *error)
{
    CLEANUP(json_release) json_t *config = NULL;
    if (!object_file_read(value, &config, error))
        return error_prefix(error, "--%s: ", spec->name);
    const char *name;
    json_t *member;
    json_object_foreach(config, name, member)
    {
        if (!member_take(options, name, member, error))
            return error_prefix(error, "--%s: %.200s: ", spec->name, value);
    }
    return true;
}

/* The command line. */

static bool getopt_failed(int code, char **argv, struct error *error)
{
    if (code == ':')
        return error_set(error, ERROR_CONFIG, "%.60s needs a value", argv[optind - 1]);
    if (optopt != 0)
        return error_set(error, ERROR_CONFIG, "unknown option %.60s", argv[optind - 1]);
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(argv[optind - 1] + 2, "="),
             argv[optind - 1] + 2);
    return option_unknown(name, error);
}

static bool words_take(int argc, char **argv, struct program_options *options, struct error *error)
{
    struct option longs[COUNT_OF(specs) + 1] = {{0}};
    for (size_t i = 0; i < COUNT_OF(specs); i++)
        longs[i] =
            (struct option){.name = specs[i].name,
                            .has_arg = specs[i].argument != NULL ? required_argument : no_argument,
                            .val = 256 + (int)i};
    opterr = 0;
    optind = 0; /* glibc: begin anew */
    int code;
    while ((code = getopt_long(argc, argv, "+:h", longs, NULL)) != -1) {
        if (code == 'h') {
            options->help = true;
            continue;
        }
        if (code < 256)
            return getopt_failed(code, argv, error);
        const struct option_spec *spec = &specs[code - 256];
        TRY(spec->take(options, spec, optarg, error));
    }
    if (optind < argc)
        return error_set(error, ERROR_CONFIG, "unexpected \"%.60s\"", argv[optind]);
    return true;
}

static bool options_fit(const struct program_options *options, struct error *error)
{
    bool validates = options->http_port != 0 || options->tls_port != 0 || options->dns != NULL ||
                     options->resolve_all_to != NULL;
    if (options->prevalidated && options->always_valid)
        return error_set(error, ERROR_CONFIG,
                         "--prevalidated and --always-valid exclude each "
                         "other");
    if ((options->prevalidated || options->always_valid) && validates)
        return error_set(error, ERROR_CONFIG,
                         "--%s validates nothing: it goes without --http-port, --tls-port, --dns "
                         "and --resolve-all-to",
                         options->prevalidated ? "prevalidated" : "always-valid");
    if (options->eab_once && options->eab_count == 0)
        return error_set(error, ERROR_CONFIG, "--eab-once needs --eab or --eab-file");
    return true;
}

bool program_options_read(int argc, char **argv, struct program_options *ret_options,
                          struct error *error)
{
    struct program_options options = {
        .listen = "127.0.0.1:0", .control = "127.0.0.1:0", .threads = 1, .ready_fd = -1};
    arena_init(&options.arena);
    bool good =
        words_take(argc, argv, &options, error) && (options.help || options_fit(&options, error));
    if (!good) {
        program_options_free(&options);
        return false;
    }
    *ret_options = options;
    return true;
}

void program_options_free(struct program_options *options)
{
    arena_free(&options->arena);
    free(options->eab_keys);
    json_decref(options->weather);
    options->eab_keys = NULL;
    options->weather = NULL;
}
