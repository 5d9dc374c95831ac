/* One account: the keys of an entry, and what must fit together in it. */
#include "base/base64.h"
#include "config/accounts_reading.h"
#include "config/endpoint.h"
#include "config/key_fields.h"

#include <stdlib.h>
#include <string.h>

#define EAB_KEY_BYTES_MAX 1024
/* Shorter HMAC keys are no security at all, and rather a cut paste. */
#define HMAC_BYTES_USUAL 16

/* One entry of an alias, and where its parts were given. */
struct entry {
    struct accounts_reading *reading;
    struct account account;
    struct yaml_item size_item;
    bool has_size;
    bool has_hmac; /* given, perhaps wrongly */
    bool has_key_id;
};

bool account_text_is_filler(struct span text)
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
    if (account_text_is_filler(text)) {
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
    buf_init_secret(&bytes, ACCOUNTS_TEXT_MAX);
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
    if (item->kind != YAML_TEXT || yaml_is_null(item) ||
        account_text_is_filler(span_trim(item->text))) {
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

bool account_entry_read(struct config_input *input, const struct config_field *field,
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
