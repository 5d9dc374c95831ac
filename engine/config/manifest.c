#include "config/manifest.h"

#include "config/manifest_reading.h"

#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX ((uint64_t)2 * 1024 * 1024 * 1024)
#define ETAG_BYTES_MAX 1024
#define TEXT_BYTES_MAX 4096
/* Whole blocks of certificates are commented out at times. */
#define GAP_BYTES_MAX ((uint64_t)64 * 1024 * 1024)
#define DEPTH_MAX     16

#define MANIFEST_VERSION            1
#define HTTP_LISTEN_DEFAULT         "0.0.0.0:80"
#define ALPN_LISTEN_DEFAULT         "0.0.0.0:443"
#define DNS_PROPAGATION_S_DEFAULT   10
#define DNS_TIMEOUT_S_DEFAULT       300
#define IN_FLIGHT_DEFAULT           1000
#define REQUESTS_PER_SECOND_DEFAULT 200
#define ORDER_TIMEOUT_S_DEFAULT     600
/* What ACM allows an account and region unless AWS has raised it: docs.aws.amazon.com/acm, Quotas.
 */
#define IMPORTS_PER_SECOND_DEFAULT 1
#define IMPORTS_PER_YEAR_DEFAULT   5000
#define CERTIFICATES_LIMIT_DEFAULT 2500

static bool path_join(struct config_input *input, struct manifest_reading *reading,
                      struct span folder, struct span path, const char **ret_path)
{
    struct buf joined CLEANUP(buf_free);
    buf_init(&joined, (size_t)4 * TEXT_BYTES_MAX);
    bool is_absolute = path.len > 0 && path.data[0] == '/';
    if ((!is_absolute && !buf_append_span(&joined, folder)) || !buf_append_span(&joined, path))
        return config_no_memory(input);
    const char *kept = arena_text(&reading->manifest->arena, buf_span(&joined));
    if (kept == NULL)
        return config_no_memory(input);
    *ret_path = kept;
    return true;
}

bool manifest_path_keep(struct config_input *input, struct manifest_reading *reading,
                        struct span path, const char **ret_path)
{
    return path_join(input, reading, reading->folder, path, ret_path);
}

bool manifest_program_keep(struct config_input *input, struct manifest_reading *reading,
                           struct span path, const char **ret_path)
{
    struct span folder = reading->folder.len > 0 ? reading->folder : SPAN_LITERAL("./");
    return path_join(input, reading, folder, path, ret_path);
}

static bool read_version(struct config_input *input, const struct config_field *field,
                         const struct yaml_item *item, void *target)
{
    (void)target;
    struct span text;
    if (!config_text(input, field, item, &text))
        return config_skip(input, item);
    if (!span_is(text, "1"))
        config_error(input, field, item,
                     "%s is not known: this version of certmill reads version %d",
                     config_quote(text).text, MANIFEST_VERSION);
    return true;
}

static bool read_accounts(struct config_input *input, const struct config_field *field,
                          const struct yaml_item *item, void *target)
{
    struct manifest_reading *reading = target;
    struct span text;
    if (!config_text(input, field, item, &text))
        return config_skip(input, item);
    if (span_starts(text, "s3://")) {
        reading->manifest->accounts_file = arena_text(&reading->manifest->arena, text);
        return reading->manifest->accounts_file != NULL || config_no_memory(input);
    }
    return manifest_path_keep(input, reading, text, &reading->manifest->accounts_file);
}

static bool read_state(struct config_input *input, const struct config_field *field,
                       const struct yaml_item *item, void *target)
{
    struct manifest_reading *reading = target;
    struct span text;
    if (!config_text(input, field, item, &text))
        return config_skip(input, item);
    return manifest_path_keep(input, reading, text, &reading->manifest->state_folder);
}

static bool read_certificates(struct config_input *input, const struct config_field *field,
                              const struct yaml_item *item, void *target)
{
    struct manifest_reading *reading = target;
    if (!yaml_is_null(item))
        TRY(config_list(input, field, item, MANIFEST_ENTRIES_MAX, manifest_entry_read, reading));
    if (reading->manifest->count == 0 && (item->kind == YAML_LIST || yaml_is_null(item)))
        config_warning(input, field, item, "there is no certificate in this manifest");
    return true;
}

enum {
    KEY_VERSION,
    KEY_ACCOUNTS,
    KEY_STATE,
    KEY_DEFAULTS,
    KEY_SOLVERS,
    KEY_LIMITS,
    KEY_CRYPTO,
    KEY_AWS,
    KEY_REVOCATION,
    KEY_LIST,
};

static const struct config_key manifest_keys[] = {
    [KEY_VERSION] = {"version", read_version},
    [KEY_ACCOUNTS] = {"accounts", read_accounts},
    [KEY_STATE] = {"state", read_state},
    [KEY_DEFAULTS] = {"defaults", manifest_defaults_read},
    [KEY_SOLVERS] = {"solvers", manifest_solvers_read},
    [KEY_LIMITS] = {"limits", manifest_limits_read},
    [KEY_CRYPTO] = {"crypto", manifest_crypto_read},
    [KEY_AWS] = {"aws", manifest_aws_read},
    [KEY_REVOCATION] = {"revocation", manifest_revocation_read},
    [KEY_LIST] = {"certificates", read_certificates},
};

static bool file_parse(struct config_input *input, struct manifest_reading *reading)
{
    struct yaml_item item, end;
    unsigned seen = 0;
    TRY(config_next(input, &item));
    if (item.kind == YAML_END) {
        config_error(input, NULL, &item, "the file is empty: it begins with \"version: 1\"");
        return true;
    }
    bool is_mapping = item.kind == YAML_MAPPING;
    TRY(config_mapping(input, NULL, &item, manifest_keys,
                       sizeof manifest_keys / sizeof manifest_keys[0], reading, &seen));
    if (is_mapping && (seen & 1u << KEY_VERSION) == 0)
        config_error(input, NULL, &item, "version is missing: begin with \"version: 1\"");
    if (is_mapping && (seen & 1u << KEY_LIST) == 0)
        config_error(input, NULL, &item, "certificates is missing");
    return config_next(input, &end);
}

/* It is never on disk: what was fetched is wiped when it is read. */
static bool accounts_fetch_read(const struct manifest_options *options, const char *url,
                                const char *profile, struct accounts *accounts,
                                struct diagnostics *diagnostics, struct error *error)
{
    struct buf text CLEANUP(buf_free);
    struct buf etag CLEANUP(buf_free);
    buf_init_secret(&text, ACCOUNTS_BYTES_MAX);
    buf_init(&etag, ETAG_BYTES_MAX);
    TRY(options->fetch(options->fetch_context, url, profile, &text, &etag, error));
    accounts_parse(url, buf_span(&text), accounts, diagnostics);
    accounts->etag = arena_text(&accounts->arena, buf_span(&etag));
    return accounts->etag != NULL ||
           error_set(error, ERROR_MEMORY, "%s: no memory to read it", url);
}

/* *ret_broken: the accounts file has errors of its own, or cannot be asked for. */
static bool accounts_load(const struct manifest_options *options, const struct manifest *manifest,
                          struct accounts *accounts, struct diagnostics *diagnostics,
                          bool *ret_broken, struct error *error)
{
    const char *file =
        options->accounts_file != NULL ? options->accounts_file : manifest->accounts_file;
    size_t errors = diagnostics->errors;
    *ret_broken = false;
    if (options->without_accounts)
        return true;
    bool is_on_s3 = span_starts(span_of(file), "s3://");
    if (is_on_s3 && options->fetch == NULL)
        diagnostics_error(diagnostics, file, 0, 0, NULL, "a file on S3 cannot be read here");
    else if (is_on_s3)
        TRY(accounts_fetch_read(options, file, manifest->aws.accounts_profile, accounts,
                                diagnostics, error));
    else if (file != NULL)
        TRY(accounts_read(file, accounts, diagnostics, error));
    *ret_broken = diagnostics->errors != errors;
    return true;
}

static bool input_failed(const struct config_input *input, struct error *error)
{
    if (input->error.kind == ERROR_NONE)
        return false;
    *error = input->error;
    return true;
}

static bool manifest_load(struct config_input *input, struct manifest_reading *reading,
                          const struct manifest_options *options, struct accounts *accounts,
                          struct error *error)
{
    const struct yaml_options yaml_options = {.bytes_max = FILE_BYTES_MAX,
                                              .text_max = TEXT_BYTES_MAX,
                                              .gap_max = GAP_BYTES_MAX,
                                              .depth_max = DEPTH_MAX};
    bool accounts_broken = false;
    TRY(options->text.data != NULL
            ? yaml_open_text(options->text, &yaml_options, &input->yaml, error)
            : yaml_open_file(options->file, &yaml_options, &input->yaml, error));
    bool parsed = file_parse(input, reading);
    yaml_close(input->yaml);
    input->yaml = NULL;
    if (!parsed) {
        reading->manifest->count = 0;
        return !input_failed(input, error);
    }
    if (!accounts_load(options, reading->manifest, accounts, input->diagnostics, &accounts_broken,
                       error) ||
        (!manifest_resolve(input, reading, accounts, accounts_broken) &&
         input_failed(input, error))) {
        reading->manifest->count = 0;
        return false;
    }
    return true;
}

static bool manifest_begin(const char *file, struct manifest *manifest)
{
    *manifest = (struct manifest){
        .solvers = {.http_listen = HTTP_LISTEN_DEFAULT,
                    .alpn_listen = ALPN_LISTEN_DEFAULT,
                    .dns_propagation_s = DNS_PROPAGATION_S_DEFAULT,
                    .dns_timeout_s = DNS_TIMEOUT_S_DEFAULT},
        .limits = {.in_flight = IN_FLIGHT_DEFAULT,
                   .requests_per_second = REQUESTS_PER_SECOND_DEFAULT,
                   .order_timeout_s = ORDER_TIMEOUT_S_DEFAULT},
        .aws = {.imports_per_second = IMPORTS_PER_SECOND_DEFAULT,
                .imports_per_year = IMPORTS_PER_YEAR_DEFAULT,
                .certificates_limit = CERTIFICATES_LIMIT_DEFAULT,
                .drift = true},
        .crl = true,
    };
    arena_init(&manifest->arena);
    manifest->file = arena_text(&manifest->arena, span_of(file));
    return manifest->file != NULL;
}

bool manifest_read(const struct manifest_options *options, struct manifest *ret_manifest,
                   struct accounts *ret_accounts, struct diagnostics *diagnostics,
                   struct error *error)
{
    *ret_accounts = (struct accounts){0};
    if (!manifest_begin(options->file, ret_manifest))
        return error_set(error, ERROR_MEMORY, "%s: no memory to read it", options->file);
    const char *shown_file = strcmp(options->file, "-") == 0 ? "standard input" : options->file;
    struct manifest_reading reading = {.manifest = ret_manifest};
    struct config_input input = {.file = shown_file, .diagnostics = diagnostics};
    const char *slash = strrchr(options->file, '/');
    if (slash != NULL)
        reading.folder = span_make(options->file, (size_t)(slash - options->file) + 1);
    name_table_init(&reading.aliases);
    name_table_init(&reading.users);
    name_table_init(&reading.groups);
    name_table_init(&reading.texts);
    bool read = manifest_load(&input, &reading, options, ret_accounts, error);
    name_table_free(&reading.aliases);
    name_table_free(&reading.users);
    name_table_free(&reading.groups);
    name_table_free(&reading.texts);
    free(reading.marks);
    return read;
}

void manifest_free(struct manifest *manifest)
{
    free(manifest->entries);
    arena_free(&manifest->arena);
    *manifest = (struct manifest){0};
}
