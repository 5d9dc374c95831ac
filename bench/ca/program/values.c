#include "ca/program/values.h"

#include "base/base64.h"
#include "base/clock.h"
#include "io/file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

enum {
    JSON_FILE_MAX = 16 * 1024 * 1024,
    EAB_FILE_MAX = 64 * 1024 * 1024,
    EAB_KEYS_MAX = 1000000,
    EAB_KEY_BYTES_MIN = 16,
    DAYS_MAX = 36500,
};

static bool value_error(const struct option_spec *spec, const char *value, struct error *error,
                        const char *what)
{
    return error_set(error, ERROR_CONFIG, "--%s is \"%.60s\", not %s", spec->name, value, what);
}

static bool text_keep(struct program_options *options, struct span text, const char **ret_text,
                      struct error *error)
{
    char *copy = arena_text(&options->arena, text);
    if (copy == NULL)
        return error_set(error, ERROR_MEMORY, "no memory");
    *ret_text = copy;
    return true;
}

bool take_flag(struct program_options *options, const struct option_spec *spec, const char *value,
               struct error *error)
{
    (void)value;
    (void)error;
    *(bool *)((char *)options + spec->offset) = true;
    return true;
}

bool take_text(struct program_options *options, const struct option_spec *spec, const char *value,
               struct error *error)
{
    if (value[0] == '\0')
        return error_set(error, ERROR_CONFIG, "--%s is empty", spec->name);
    return text_keep(options, span_of(value), (const char **)((char *)options + spec->offset),
                     error);
}

bool take_number(struct program_options *options, const struct option_spec *spec, const char *value,
                 struct error *error)
{
    uint64_t number;
    if (!span_to_u64(span_of(value), spec->max, &number) || number == 0)
        return error_set(error, ERROR_CONFIG, "--%s is \"%.60s\", not a whole number from 1 to %lu",
                         spec->name, value, spec->max);
    *(unsigned *)((char *)options + spec->offset) = (unsigned)number;
    return true;
}

bool take_seed(struct program_options *options, const struct option_spec *spec, const char *value,
               struct error *error)
{
    uint64_t seed;
    if (!span_to_u64(span_of(value), INT64_MAX, &seed))
        return value_error(spec, value, error, "a whole number");
    options->seed = seed;
    options->has_seed = true;
    return true;
}

bool take_ready_fd(struct program_options *options, const struct option_spec *spec,
                   const char *value, struct error *error)
{
    uint64_t fd;
    /* One that is not open now would be a socket of the server's later. */
    if (!span_to_u64(span_of(value), 65535, &fd) || fcntl((int)fd, F_GETFD) < 0)
        return value_error(spec, value, error, "an open file descriptor");
    options->ready_fd = (int)fd;
    return true;
}

bool take_key(struct program_options *options, const struct option_spec *spec, const char *value,
              struct error *error)
{
    static const struct {
        const char *name;
        struct key_spec key;
    } known[] = {
        {"ecdsa-256", {KEY_ECDSA, 256}}, {"ecdsa-384", {KEY_ECDSA, 384}},
        {"ecdsa-521", {KEY_ECDSA, 521}}, {"rsa-2048", {KEY_RSA, 2048}},
        {"rsa-3072", {KEY_RSA, 3072}},   {"rsa-4096", {KEY_RSA, 4096}},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(value, known[i].name) == 0) {
            options->key = known[i].key;
            return true;
        }
    }
    return value_error(spec, value, error,
                       "ecdsa-256, ecdsa-384, ecdsa-521, rsa-2048, rsa-3072 or rsa-4096");
}

static bool eab_append(struct program_options *options, struct span id, struct span key,
                       struct error *error)
{
    if (options->eab_count >= EAB_KEYS_MAX)
        return error_set(error, ERROR_LIMIT, "more than %d EAB keys", EAB_KEYS_MAX);
    /* Grows by doubling: a count that is a power of two is the end of what there is. */
    size_t count = options->eab_count;
    if ((count & (count - 1)) == 0) {
        size_t room = count > 0 ? 2 * count : 1;
        struct acme_eab_key *grown = realloc(options->eab_keys, room * sizeof *grown);
        if (grown == NULL)
            return error_set(error, ERROR_MEMORY, "no memory");
        options->eab_keys = grown;
    }
    struct acme_eab_key made = {0};
    const char *bytes = NULL;
    TRY(text_keep(options, id, &made.id, error));
    TRY(text_keep(options, key, &bytes, error));
    made.key = span_make(bytes, key.len);
    options->eab_keys[options->eab_count++] = made;
    return true;
}

/* "ID:KEY". The error never quotes the key. */
static bool eab_read(struct program_options *options, struct span text, struct error *error)
{
    struct buf key CLEANUP(buf_free);
    buf_init_secret(&key, 1024);
    struct span rest = text;
    struct span id = span_split(&rest, ':');
    if (id.len == 0 || rest.len == 0)
        return error_set(error, ERROR_CONFIG, "not ID:BASE64URLKEY");
    if (!base64_decode_lenient(rest, &key))
        return error_set(error, ERROR_CONFIG, "the key of \"%.*s\" is no base64url",
                         (int)(id.len < 60 ? id.len : 60), id.data);
    if (key.len < EAB_KEY_BYTES_MIN)
        return error_set(error, ERROR_CONFIG, "the key of \"%.*s\" has less than %d bytes",
                         (int)(id.len < 60 ? id.len : 60), id.data, EAB_KEY_BYTES_MIN);
    return eab_append(options, id, buf_span(&key), error);
}

bool take_eab(struct program_options *options, const struct option_spec *spec, const char *value,
              struct error *error)
{
    return eab_read(options, span_of(value), error) || error_prefix(error, "--%s: ", spec->name);
}

bool take_eab_file(struct program_options *options, const struct option_spec *spec,
                   const char *value, struct error *error)
{
    struct buf text CLEANUP(buf_free);
    buf_init_secret(&text, EAB_FILE_MAX);
    if (!file_read(value, &text, NULL, error))
        return error_prefix(error, "--%s: ", spec->name);
    struct span rest = buf_span(&text);
    for (unsigned line = 1; rest.data != NULL; line++) {
        struct span found = span_trim(span_split(&rest, '\n'));
        if (found.len == 0 || found.data[0] == '#')
            continue;
        if (!eab_read(options, found, error))
            return error_prefix(error, "--%s: %.200s:%u: ", spec->name, value, line);
    }
    return true;
}

bool take_profile(struct program_options *options, const struct option_spec *spec,
                  const char *value, struct error *error)
{
    uint64_t days;
    struct span rest = span_of(value);
    struct span name = span_split(&rest, ':');
    if (name.len == 0 || rest.len == 0 || !span_to_u64(rest, DAYS_MAX, &days) || days == 0)
        return value_error(spec, value, error, "NAME:DAYS");
    if (options->profile_count >= PROGRAM_PROFILES_MAX)
        return error_set(error, ERROR_LIMIT, "more than %d profiles", PROGRAM_PROFILES_MAX);
    struct acme_profile profile = {.lifetime_s = (int64_t)days * SECONDS_PER_DAY};
    char description[64];
    snprintf(description, sizeof description, "certificates for %llu days",
             (unsigned long long)days);
    TRY(text_keep(options, name, &profile.name, error));
    TRY(text_keep(options, span_of(description), &profile.description, error));
    options->profiles[options->profile_count++] = profile;
    return true;
}

bool take_refused(struct program_options *options, const struct option_spec *spec,
                  const char *value, struct error *error)
{
    if (options->refused_count >= PROGRAM_REFUSED_MAX)
        return error_set(error, ERROR_LIMIT, "more than %d names for --%s", PROGRAM_REFUSED_MAX,
                         spec->name);
    TRY(text_keep(options, span_of(value), &options->refused[options->refused_count], error));
    options->refused_count++;
    return true;
}

bool object_file_read(const char *path, json_t **ret_object, struct error *error)
{
    struct buf text CLEANUP(buf_free);
    buf_init(&text, JSON_FILE_MAX);
    TRY(file_read(path, &text, NULL, error));
    json_t *json = NULL;
    bool good = json_parse(buf_span(&text), JSON_FILE_MAX, &json, error);
    if (good && !json_is_object(json))
        good = error_set(error, ERROR_CONFIG, "not a JSON object");
    if (!good) {
        json_decref(json);
        return error_prefix(error, "%.200s: ", path);
    }
    *ret_object = json;
    return true;
}

bool take_weather(struct program_options *options, const struct option_spec *spec,
                  const char *value, struct error *error)
{
    json_t *document = NULL;
    if (!object_file_read(value, &document, error))
        return error_prefix(error, "--%s: ", spec->name);
    json_decref(options->weather);
    options->weather = document;
    return true;
}
