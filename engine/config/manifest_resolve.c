/* The second half of reading a manifest, when all of it is known: defaults, accounts, and what must
 * fit together. */
#include "base/suggest.h"
#include "config/key_fields.h"
#include "config/manifest_reading.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define KEY_MODE_DEFAULT         0600
#define CERTIFICATE_MODE_DEFAULT 0644
/* Names of 253 bytes, a separator each, and the key. */
#define DIGEST_BYTES_MAX ((size_t)MANIFEST_DOMAINS_MAX * 256 + 64)

#define MESSAGE_MAX 512

/* Entries with the same fault, which is that of the whole file: reported once. */
struct shared_fault {
    size_t count;
    size_t first;
};

struct resolving {
    struct config_input *input;
    struct manifest_reading *reading;
    const struct accounts *accounts;
    bool accounts_broken;
    struct name_table aliases; /* of the accounts, to their index */
    struct name_table names;   /* of the certificates, to their line */
    struct name_table arns;    /* of ACM targets, to the line of their certificate */
    struct buf digest_text;
    uint32_t account_default; /* for entries that name none; UINT32_MAX: there is none */
    struct shared_fault without_account;
    struct shared_fault without_dns_hook;
};

PRINTF_LIKE(4, 5)
static void entry_error(const struct resolving *resolving, size_t index, const char *key,
                        const char *format, ...)
{
    const struct manifest_reading *reading = resolving->reading;
    struct config_field list = {.name = "certificates"};
    struct config_field entry = {.parent = &list, .index = index};
    struct config_field inner = {.parent = &entry, .name = key};
    struct yaml_item place = {.line = reading->manifest->entries[index].line,
                              .column = reading->marks[index].column};
    char message[MESSAGE_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (strcmp(key, "account") == 0 && reading->marks[index].account_line > 0) {
        place.line = reading->marks[index].account_line;
        place.column = reading->marks[index].account_column;
    }
    config_error(resolving->input, &inner, &place, "%s", message);
    reading->marks[index].given |= ENTRY_BROKEN;
}

static void shared_fault_count(const struct resolving *resolving, struct shared_fault *fault,
                               size_t index)
{
    if (fault->count++ == 0)
        fault->first = index;
    resolving->reading->marks[index].given |= ENTRY_BROKEN;
}

/* " (7 certificates need it)", or "". */
static const char *shared_text(const struct shared_fault *fault, char *text, size_t size)
{
    text[0] = '\0';
    if (fault->count > 1)
        snprintf(text, size, " (%zu certificates need it)", fault->count);
    return text;
}

static void shared_faults_report(const struct resolving *resolving)
{
    const struct shared_fault *account = &resolving->without_account;
    const struct shared_fault *dns = &resolving->without_dns_hook;
    char others[64];
    if (account->count > 0)
        entry_error(resolving, account->first, "account",
                    "is missing: %s has %zu accounts, so name one here or under defaults%s",
                    resolving->accounts->file, resolving->accounts->count,
                    shared_text(account, others, sizeof others));
    if (dns->count > 0)
        entry_error(resolving, dns->first, "challenge",
                    "dns-01 needs somebody who makes the records: set solvers.dns-01.hook or "
                    "solvers.dns-01.route53%s",
                    shared_text(dns, others, sizeof others));
}

static const char *alias_near(const struct accounts *accounts, const char *alias)
{
    for (size_t i = 0; i < accounts->count; i++)
        if (suggest_is_near(span_of(alias), accounts->list[i].alias))
            return accounts->list[i].alias;
    return NULL;
}

static void alias_unknown_text(const struct accounts *accounts, const char *alias, char *text,
                               size_t size)
{
    const char *near = alias_near(accounts, alias);
    snprintf(text, size, "%s has no account %s%s%s%s", accounts->file,
             config_quote(span_of(alias)).text, near != NULL ? ": did you mean " : "",
             near != NULL ? near : "", near != NULL ? "?" : "");
}

static bool aliases_index(struct resolving *resolving)
{
    for (size_t i = 0; i < resolving->accounts->count; i++)
        if (!name_table_put(&resolving->aliases, resolving->accounts->list[i].alias, (uint32_t)i))
            return config_no_memory(resolving->input);
    return true;
}

static void account_default_find(struct resolving *resolving)
{
    const struct accounts *accounts = resolving->accounts;
    const struct draft *defaults = &resolving->reading->defaults;
    resolving->account_default = UINT32_MAX;
    if (accounts->file == NULL)
        return;
    if ((defaults->mark.given & GIVEN_ACCOUNT) == 0) {
        if (accounts->count == 1 && !resolving->accounts_broken)
            resolving->account_default = 0;
        return;
    }
    const char *alias = defaults->entry.account_alias;
    const struct name_slot *found = name_table_find(&resolving->aliases, span_of(alias));
    if (found != NULL) {
        resolving->account_default = found->value;
    } else if (!resolving->accounts_broken) {
        struct config_field parent = {.name = "defaults"};
        struct config_field field = {.parent = &parent, .name = "account"};
        struct yaml_item place = {.line = defaults->mark.account_line,
                                  .column = defaults->mark.account_column};
        char text[MESSAGE_MAX];
        alias_unknown_text(accounts, alias, text, sizeof text);
        config_error(resolving->input, &field, &place, "%s", text);
    }
}

static void account_named(struct resolving *resolving, size_t index)
{
    struct manifest_entry *entry = &resolving->reading->manifest->entries[index];
    const struct name_slot *found =
        name_table_find(&resolving->aliases, span_of(entry->account_alias));
    if (found != NULL) {
        entry->account = found->value;
        return;
    }
    resolving->reading->marks[index].given |= ENTRY_BROKEN;
    if (resolving->accounts_broken)
        return;
    char text[MESSAGE_MAX];
    alias_unknown_text(resolving->accounts, entry->account_alias, text, sizeof text);
    entry_error(resolving, index, "account", "%s", text);
}

static void account_resolve(struct resolving *resolving, size_t index)
{
    struct manifest_entry *entry = &resolving->reading->manifest->entries[index];
    const struct draft *defaults = &resolving->reading->defaults;
    uint32_t given = resolving->reading->marks[index].given;
    entry->account = UINT32_MAX;
    if ((given & GIVEN_ACCOUNT) == 0)
        entry->account_alias = defaults->entry.account_alias;
    if (resolving->accounts->file == NULL && !resolving->accounts_broken)
        return;
    if ((given & GIVEN_ACCOUNT) != 0) {
        account_named(resolving, index);
    } else if (resolving->account_default != UINT32_MAX) {
        entry->account = resolving->account_default;
        entry->account_alias = resolving->accounts->list[entry->account].alias;
    } else if ((defaults->mark.given & GIVEN_ACCOUNT) != 0 || resolving->accounts_broken) {
        resolving->reading->marks[index].given |= ENTRY_BROKEN;
    } else {
        shared_fault_count(resolving, &resolving->without_account, index);
    }
}

/* The type of the nearest that gives one; the size of the nearest up to there, else the type's
 * default: a size says nothing about another type. */
static void key_resolve(struct resolving *resolving, size_t index, struct key_spec base)
{
    struct manifest_entry *entry = &resolving->reading->manifest->entries[index];
    const struct draft *defaults = &resolving->reading->defaults;
    uint32_t own = resolving->reading->marks[index].given;
    uint32_t inherited = defaults->mark.given;
    struct key_spec key = base;
    if ((inherited & GIVEN_KEY_TYPE) != 0)
        key = (struct key_spec){.type = defaults->entry.key.type,
                                .bits = key_bits_default(defaults->entry.key.type)};
    if ((inherited & GIVEN_KEY_SIZE) != 0)
        key.bits = defaults->entry.key.bits;
    if ((own & GIVEN_KEY_TYPE) != 0)
        key = (struct key_spec){.type = entry->key.type, .bits = key_bits_default(entry->key.type)};
    if ((own & GIVEN_KEY_SIZE) != 0)
        key.bits = entry->key.bits;
    entry->key = key;
    if (!key_spec_is_valid(key))
        entry_error(resolving, index, "key", "the size %u does not fit the type: use %s", key.bits,
                    key_bits_allowed(key.type));
}

static void inherit(struct resolving *resolving, size_t index)
{
    struct manifest_entry *entry = &resolving->reading->manifest->entries[index];
    const struct manifest_entry *from = &resolving->reading->defaults.entry;
    uint32_t own = resolving->reading->marks[index].given;
    if ((own & GIVEN_CHALLENGE) == 0)
        entry->challenge = from->challenge;
    if ((own & GIVEN_DEPLOY) == 0) {
        entry->deploy = from->deploy;
        entry->acm = from->acm;
    }
    if ((own & GIVEN_KEY_MODE) == 0)
        entry->key_mode = from->key_mode;
    if ((own & GIVEN_CERTIFICATE_MODE) == 0)
        entry->certificate_mode = from->certificate_mode;
    if ((own & GIVEN_OWNER) == 0)
        entry->uid = from->uid;
    if ((own & GIVEN_GROUP) == 0)
        entry->gid = from->gid;
}

static void account_values_inherit(struct resolving *resolving, size_t index)
{
    struct manifest_entry *entry = &resolving->reading->manifest->entries[index];
    const struct draft *defaults = &resolving->reading->defaults;
    struct key_spec key = {.type = KEY_RSA, .bits = key_bits_default(KEY_RSA)};
    int days = RENEW_BEFORE_DAYS_DEFAULT;
    if (entry->account != UINT32_MAX) {
        key = resolving->accounts->list[entry->account].key;
        days = resolving->accounts->list[entry->account].renew_before_days;
    }
    if ((defaults->mark.given & GIVEN_RENEW) != 0)
        days = defaults->entry.renew_before_days;
    if ((resolving->reading->marks[index].given & GIVEN_RENEW) == 0)
        entry->renew_before_days = days;
    key_resolve(resolving, index, key);
}

static void challenge_check(struct resolving *resolving, size_t index)
{
    const struct manifest_entry *entry = &resolving->reading->manifest->entries[index];
    uint32_t given = resolving->reading->marks[index].given;
    bool over_http =
        entry->challenge == CHALLENGE_HTTP_01 || entry->challenge == CHALLENGE_TLS_ALPN_01;
    if (over_http && (given & ENTRY_HAS_WILDCARD) != 0)
        entry_error(resolving, index, "challenge",
                    "%s cannot validate a wildcard: use dns-01, or none for a domain that is "
                    "validated already",
                    challenge_type_name(entry->challenge));
    if (entry->challenge == CHALLENGE_DNS_01 && (given & ENTRY_HAS_ADDRESS) != 0)
        entry_error(resolving, index, "challenge",
                    "dns-01 cannot validate an IP address: use http-01 or tls-alpn-01");
    if (entry->challenge == CHALLENGE_DNS_01 &&
        resolving->reading->manifest->solvers.dns_hook == NULL &&
        !resolving->reading->manifest->solvers.route53.given)
        shared_fault_count(resolving, &resolving->without_dns_hook, index);
}

static bool name_claim(struct resolving *resolving, size_t index)
{
    const struct manifest_entry *entry = &resolving->reading->manifest->entries[index];
    const struct name_slot *first = name_table_find(&resolving->names, span_of(entry->name));
    if (first == NULL)
        return name_table_put(&resolving->names, entry->name, entry->line) ||
               config_no_memory(resolving->input);
    entry_error(resolving, index, "name",
                "%s is already the name of the certificate on line %u: give this one another",
                config_quote(span_of(entry->name)).text, first->value);
    return true;
}

/* Two certificates that took turns in one ARN would each look like drift to the other. */
static bool arns_claim(struct resolving *resolving, size_t index)
{
    const struct manifest_entry *entry = &resolving->reading->manifest->entries[index];
    for (const struct deploy_acm *target = entry->acm; target != NULL; target = target->next) {
        if (target->arn == NULL)
            continue;
        const struct name_slot *first = name_table_find(&resolving->arns, span_of(target->arn));
        if (first != NULL)
            entry_error(resolving, index, "deploy",
                        "%s is already a target of the certificate on line %u", target->arn,
                        first->value);
        else if (!name_table_put(&resolving->arns, target->arn, entry->line))
            return config_no_memory(resolving->input);
    }
    return true;
}

static int text_compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* XXH3 (64 bits, seed 0) of the names in byte order, each followed by a line feed, and
 * key_spec_name. It is kept in the state: any change of this makes every certificate due. */
static bool digest_make(struct resolving *resolving, struct manifest_entry *entry)
{
    const char *sorted[MANIFEST_DOMAINS_MAX];
    struct buf *text = &resolving->digest_text;
    memcpy(sorted, entry->domains, entry->domain_count * sizeof sorted[0]);
    qsort(sorted, entry->domain_count, sizeof sorted[0], text_compare);
    buf_clear(text);
    for (uint32_t i = 0; i < entry->domain_count; i++)
        if (!buf_append_text(text, sorted[i]) || !buf_append_char(text, '\n'))
            return config_no_memory(resolving->input);
    if (!buf_append_text(text, key_spec_name(entry->key)))
        return config_no_memory(resolving->input);
    entry->digest = XXH3_64bits(text->data, text->len);
    return true;
}

static bool entry_resolve(struct resolving *resolving, size_t index)
{
    struct manifest_entry *entry = &resolving->reading->manifest->entries[index];
    const struct entry_mark *mark = &resolving->reading->marks[index];
    if (entry->name != NULL)
        TRY(name_claim(resolving, index));
    if ((mark->given & ENTRY_BROKEN) != 0)
        return true;
    inherit(resolving, index);
    account_resolve(resolving, index);
    if ((mark->given & ENTRY_BROKEN) == 0)
        account_values_inherit(resolving, index);
    challenge_check(resolving, index);
    TRY(arns_claim(resolving, index));
    if ((mark->given & ENTRY_BROKEN) == 0)
        TRY(digest_make(resolving, entry));
    return true;
}

static void entries_compact(struct manifest_reading *reading)
{
    struct manifest *manifest = reading->manifest;
    size_t kept = 0;
    for (size_t i = 0; i < manifest->count; i++) {
        if ((reading->marks[i].given & ENTRY_BROKEN) != 0)
            continue;
        manifest->has_acm = manifest->has_acm || manifest->entries[i].acm != NULL;
        manifest->entries[kept++] = manifest->entries[i];
    }
    manifest->count = kept;
}

static void defaults_complete(struct draft *defaults)
{
    if ((defaults->mark.given & GIVEN_KEY_MODE) == 0)
        defaults->entry.key_mode = KEY_MODE_DEFAULT;
    if ((defaults->mark.given & GIVEN_CERTIFICATE_MODE) == 0)
        defaults->entry.certificate_mode = CERTIFICATE_MODE_DEFAULT;
    if ((defaults->mark.given & GIVEN_OWNER) == 0)
        defaults->entry.uid = (uid_t)-1;
    if ((defaults->mark.given & GIVEN_GROUP) == 0)
        defaults->entry.gid = (gid_t)-1;
}

bool manifest_resolve(struct config_input *input, struct manifest_reading *reading,
                      const struct accounts *accounts, bool accounts_broken)
{
    struct resolving resolving = {.input = input,
                                  .reading = reading,
                                  .accounts = accounts,
                                  .accounts_broken = accounts_broken};
    name_table_init(&resolving.aliases);
    name_table_init(&resolving.names);
    name_table_init(&resolving.arns);
    buf_init(&resolving.digest_text, DIGEST_BYTES_MAX);
    defaults_complete(&reading->defaults);
    bool resolved = aliases_index(&resolving);
    if (resolved)
        account_default_find(&resolving);
    for (size_t i = 0; i < reading->manifest->count && resolved; i++)
        resolved = entry_resolve(&resolving, i);
    if (resolved)
        shared_faults_report(&resolving);
    entries_compact(reading);
    name_table_free(&resolving.aliases);
    name_table_free(&resolving.names);
    name_table_free(&resolving.arns);
    buf_free(&resolving.digest_text);
    return resolved;
}
