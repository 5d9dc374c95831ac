#include "config/accounts.h"

#include "base/base64.h"
#include "config/endpoint.h"
#include "config/key_fields.h"
#include "config/name_table.h"
#include "io/file.h"

#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX    ((size_t)4 * 1024 * 1024)
#define ALIASES_MAX       10000
#define ALIAS_ENTRIES_MAX 100
#define ALIAS_BYTES_MAX   128
#define TEXT_BYTES_MAX    4096
#define DEPTH_MAX         8
#define EAB_KEY_BYTES_MAX 1024
/* Shorter HMAC keys are no security at all, and rather a cut paste. */
#define HMAC_BYTES_USUAL 16

/* The reading of one file. */
struct accounts_reading {
    struct accounts *accounts;
    struct name_table aliases; /* to the line of each */
    size_t capacity;
    const char *alias; /* the one that is being read */
    size_t alias_line;
    size_t entries; /* of the alias */
    bool seen_accounts;
};

/* One entry of an alias, and where its parts were given. */
struct entry {
    struct accounts_reading *reading;
    struct account account;
    struct yaml_item size_item;
    bool has_size;
    bool has_hmac; /* given, perhaps wrongly */
    bool has_key_id;
};

static bool is_filler(struct span text)
{
    return span_is(text, "...") ||
           (text.len > 2 && text.data[0] == '<' && text.data[text.len - 1] == '>');
}

/* As config_text, but also refuses what the documentation's sample has in place of a value. */
static bool text_read(struct config_input *input, const struct config_field *field,
                      const struct yaml_item *item, struct span *ret_text)
{
    struct span text;
    TRY(config_text(input, field, item, &text));
    if (is_filler(text)) {
        config_error(input, field, item,
                     "still has the sample's text: fill in the value that the CA gave you");
        return false;
    }
    *ret_text = text;
    return true;
}

static bool text_keep(struct config_input *input, const struct entry *entry, struct span text,
                      const char **ret_text)
{
    const char *kept = arena_text(&entry->reading->accounts->arena, text);
    if (kept == NULL)
        return config_no_memory(input);
    *ret_text = kept;
    return true;
}

static bool read_endpoint(struct config_input *input, const struct config_field *field,
                          const struct yaml_item *item, void *target)
{
    struct entry *entry = target;
    struct span text;
    if (!text_read(input, field, item, &text))
        return config_skip(input, item);
    const char *problem = endpoint_problem(text);
    if (problem != NULL) {
        config_error(input, field, item, "%s", problem);
        return true;
    }
    return text_keep(input, entry, text, &entry->account.endpoint);
}

static bool read_eab_key(struct config_input *input, const struct config_field *field,
                         const struct yaml_item *item, void *target)
{
    struct entry *entry = target;
    struct span text;
    entry->has_key_id = true;
    if (!text_read(input, field, item, &text))
        return config_skip(input, item);
    bool is_printable = text.len <= EAB_KEY_BYTES_MAX;
    for (size_t i = 0; i < text.len; i++)
        is_printable = is_printable && text.data[i] > ' ' && text.data[i] <= '~';
    if (!is_printable) {
        config_error(input, field, item, "must be printable ASCII without blanks, at most %d bytes",
                     EAB_KEY_BYTES_MAX);
        return true;
    }
    return text_keep(input, entry, text, &entry->account.eab_key_id);
}

static bool hmac_keep(struct config_input *input, const struct config_field *field,
                      const struct yaml_item *item, struct entry *entry)
{
    struct buf bytes CLEANUP(buf_free);
    buf_init_secret(&bytes, TEXT_BYTES_MAX);
    if (!base64_decode_lenient(item->text, &bytes) || bytes.len == 0) {
        config_error(input, field, item,
                     "is neither base64url nor base64: copy the HMAC key again, whole");
        return true;
    }
    if (bytes.len < HMAC_BYTES_USUAL)
        config_warning(input, field, item, "has only %zu bytes: was all of it copied?", bytes.len);
    secret_free(&entry->account.eab_hmac);
    if (!secret_copy(buf_span(&bytes), &entry->account.eab_hmac))
        return config_no_memory(input);
    return true;
}

static bool read_eab_hmac(struct config_input *input, const struct config_field *field,
                          const struct yaml_item *item, void *target)
{
    struct entry *entry = target;
    entry->has_hmac = true;
    if (item->kind != YAML_TEXT || yaml_is_null(item) || is_filler(span_trim(item->text))) {
        struct span text;
        if (text_read(input, field, item, &text))
            return true;
        return config_skip(input, item);
    }
    return hmac_keep(input, field, item, entry);
}

static bool read_email(struct config_input *input, const struct config_field *field,
                       const struct yaml_item *item, void *target)
{
    struct entry *entry = target;
    struct span text;
    if (item->kind == YAML_LIST) {
        config_error(input, field, item,
                     "is in brackets: write the address alone, such as ops@example.com "
                     "([email protected] is what a web page shows to hide one)");
        return config_skip(input, item);
    }
    if (!text_read(input, field, item, &text))
        return config_skip(input, item);
    const char *problem = email_problem(text);
    if (problem != NULL) {
        config_error(input, field, item, "%s", problem);
        return true;
    }
    return text_keep(input, entry, text, &entry->account.email);
}

static bool read_renew_days(struct config_input *input, const struct config_field *field,
                            const struct yaml_item *item, void *target)
{
    struct entry *entry = target;
    unsigned days;
    if (!config_number(input, field, item, 1, RENEW_BEFORE_DAYS_MAX, &days))
        return config_skip(input, item);
    entry->account.renew_before_days = (int)days;
    return true;
}

static bool read_key_type(struct config_input *input, const struct config_field *field,
                          const struct yaml_item *item, void *target)
{
    struct entry *entry = target;
    if (!config_key_type(input, field, item, &entry->account.key.type))
        return config_skip(input, item);
    return true;
}

static bool read_key_size(struct config_input *input, const struct config_field *field,
                          const struct yaml_item *item, void *target)
{
    struct entry *entry = target;
    if (!config_key_bits(input, field, item, &entry->account.key.bits))
        return config_skip(input, item);
    entry->has_size = true;
    entry->size_item = *item;
    return true;
}

enum { KEY_ENDPOINT, KEY_EAB_HMAC, KEY_EAB_KEY, KEY_EMAIL, KEY_RENEW, KEY_TYPE, KEY_SIZE };

static const struct config_key entry_keys[] = {
    [KEY_ENDPOINT] = {"acme-endpoint", read_endpoint},
    [KEY_EAB_HMAC] = {"eab-hmac-key", read_eab_hmac},
    [KEY_EAB_KEY] = {"eab-key", read_eab_key},
    [KEY_EMAIL] = {"email", read_email},
    [KEY_RENEW] = {"RenewBeforeDays", read_renew_days},
    [KEY_TYPE] = {"KeyType", read_key_type},
    [KEY_SIZE] = {"KeySize", read_key_size},
};

static void entry_check(struct config_input *input, const struct config_field *field,
                        const struct yaml_item *item, struct entry *entry, unsigned seen)
{
    struct account *account = &entry->account;
    if ((seen & 1u << KEY_ENDPOINT) == 0)
        config_error(input, field, item, "acme-endpoint is missing: the URL of the ACME server");
    if (entry->has_hmac && !entry->has_key_id)
        config_error(input, field, item,
                     "eab-hmac-key is given without eab-key: external account binding needs both");
    if (entry->has_key_id && !entry->has_hmac)
        config_error(input, field, item,
                     "eab-key is given without eab-hmac-key: external account binding needs both");
    if (!entry->has_size)
        account->key.bits = key_bits_default(account->key.type);
    if (!key_spec_is_valid(account->key)) {
        struct config_field size = {.parent = field, .name = "KeySize"};
        config_error(input, &size, &entry->size_item, "%u is not allowed here: use %s",
                     account->key.bits, key_bits_allowed(account->key.type));
    }
}

static bool account_add(struct config_input *input, struct accounts_reading *reading,
                        const struct account *account)
{
    struct accounts *accounts = reading->accounts;
    if (accounts->count == reading->capacity) {
        size_t capacity = reading->capacity > 0 ? reading->capacity * 2 : 16;
        struct account *list = reallocarray(accounts->list, capacity, sizeof *list);
        if (list == NULL)
            return config_no_memory(input);
        accounts->list = list;
        reading->capacity = capacity;
    }
    accounts->list[accounts->count++] = *account;
    return true;
}

/* Takes the entry over into the accounts when it is the first of its alias and without fault. */
static bool entry_read(struct config_input *input, const struct config_field *field,
                       const struct yaml_item *item, void *target)
{
    struct accounts_reading *reading = target;
    struct entry entry = {
        .reading = reading,
        .account = {.alias = reading->alias,
                    .line = reading->alias_line,
                    .renew_before_days = RENEW_BEFORE_DAYS_DEFAULT,
                    .key = {.type = KEY_RSA}},
    };
    size_t errors = input->diagnostics->errors;
    unsigned seen = 0;
    bool is_mapping = item->kind == YAML_MAPPING;
    bool read = config_mapping(input, field, item, entry_keys,
                               sizeof entry_keys / sizeof entry_keys[0], &entry, &seen);
    if (read && is_mapping)
        entry_check(input, field, item, &entry, seen);
    bool taken = false;
    if (read && input->diagnostics->errors == errors && reading->entries == 0)
        read = taken = account_add(input, reading, &entry.account);
    if (!taken)
        secret_free(&entry.account.eab_hmac);
    if (reading->entries == 1)
        config_warning(input, field, item,
                       "only the first entry of an alias is used, this one is not");
    reading->entries++;
    return read;
}

static bool alias_value(struct config_input *input, const struct config_field *field,
                        const struct yaml_item *item, struct accounts_reading *reading)
{
    reading->entries = 0;
    if (item->kind == YAML_MAPPING)
        return entry_read(input, field, item, reading);
    if (item->kind == YAML_TEXT && is_filler(span_trim(item->text))) {
        config_error(input, field, item,
                     "still has the sample's text: fill in the account or remove it");
        return true;
    }
    if (yaml_is_null(item)) {
        config_error(input, field, item, "has no value: fill in the account or remove it");
        return true;
    }
    bool is_list = item->kind == YAML_LIST;
    TRY(config_list(input, field, item, ALIAS_ENTRIES_MAX, entry_read, reading));
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
    const struct yaml_options options = {.bytes_max = FILE_BYTES_MAX,
                                         .text_max = TEXT_BYTES_MAX,
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
    buf_init_secret(&text, FILE_BYTES_MAX);
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
