#include "crl/lists.h"
#include "io/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define CHAIN_PATH_MAX 4096

bool crl_check_new(const struct crl_check_options *options, struct crl_check **ret_check,
                   struct error *error)
{
    struct crl_check *check = calloc(1, sizeof *check);
    if (check == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for revocation lists");
    check->options = *options;
    arena_init(&check->arena);
    name_table_init(&check->urls);
    name_table_init(&check->host_names);
    *ret_check = check;
    return true;
}

void crl_check_free(struct crl_check *check)
{
    if (check == NULL)
        return;
    if (check->own_crypto != NULL)
        crypto_context_free(check->own_crypto);
    name_table_free(&check->urls);
    name_table_free(&check->host_names);
    arena_free(&check->arena);
    free(check->marks);
    free(check->slots);
    free(check->found);
    free(check);
}

/* "http://HOST:PORT" of a URL that crl_url_is_usable. */
static struct span url_origin(struct span url)
{
    size_t len = span_starts(url, "https://") ? 8 : 7;
    while (len < url.len && strchr("/?#", url.data[len]) == NULL)
        len++;
    return span_make(url.data, len);
}

static struct crl_host *host_of(struct crl_check *check, struct span url)
{
    struct span origin = url_origin(url);
    const struct name_slot *slot = name_table_find(&check->host_names, origin);
    if (slot != NULL)
        return &check->hosts[slot->value];
    if (check->host_count == CRL_HOSTS_MAX)
        return NULL;
    const char *name = arena_text(&check->arena, origin);
    if (name == NULL || !name_table_put(&check->host_names, name, (uint32_t)check->host_count))
        return NULL;
    struct crl_host *host = &check->hosts[check->host_count++];
    host->check = check;
    return host;
}

static struct crl_list *list_new(struct crl_check *check, struct span url)
{
    struct crl_host *host = host_of(check, url);
    if (host == NULL || check->list_count == CRL_LISTS_MAX)
        return NULL;
    struct crl_list *list = arena_alloc(&check->arena, sizeof *list);
    const char *text = arena_text(&check->arena, url);
    if (list == NULL || text == NULL ||
        !name_table_put(&check->urls, text, (uint32_t)check->list_count))
        return NULL;
    *list = (struct crl_list){.url = text, .number = (uint32_t)check->list_count, .host = host};
    check->lists[check->list_count++] = list;
    return list;
}

/* The issuer's place in the list, CRL_ISSUERS_MAX without room. */
static unsigned issuer_place(struct crl_list *list, const char *name,
                             const struct certificate_info *info)
{
    const struct crl_issuer issuer = {
        .name_hash = XXH3_64bits(info->issuer_name.data, info->issuer_name.len),
        .key_hash = info->issuer_key_id.len > 0
                        ? XXH3_64bits(info->issuer_key_id.data, info->issuer_key_id.len)
                        : 0,
        .live = name};
    unsigned i = 0;
    for (; i < list->issuer_count; i++)
        if (list->issuers[i].name_hash == issuer.name_hash &&
            list->issuers[i].key_hash == issuer.key_hash)
            return i;
    if (i < CRL_ISSUERS_MAX)
        list->issuers[list->issuer_count++] = issuer;
    return i;
}

void crl_check_note(struct crl_check *check, size_t index, size_t count, const char *name,
                    const struct certificate_info *info)
{
    struct span serial = info->serial_bytes;
    if (info->crl_url.len == 0 || serial.len > CRL_SERIAL_MAX)
        return;
    if (check->marks == NULL) {
        check->marks = calloc(count, sizeof *check->marks);
        check->mark_count = check->marks != NULL ? count : 0;
    }
    const struct name_slot *slot = name_table_find(&check->urls, info->crl_url);
    struct crl_list *list =
        slot != NULL ? check->lists[slot->value] : list_new(check, info->crl_url);
    unsigned issuer = list != NULL ? issuer_place(list, name, info) : CRL_ISSUERS_MAX;
    if (index >= check->mark_count || issuer == CRL_ISSUERS_MAX) {
        check->left_out = true;
        return;
    }
    struct crl_mark *mark = &check->marks[index];
    mark->list = list->number + 1;
    mark->issuer = (uint8_t)issuer;
    mark->serial_len = (uint8_t)serial.len;
    memcpy(mark->serial, serial.data, serial.len);
    check->noted++;
}

/* Seeded by where the check lies, so that no CA can choose serials that all collide. */
static size_t slot_first(const struct crl_check *check, uint32_t list, struct span serial)
{
    XXH64_hash_t seed = (XXH64_hash_t)(uintptr_t)check + list;
    return (size_t)XXH3_64bits_withSeed(serial.data, serial.len, seed) & (check->slot_count - 1);
}

static bool slots_make(struct crl_check *check)
{
    size_t size = 64;
    while (size < check->noted * 2)
        size *= 2;
    check->slots = calloc(size, sizeof *check->slots);
    if (check->slots == NULL)
        return false;
    check->slot_count = size;
    for (size_t i = 0; i < check->mark_count; i++) {
        const struct crl_mark *mark = &check->marks[i];
        if (mark->list == 0)
            continue;
        size_t at = slot_first(check, mark->list - 1, span_make(mark->serial, mark->serial_len));
        while (check->slots[at] != 0)
            at = (at + 1) & (size - 1);
        check->slots[at] = (uint32_t)(i + 1);
    }
    return true;
}

static void found_add(struct crl_check *check, const struct crl_revocation *revocation)
{
    if (check->found_count == check->found_capacity) {
        size_t capacity = check->found_capacity > 0 ? check->found_capacity * 2 : 64;
        struct crl_revocation *found = realloc(check->found, capacity * sizeof *found);
        if (found == NULL) {
            check->left_out = true;
            return;
        }
        check->found = found;
        check->found_capacity = capacity;
    }
    check->found[check->found_count++] = *revocation;
}

/* One certificate may be live under several names. */
static void entry_look_up(struct crl_check *check, const struct crl_list *list, unsigned covered,
                          const struct crl_entry *entry)
{
    size_t at = slot_first(check, list->number, entry->serial);
    for (; check->slots[at] != 0; at = (at + 1) & (check->slot_count - 1)) {
        struct crl_mark *mark = &check->marks[check->slots[at] - 1];
        if (mark->list != list->number + 1 || (covered & 1U << mark->issuer) == 0 ||
            !span_equal(span_make(mark->serial, mark->serial_len), entry->serial))
            continue;
        const char *reason = crl_reason(entry);
        if (strcmp(reason, "removeFromCRL") == 0)
            continue;
        found_add(check, &(struct crl_revocation){.index = check->slots[at] - 1,
                                                  .at = entry->revoked_at,
                                                  .reason = reason,
                                                  .url = list->url});
        mark->list = 0; /* found once */
    }
}

static const struct crypto_context *crypto_of(struct crl_check *check, struct error *error)
{
    if (check->options.crypto != NULL)
        return check->options.crypto;
    if (check->own_crypto == NULL &&
        !crypto_context_new(&(struct crypto_options){.way = CRYPTO_OPENSSL}, &check->own_crypto,
                            error))
        check->own_crypto = NULL;
    return check->own_crypto;
}

static bool verified_by(struct crl_check *check, const struct crl *crl,
                        const struct crl_issuer *issuer, struct error *error)
{
    struct buf pem CLEANUP(buf_free);
    char path[CHAIN_PATH_MAX];
    const struct crypto_context *crypto = crypto_of(check, error);
    buf_init(&pem, CERTIFICATE_PEM_MAX);
    int len = snprintf(path, sizeof path, "%s/live/%s/chain.pem", check->options.state_folder,
                       issuer->live);
    if (len < 0 || (size_t)len >= sizeof path)
        return error_set(error, ERROR_LIMIT, "the path of its issuer is too long");
    return crypto != NULL && file_read(path, &pem, NULL, error) &&
           crl_verify(crypto, crl, buf_span(&pem), check->options.now, error);
}

/* The issuers, a bit each, whose certificates the list is about: all of the name of the one that
 * signed it, whichever key they were signed with. */
static bool issuers_covered(struct crl_check *check, const struct crl_list *list,
                            const struct crl *crl, unsigned *ret_covered, struct error *error)
{
    unsigned signer = 0;
    while (signer < list->issuer_count && !verified_by(check, crl, &list->issuers[signer], error))
        signer++;
    if (signer == list->issuer_count)
        return false;
    unsigned covered = 0;
    for (unsigned i = 0; i < list->issuer_count; i++)
        if (list->issuers[i].name_hash == list->issuers[signer].name_hash)
            covered |= 1U << i;
    *ret_covered = covered;
    return true;
}

bool crl_list_apply(struct crl_check *check, struct crl_list *list, struct span der,
                    struct error *error)
{
    struct crl crl;
    struct crl_entry entry;
    unsigned covered = 0;
    TRY(crl_read(der, span_of(list->url), &crl, error));
    TRY(issuers_covered(check, list, &crl, &covered, error));
    while (crl_next(&crl.entries, &entry))
        entry_look_up(check, list, covered, &entry);
    return crl.entries.len == 0 ||
           error_set(error, ERROR_PROTOCOL, "the list is damaged: one of its entries");
}

static void warn(struct crl_check *check, const char *text)
{
    const char *kept = arena_text(&check->arena, span_of(text));
    if (kept != NULL)
        check->warnings[check->warning_count++] = kept;
}

static void host_warn(struct crl_check *check, const struct crl_host *host)
{
    char text[sizeof host->first_failure + 256];
    char more[64] = "";
    if (host->failed > 1)
        snprintf(more, sizeof more, " (and %zu more of its lists)", host->failed - 1);
    snprintf(text, sizeof text, "revocation list %s%s; %s", host->first_failure, more,
             host->unknown > 0 ? "whether its certificates are revoked is not known"
                               : "the list of an earlier run was used");
    warn(check, text);
}

/* From what is kept, when that is the last word; else what is kept is for when nothing newer can be
 * had. */
static void list_begin(struct crl_check *check, struct crl_list *list)
{
    struct buf der CLEANUP(buf_free);
    struct error error;
    buf_init(&der, CRL_DER_MAX);
    enum crl_kept kept = crl_cache_read(check, list, &der);
    bool wanted = check->options.fetch ? kept == CRL_KEPT_FRESH : kept != CRL_NOT_KEPT;
    if ((wanted && crl_list_apply(check, list, buf_span(&der), &error)) || !check->options.fetch)
        return;
    list->next = list->host->waiting;
    list->host->waiting = list;
}

void crl_check_run(struct crl_check *check)
{
    if (check->noted > 0 && !slots_make(check)) {
        check->left_out = true;
    } else {
        for (size_t i = 0; i < check->list_count; i++)
            list_begin(check, check->lists[i]);
        crl_fetch_all(check);
    }
    for (size_t i = 0; i < check->host_count; i++)
        if (check->hosts[i].failed > 0)
            host_warn(check, &check->hosts[i]);
    if (check->left_out)
        warn(check, "there are too many revocation lists, or too little memory for them: some "
                    "certificates were not looked up");
}

const struct crl_revocation *crl_check_found(const struct crl_check *check, size_t *ret_count)
{
    *ret_count = check->found_count;
    return check->found;
}

const char *const *crl_check_warnings(const struct crl_check *check, size_t *ret_count)
{
    *ret_count = check->warning_count;
    return check->warnings;
}
