#include "config/accounts.h"

#include "config/accounts_reading.h"
#include "io/file.h"

#include <stdlib.h>
#include <string.h>

#define ALIASES_MAX       10000
#define ALIAS_ENTRIES_MAX 100
#define ALIAS_BYTES_MAX   128
#define DEPTH_MAX         8

static bool alias_value(struct config_input *input, const struct config_field *field,
                        const struct yaml_item *item, struct accounts_reading *reading)
{
    reading->entries = 0;
    if (item->kind == YAML_MAPPING)
        return account_entry_read(input, field, item, reading);
    if (item->kind == YAML_TEXT && account_text_is_filler(span_trim(item->text))) {
        config_error(input, field, item,
                     "still has the sample's text: fill in the account or remove it");
        return true;
    }
    if (yaml_is_null(item)) {
        config_error(input, field, item, "has no value: fill in the account or remove it");
        return true;
    }
    bool is_list = item->kind == YAML_LIST;
    TRY(config_list(input, field, item, ALIAS_ENTRIES_MAX, account_entry_read, reading));
    if (is_list && reading->entries == 0)
        config_error(input, field, item, "has no entry: fill in the account or remove it");
    return true;
}

/* An alias becomes a folder of the state. */
static const char *alias_problem(struct span alias)
{
    if (alias.len == 0)
        return "is empty";
    if (alias.len > ALIAS_BYTES_MAX)
        return "is longer than 128 bytes";
    if (alias.data[0] == '.')
        return "begins with a dot";
    if (span_trim(alias).len != alias.len)
        return "begins or ends with a blank";
    for (size_t i = 0; i < alias.len; i++) {
        if (alias.data[i] == '/')
            return "holds a slash";
        if ((unsigned char)alias.data[i] < 0x20 || alias.data[i] == 0x7f)
            return "holds a control character";
    }
    return NULL;
}

/* *ret_usable: false when the alias was reported and its value is to be passed over. */
static bool alias_begin(struct config_input *input, const struct config_field *field,
                        const struct yaml_item *key, struct accounts_reading *reading,
                        bool *ret_usable)
{
    *ret_usable = false;
    if (key->kind != YAML_TEXT) {
        config_error(input, field, key, "a list or mapping cannot be an alias");
        return config_skip(input, key);
    }
    const char *problem = alias_problem(key->text);
    const struct name_slot *first = name_table_find(&reading->aliases, key->text);
    if (problem != NULL)
        config_error(input, field, key, "an alias %s: %s", problem, config_quote(key->text).text);
    else if (first != NULL)
        config_error(input, field, key, "the alias %s stands here twice, first on line %u",
                     config_quote(key->text).text, first->value);
    else if (reading->aliases.count == ALIASES_MAX)
        config_error(input, field, key, "more than %d aliases", ALIASES_MAX);
    else
        *ret_usable = true;
    if (!*ret_usable)
        return true;
    reading->alias = arena_text(&reading->accounts->arena, key->text);
    reading->alias_line = key->line;
    if (reading->alias == NULL ||
        !name_table_put(&reading->aliases, reading->alias, (uint32_t)key->line))
        return config_no_memory(input);
    return true;
}

static bool read_aliases(struct config_input *input, const struct config_field *field,
                         const struct yaml_item *item, void *target)
{
    struct accounts_reading *reading = target;
    reading->seen_accounts = true;
    if (item->kind != YAML_MAPPING) {
        config_error(input, field, item, "a mapping of aliases to accounts is needed");
        return config_skip(input, item);
    }
    for (;;) {
        struct yaml_item key, value;
        bool is_usable = false;
        TRY(config_next(input, &key));
        if (key.kind == YAML_MAPPING_END)
            return true;
        TRY(alias_begin(input, field, &key, reading, &is_usable));
        TRY(config_next(input, &value));
        if (!is_usable) {
            TRY(config_skip(input, &value));
            continue;
        }
        struct config_field alias = {.parent = field, .name = reading->alias};
        TRY(alias_value(input, &alias, &value, reading));
    }
}

static bool file_parse(struct config_input *input, struct accounts_reading *reading)
{
    static const struct config_key keys[] = {{"accounts", read_aliases}};
    struct yaml_item item;
    TRY(config_next(input, &item));
    if (item.kind == YAML_END) {
        config_error(input, NULL, &item, "the file is empty: it begins with \"accounts:\"");
        return true;
    }
    bool is_mapping = item.kind == YAML_MAPPING;
    TRY(config_mapping(input, NULL, &item, keys, 1, reading, NULL));
    if (is_mapping && !reading->seen_accounts)
        config_error(input, NULL, &item, "the key accounts is missing");
    return config_next(input, &item);
}

static bool text_parse(struct span text, struct accounts *accounts, struct diagnostics *diagnostics,
                       struct error *error)
{
    const struct yaml_options options = {.bytes_max = ACCOUNTS_BYTES_MAX,
                                         .text_max = ACCOUNTS_TEXT_MAX,
                                         .gap_max = ACCOUNTS_BYTES_MAX,
                                         .depth_max = DEPTH_MAX,
                                         .secret = true};
    struct accounts_reading reading = {.accounts = accounts};
    struct config_input input = {
        .file = accounts->file, .diagnostics = diagnostics, .secret = true};
    size_t errors = diagnostics->errors;
    TRY(yaml_open_text(text, &options, &input.yaml, error));
    name_table_init(&reading.aliases);
    bool read = file_parse(&input, &reading);
    if (read && accounts->count == 0 && diagnostics->errors == errors)
        diagnostics_error(diagnostics, accounts->file, 1, 1, "accounts",
                          "no account: add at least one");
    name_table_free(&reading.aliases);
    yaml_close(input.yaml);
    if (!read && input.error.kind != ERROR_NONE) {
        *error = input.error;
        return false;
    }
    return true;
}

static bool accounts_begin(const char *file, struct accounts *ret_accounts)
{
    *ret_accounts = (struct accounts){0};
    arena_init(&ret_accounts->arena);
    ret_accounts->file = arena_text(&ret_accounts->arena, span_of(file));
    return ret_accounts->file != NULL;
}

void accounts_parse(const char *file, struct span text, struct accounts *ret_accounts,
                    struct diagnostics *diagnostics)
{
    struct error error;
    if (!accounts_begin(file, ret_accounts))
        diagnostics_error(diagnostics, file, 0, 0, NULL, "no memory to read it");
    else if (!text_parse(text, ret_accounts, diagnostics, &error))
        diagnostics_error(diagnostics, file, 0, 0, NULL, "%s", error.text);
}

bool accounts_read(const char *file, struct accounts *ret_accounts, struct diagnostics *diagnostics,
                   struct error *error)
{
    struct buf text CLEANUP(buf_free);
    struct stat status;
    buf_init_secret(&text, ACCOUNTS_BYTES_MAX);
    if (!accounts_begin(file, ret_accounts))
        return error_set(error, ERROR_MEMORY, "%s: no memory to read it", file);
    TRY(file_read(file, &text, &status, error));
    if (S_ISREG(status.st_mode) && (status.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        diagnostics_warning(diagnostics, file, 0, 0, NULL,
                            "others than its owner can read this file, and it holds secrets: "
                            "chmod 600 %s",
                            file);
    return text_parse(buf_span(&text), ret_accounts, diagnostics, error);
}

void accounts_free(struct accounts *accounts)
{
    for (size_t i = 0; i < accounts->count; i++)
        secret_free(&accounts->list[i].eab_hmac);
    free(accounts->list);
    arena_free(&accounts->arena);
    *accounts = (struct accounts){0};
}

const struct account *accounts_find(const struct accounts *accounts, const char *alias)
{
    for (size_t i = 0; i < accounts->count; i++)
        if (strcmp(accounts->list[i].alias, alias) == 0)
            return &accounts->list[i];
    return NULL;
}
