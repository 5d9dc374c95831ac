/* One certificate of the manifest, and the defaults, which have the same keys. */
#include "config/key_fields.h"
#include "config/manifest_reading.h"
#include "config/names.h"

#include <stdlib.h>
#include <string.h>

const char *challenge_type_name(enum challenge_type type)
{
    static const char *const names[] = {
        [CHALLENGE_NONE] = "none",
        [CHALLENGE_HTTP_01] = "http-01",
        [CHALLENGE_DNS_01] = "dns-01",
        [CHALLENGE_TLS_ALPN_01] = "tls-alpn-01",
    };
    return (size_t)type < sizeof names / sizeof names[0] ? names[type] : "unknown";
}

static bool read_name(struct config_input *input, const struct config_field *field,
                      const struct yaml_item *item, void *target)
{
    struct draft *draft = target;
    struct span text;
    struct error error;
    if (!config_text(input, field, item, &text))
        return config_skip(input, item);
    if (!certificate_name_check(text, &error)) {
        config_error(input, field, item, "%s", error.text);
        return true;
    }
    draft->entry.name = arena_text(&draft->reading->manifest->arena, text);
    return draft->entry.name != NULL || config_no_memory(input);
}

static bool domain_add(struct config_input *input, const struct config_field *field,
                       const struct yaml_item *item, struct draft *draft,
                       const struct domain *domain)
{
    struct manifest_reading *reading = draft->reading;
    for (uint32_t i = 0; i < reading->domain_count; i++) {
        if (strcmp(reading->domains[i], domain->text) == 0) {
            config_warning(input, field, item, "%s stands here twice", domain->text);
            return true;
        }
    }
    const char *kept = arena_text(&reading->manifest->arena, span_make(domain->text, domain->len));
    if (kept == NULL)
        return config_no_memory(input);
    reading->domains[reading->domain_count++] = kept;
    if (domain->kind == DOMAIN_WILDCARD)
        draft->mark.given |= ENTRY_HAS_WILDCARD;
    if (domain->kind == DOMAIN_ADDRESS)
        draft->mark.given |= ENTRY_HAS_ADDRESS;
    return true;
}

static bool read_domain(struct config_input *input, const struct config_field *field,
                        const struct yaml_item *item, void *target)
{
    struct span text;
    struct domain domain;
    struct error error;
    if (!config_text(input, field, item, &text))
        return config_skip(input, item);
    if (!domain_read(text, &domain, &error)) {
        config_error(input, field, item, "%s", error.text);
        return true;
    }
    return domain_add(input, field, item, target, &domain);
}

static bool read_domains(struct config_input *input, const struct config_field *field,
                         const struct yaml_item *item, void *target)
{
    struct draft *draft = target;
    if (item->kind == YAML_TEXT)
        return read_domain(input, field, item, target);
    size_t errors = input->diagnostics->errors;
    TRY(config_list(input, field, item, MANIFEST_DOMAINS_MAX, read_domain, target));
    if (draft->reading->domain_count == 0 && input->diagnostics->errors == errors)
        config_error(input, field, item, "is empty: at least one domain is needed");
    return true;
}

static bool read_account(struct config_input *input, const struct config_field *field,
                         const struct yaml_item *item, void *target)
{
    struct draft *draft = target;
    struct manifest_reading *reading = draft->reading;
    struct span text;
    if (!config_text(input, field, item, &text))
        return config_skip(input, item);
    const struct name_slot *known = name_table_find(&reading->aliases, text);
    if (known != NULL) {
        draft->entry.account_alias = known->text;
    } else {
        draft->entry.account_alias = arena_text(&reading->manifest->arena, text);
        if (draft->entry.account_alias == NULL ||
            !name_table_put(&reading->aliases, draft->entry.account_alias, 0))
            return config_no_memory(input);
    }
    draft->mark.given |= GIVEN_ACCOUNT;
    draft->mark.account_line = (uint32_t)item->line;
    draft->mark.account_column = (uint32_t)item->column;
    return true;
}

static bool read_key_type(struct config_input *input, const struct config_field *field,
                          const struct yaml_item *item, void *target)
{
    struct draft *draft = target;
    if (!config_key_type(input, field, item, &draft->entry.key.type))
        return config_skip(input, item);
    draft->mark.given |= GIVEN_KEY_TYPE;
    return true;
}

static bool read_key_size(struct config_input *input, const struct config_field *field,
                          const struct yaml_item *item, void *target)
{
    struct draft *draft = target;
    if (!config_key_bits(input, field, item, &draft->entry.key.bits))
        return config_skip(input, item);
    draft->mark.given |= GIVEN_KEY_SIZE;
    return true;
}

static bool read_key(struct config_input *input, const struct config_field *field,
                     const struct yaml_item *item, void *target)
{
    static const struct config_key keys[] = {{"type", read_key_type}, {"size", read_key_size}};
    return config_mapping(input, field, item, keys, sizeof keys / sizeof keys[0], target, NULL);
}

static bool read_renew_days(struct config_input *input, const struct config_field *field,
                            const struct yaml_item *item, void *target)
{
    struct draft *draft = target;
    unsigned days;
    if (!config_number(input, field, item, 1, RENEW_BEFORE_DAYS_MAX, &days))
        return config_skip(input, item);
    draft->entry.renew_before_days = (int)days;
    draft->mark.given |= GIVEN_RENEW;
    return true;
}

static bool read_challenge(struct config_input *input, const struct config_field *field,
                           const struct yaml_item *item, void *target)
{
    struct draft *draft = target;
    struct span text;
    if (!config_text(input, field, item, &text))
        return config_skip(input, item);
    for (int type = CHALLENGE_NONE; type <= CHALLENGE_TLS_ALPN_01; type++) {
        if (!span_is(text, challenge_type_name((enum challenge_type)type)))
            continue;
        draft->entry.challenge = (enum challenge_type)type;
        draft->mark.given |= GIVEN_CHALLENGE;
        return true;
    }
    config_error(input, field, item, "%s is not allowed: use none, http-01, dns-01 or tls-alpn-01",
                 config_quote(text).text);
    return true;
}

static bool read_misplaced(struct config_input *input, const struct config_field *field,
                           const struct yaml_item *item, void *target)
{
    (void)target;
    config_error(input, field, item, "cannot be a default: each certificate has its own");
    return config_skip(input, item);
}

#define SHARED_KEYS                                                                       \
    {"account", read_account}, {"key", read_key}, {"renew-before-days", read_renew_days}, \
        {"challenge", read_challenge}, {"deploy", manifest_deploy_read},                  \
    {                                                                                     \
        "permissions", manifest_permissions_read                                          \
    }

static const struct config_key entry_keys[] = {
    {"name", read_name},
    {"domains", read_domains},
    SHARED_KEYS,
};
#define ENTRY_KEY_COUNT (sizeof entry_keys / sizeof entry_keys[0])
#define SEEN_NAME       1u
#define SEEN_DOMAINS    2u

static const struct config_key default_keys[] = {
    {"name", read_misplaced},
    {"domains", read_misplaced},
    SHARED_KEYS,
};

static bool name_default(struct config_input *input, const struct config_field *field,
                         const struct yaml_item *item, struct draft *draft)
{
    char name[CERTIFICATE_NAME_MAX + 1];
    struct error error;
    const char *domain = draft->reading->domains[0];
    if (!certificate_name_default(domain, name, &error)) {
        config_error(input, field, item, "%s", error.text);
        return true;
    }
    draft->entry.name = strcmp(name, domain) == 0
                            ? domain
                            : arena_text(&draft->reading->manifest->arena, span_of(name));
    return draft->entry.name != NULL || config_no_memory(input);
}

static bool domains_keep(struct config_input *input, struct draft *draft)
{
    struct manifest_reading *reading = draft->reading;
    size_t size = reading->domain_count * sizeof reading->domains[0];
    const char **domains = arena_alloc(&reading->manifest->arena, size);
    if (domains == NULL)
        return config_no_memory(input);
    memcpy(domains, reading->domains, size);
    draft->entry.domains = domains;
    draft->entry.domain_count = reading->domain_count;
    return true;
}

static bool entry_push(struct config_input *input, const struct draft *draft)
{
    struct manifest_reading *reading = draft->reading;
    struct manifest *manifest = reading->manifest;
    if (manifest->count == reading->capacity) {
        size_t capacity = reading->capacity > 0 ? reading->capacity * 2 : 64;
        struct manifest_entry *entries = reallocarray(manifest->entries, capacity, sizeof *entries);
        if (entries == NULL)
            return config_no_memory(input);
        manifest->entries = entries;
        struct entry_mark *marks = reallocarray(reading->marks, capacity, sizeof *marks);
        if (marks == NULL)
            return config_no_memory(input);
        reading->marks = marks;
        reading->capacity = capacity;
    }
    manifest->entries[manifest->count] = draft->entry;
    reading->marks[manifest->count] = draft->mark;
    manifest->count++;
    return true;
}

bool manifest_entry_read(struct config_input *input, const struct config_field *field,
                         const struct yaml_item *item, void *target)
{
    struct manifest_reading *reading = target;
    struct draft draft = {.reading = reading,
                          .entry = {.line = (uint32_t)item->line},
                          .mark = {.column = (uint32_t)item->column}};
    size_t errors = input->diagnostics->errors;
    unsigned seen = 0;
    bool is_form_known = item->kind == YAML_TEXT || item->kind == YAML_MAPPING;
    reading->domain_count = 0;
    if (item->kind == YAML_TEXT) {
        seen = SEEN_DOMAINS;
        TRY(read_domain(input, field, item, &draft));
    } else {
        TRY(config_mapping(input, field, item, entry_keys, ENTRY_KEY_COUNT, &draft, &seen));
    }
    if (is_form_known && (seen & SEEN_DOMAINS) == 0)
        config_error(input, field, item, "domains is missing: the names of the certificate");
    if (reading->domain_count > 0) {
        TRY(domains_keep(input, &draft));
        if ((seen & SEEN_NAME) == 0)
            TRY(name_default(input, field, item, &draft));
    }
    if (input->diagnostics->errors != errors)
        draft.mark.given |= ENTRY_BROKEN;
    return entry_push(input, &draft);
}

bool manifest_defaults_read(struct config_input *input, const struct config_field *field,
                            const struct yaml_item *item, void *target)
{
    struct manifest_reading *reading = target;
    reading->defaults.reading = reading;
    reading->defaults.entry.line = (uint32_t)item->line;
    return config_mapping(input, field, item, default_keys,
                          sizeof default_keys / sizeof default_keys[0], &reading->defaults, NULL);
}
