#include "cli/aws_policy.h"

#include "aws/policy.h"
#include "cli/inputs.h"
#include "cli/message.h"
#include "report/ending.h"

#include <stdlib.h>
#include <string.h>

#define S3_SCHEME    "s3://"
#define ANY_ACCOUNTS "*/acme_accounts.yaml" /* the connector's name for it, in any bucket */

/* A growing list of borrowed texts, each once. */
struct texts {
    const char **list;
    size_t count, capacity;
};

struct policy_making {
    const struct command_options *options;
    struct aws_profiles *profiles;
    struct texts used; /* profiles; NULL among them is the default one */
    struct texts regions, zones, roles;
    bool any_region; /* of one import it is not known */
    bool any_zone;
    bool failed;
};

static bool is_same(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static void text_add(struct policy_making *making, struct texts *texts, const char *text)
{
    for (size_t i = 0; i < texts->count; i++)
        if (is_same(texts->list[i], text))
            return;
    if (texts->count == texts->capacity) {
        size_t more = texts->capacity == 0 ? 8 : texts->capacity * 2;
        const char **larger = reallocarray(texts->list, more, sizeof *larger);
        if (larger == NULL) {
            making->failed = true;
            return;
        }
        texts->list = larger;
        texts->capacity = more;
    }
    texts->list[texts->count++] = text;
}

static void making_free(struct policy_making *making)
{
    free(making->used.list);
    free(making->regions.list);
    free(making->zones.list);
    free(making->roles.list);
}

static struct policy_list list_of(const struct texts *texts, bool any)
{
    return (struct policy_list){texts->list, any ? 0 : texts->count};
}

static bool is_wanted(const struct policy_making *making, const char *profile)
{
    const char *wanted = making->options->profile;
    return wanted == NULL ||
           is_same(profile != NULL ? profile : aws_profile_default(making->profiles), wanted);
}

static void roles_add(struct policy_making *making, const char *profile)
{
    const char *role;
    for (size_t i = 0; (role = aws_profile_role(making->profiles, profile, i)) != NULL; i++)
        text_add(making, &making->roles, role);
}

static bool acm_collect(struct policy_making *making, const struct manifest *manifest)
{
    bool found = false;
    const struct deploy_acm *last = NULL; /* entries that inherit their targets share them */
    for (size_t i = 0; i < manifest->count; i++) {
        if (manifest->entries[i].acm == last)
            continue;
        last = manifest->entries[i].acm;
        for (const struct deploy_acm *acm = last; acm != NULL; acm = acm->next) {
            const char *region = acm->region;
            struct error unknown;
            if (!is_wanted(making, acm->profile))
                continue;
            found = true;
            text_add(making, &making->used, acm->profile);
            if (region == NULL &&
                !aws_profile_region(making->profiles, acm->profile, &region, &unknown))
                making->any_region = true;
            else
                text_add(making, &making->regions, region);
        }
    }
    return found;
}

static bool route53_collect(struct policy_making *making, const struct manifest_route53 *route53)
{
    bool found = is_wanted(making, route53->profile);
    if (!route53->given)
        return false;
    /* Zones that are not named are found by the solver's own profile. */
    making->any_zone = found;
    if (found)
        text_add(making, &making->used, route53->profile);
    for (const struct route53_zone *zone = route53->zones; zone != NULL; zone = zone->next) {
        const char *profile = zone->profile != NULL ? zone->profile : route53->profile;
        if (!is_wanted(making, profile))
            continue;
        found = true;
        text_add(making, &making->used, profile);
        if (zone->id != NULL)
            text_add(making, &making->zones, zone->id);
        else
            making->any_zone = true;
    }
    return found;
}

static const char *object_of(const char *file)
{
    bool is_s3 = file != NULL && strncmp(file, S3_SCHEME, strlen(S3_SCHEME)) == 0;
    return is_s3 ? file + strlen(S3_SCHEME) : NULL;
}

static int needs_print(struct policy_making *making, struct policy_needs *needs)
{
    const char *region = NULL;
    struct error unknown;
    if (making->regions.count > 0)
        region = making->regions.list[0];
    else if (!aws_profile_region(making->profiles, making->options->profile, &region, &unknown))
        region = "";
    needs->partition = aws_partition(region);
    needs->regions = list_of(&making->regions, making->any_region);
    needs->zones = list_of(&making->zones, making->any_zone);
    needs->roles = list_of(&making->roles, false);
    json_t *policy = making->failed ? NULL : aws_policy(needs);
    if (policy == NULL) {
        message_text("no memory for the policy");
        return ENDING_USAGE;
    }
    (void)json_dumpf(policy, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(policy);
    return ENDING_DONE;
}

static int general_print(struct policy_making *making)
{
    const char *object = object_of(making->options->accounts_file);
    struct policy_needs needs = {
        .acm = true, .object = object != NULL ? object : ANY_ACCOUNTS, .route53 = true};
    if (making->options->profile != NULL)
        roles_add(making, making->options->profile);
    else
        for (size_t i = 0; aws_profile_name(making->profiles, i) != NULL; i++)
            roles_add(making, aws_profile_name(making->profiles, i));
    return needs_print(making, &needs);
}

static int manifest_print(struct policy_making *making)
{
    struct inputs inputs CLEANUP(inputs_free) = {0};
    if (!inputs_read_manifest(making->options, &inputs))
        return ENDING_USAGE;
    const struct manifest *manifest = &inputs.manifest;
    const char *accounts = making->options->accounts_file != NULL ? making->options->accounts_file
                                                                  : manifest->accounts_file;
    struct policy_needs needs = {.acm = acm_collect(making, manifest),
                                 .route53 = route53_collect(making, &manifest->solvers.route53)};
    const char *reader = manifest->aws.accounts_profile;
    if (is_wanted(making, reader))
        needs.object = object_of(accounts);
    if (needs.object != NULL)
        text_add(making, &making->used, reader);
    for (size_t i = 0; i < making->used.count; i++)
        roles_add(making, making->used.list[i]);
    return needs_print(making, &needs);
}

int aws_policy_print(const struct command_options *options, struct aws_profiles *profiles)
{
    struct policy_making making = {.options = options, .profiles = profiles};
    int ending = options->manifest != NULL ? manifest_print(&making) : general_print(&making);
    making_free(&making);
    return ending;
}
