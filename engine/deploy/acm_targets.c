/* Whether each ACM target of the manifest can be used, before anything is sent. */
#include "deploy/acm_deployer.h"

#include <stdlib.h>
#include <string.h>

struct pair {
    const char *profile, *region; /* NULL: the default one, the profile's */
};

struct pairs {
    struct pair *pairs;
    size_t count, capacity;
};

static bool text_equal(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool pair_known(const struct pairs *pairs, const struct deploy_acm *target)
{
    for (size_t i = 0; i < pairs->count; i++)
        if (text_equal(pairs->pairs[i].profile, target->profile) &&
            text_equal(pairs->pairs[i].region, target->region))
            return true;
    return false;
}

static bool pair_add(struct pairs *pairs, const struct deploy_acm *target)
{
    if (pairs->count == pairs->capacity) {
        size_t capacity = pairs->capacity > 0 ? pairs->capacity * 2 : 16;
        struct pair *grown = reallocarray(pairs->pairs, capacity, sizeof *grown);
        if (grown == NULL)
            return false;
        pairs->pairs = grown;
        pairs->capacity = capacity;
    }
    pairs->pairs[pairs->count++] = (struct pair){target->profile, target->region};
    return true;
}

static bool target_check(const struct deploy_acm *target, struct aws_profiles *profiles,
                         struct error *error)
{
    char url[AWS_ENDPOINT_MAX];
    const char *region = target->region;
    TRY(aws_profile_check(profiles, target->profile, error));
    if (region == NULL)
        TRY(aws_profile_region(profiles, target->profile, &region, error));
    return aws_profile_endpoint(profiles, target->profile, AWS_ACM, region, url, error);
}

/* Each pair once, however many certificates name it; what is wrong comes joined. */
static bool targets_check(const struct manifest *manifest, struct aws_profiles *profiles,
                          struct pairs *pairs, struct buf *text, struct error *error)
{
    const struct deploy_acm *last = NULL;
    for (size_t i = 0; i < manifest->count; i++) {
        /* Entries that inherit their targets share the list. */
        if (manifest->entries[i].acm == last)
            continue;
        last = manifest->entries[i].acm;
        for (const struct deploy_acm *target = last; target != NULL; target = target->next) {
            struct error one;
            if (pair_known(pairs, target))
                continue;
            if (!pair_add(pairs, target))
                return error_set(error, ERROR_MEMORY, "no memory for the targets in ACM");
            /* Past the text's ceiling the rest shows in the next try. */
            if (!target_check(target, profiles, &one))
                (void)!buf_printf(text, "%s%s:%u: %s", text->len > 0 ? "; " : "", manifest->file,
                                  (unsigned)target->line, one.text);
        }
    }
    return text->len == 0 || error_set(error, ERROR_CONFIG, "%s", buf_text(text));
}

bool acm_targets_check(const struct manifest *manifest, struct aws_profiles *profiles,
                       struct error *error)
{
    struct pairs pairs = {0};
    struct buf text CLEANUP(buf_free);
    buf_init(&text, (size_t)64 * 1024);
    bool ok = targets_check(manifest, profiles, &pairs, &text, error);
    free(pairs.pairs);
    return ok;
}
