/* Whose account a profile is of: by STS GetCallerIdentity, once a profile, so that profiles of one
 * account share its lanes, and with them its pace and its quotas. */
#include "deploy/acm_internal.h"

#include "aws/xml.h"

#include <stdlib.h>
#include <string.h>

#define ASKS_MAX 6 /* with the pauses between them, some two minutes */

static const struct backoff between_asks = {.first_ms = 4000, .cap_ms = 60000};

static bool text_equal(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static struct acm_profile *profile_get(struct acm_deployer *deployer, const char *name)
{
    for (struct acm_profile *profile = deployer->profiles; profile != NULL; profile = profile->next)
        if (text_equal(profile->name, name))
            return profile;
    struct acm_profile *profile = arena_alloc(&deployer->arena, sizeof *profile);
    if (profile == NULL)
        return NULL;
    profile->name = name;
    profile->waiter.profile = profile;
    if (!slots_add(&deployer->waiters, &profile->waiter, &profile->id))
        return NULL;
    profile->next = deployer->profiles;
    deployer->profiles = profile;
    return profile;
}

static bool region_find(struct acm_deployer *deployer, struct acm_profile *profile,
                        const struct deploy_acm *target, const char **ret_region,
                        struct error *error)
{
    if (target->region != NULL) {
        *ret_region = target->region;
        return true;
    }
    if (profile->default_region == NULL)
        TRY(aws_profile_region(deployer->options.profiles, profile->name, &profile->default_region,
                               error));
    *ret_region = profile->default_region;
    return true;
}

static void job_to_lane(struct acm_deployer *deployer, struct acm_job *job)
{
    struct acm_lane *lane = acm_lane_get(deployer, job->profile->account, job->region);
    if (lane != NULL) {
        acm_queue_add(job->item->watch ? &lane->watching : &lane->waiting, job);
        return;
    }
    struct error error;
    error_set(&error, ERROR_MEMORY, "no memory for an AWS account and region");
    acm_job_fail(deployer, job, &error);
}

static void job_pass(struct acm_deployer *deployer, struct acm_job *job)
{
    if (job->profile->stage == ACM_PROFILE_BAD)
        acm_job_fail(deployer, job, &job->profile->error);
    else if (job->profile->stage == ACM_PROFILE_KNOWN)
        job_to_lane(deployer, job);
    else
        acm_queue_add(&job->profile->waiting, job);
}

bool acm_job_place(struct acm_deployer *deployer, struct acm_item *item,
                   const struct deploy_acm *target, struct error *error)
{
    struct acm_profile *profile = profile_get(deployer, target->profile);
    if (profile == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for an AWS profile");
    const char *region = NULL;
    TRY(region_find(deployer, profile, target, &region, error));
    if (profile->region == NULL)
        profile->region = region;
    struct acm_job *job = calloc(1, sizeof *job);
    if (job == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for an import into ACM");
    *job = (struct acm_job){.item = item, .target = target, .profile = profile, .region = region};
    job_pass(deployer, job);
    return true;
}

static void waiting_pass(struct acm_deployer *deployer, struct acm_profile *profile)
{
    struct acm_job *job;
    while ((job = acm_queue_take(&profile->waiting)) != NULL)
        job_pass(deployer, job);
}

static void profile_end(struct acm_deployer *deployer, struct acm_profile *profile,
                        const struct error *error)
{
    profile->stage = ACM_PROFILE_BAD;
    profile->error = *error;
    error_prefix(&profile->error, "which AWS account it is: ");
    waiting_pass(deployer, profile);
}

static void profile_ask(struct acm_deployer *deployer, struct acm_profile *profile)
{
    struct aws_request request = {
        .id = profile->id,
        .profile = profile->name,
        .region = profile->region,
        .service = AWS_STS,
        .method = HTTP_POST,
        .path = SPAN_LITERAL("/"),
        .content_type = "application/x-www-form-urlencoded; charset=utf-8",
        .body = SPAN_LITERAL("Action=GetCallerIdentity&Version=2011-06-15"),
        .action = "sts:GetCallerIdentity",
    };
    struct error error;
    profile->stage = ACM_PROFILE_ASKED;
    profile->tries++;
    if (!aws_send(deployer->client, &request, &error))
        profile_end(deployer, profile, &error);
}

void acm_profiles_run(struct acm_deployer *deployer)
{
    for (struct acm_profile *profile = deployer->profiles; profile != NULL; profile = profile->next)
        if (profile->stage == ACM_PROFILE_NEW && profile->ask_at_ms <= deployer->now_ms)
            profile_ask(deployer, profile);
}

int64_t acm_profiles_wait_ms(const struct acm_deployer *deployer)
{
    int64_t wait_ms = -1;
    for (const struct acm_profile *profile = deployer->profiles; profile != NULL;
         profile = profile->next) {
        if (profile->stage != ACM_PROFILE_NEW)
            continue;
        int64_t left_ms = profile->ask_at_ms - deployer->now_ms;
        if (wait_ms < 0 || left_ms < wait_ms)
            wait_ms = left_ms > 0 ? left_ms : 0;
    }
    return wait_ms;
}

static bool account_read(struct span body, char account[ACM_ACCOUNT_TEXT], struct error *error)
{
    struct arena arena CLEANUP(arena_free);
    arena_init(&arena);
    struct xml_element *root = NULL;
    TRY(xml_parse(body, &arena, &root, error));
    struct span text = xml_text(root, "GetCallerIdentityResult/Account");
    uint64_t number;
    if (text.len != ACM_ACCOUNT_TEXT - 1 || !span_to_u64(text, UINT64_MAX, &number))
        return error_set(error, ERROR_PROTOCOL, "STS's answer names no account");
    memcpy(account, text.data, text.len);
    account[text.len] = '\0';
    return true;
}

static bool may_pass(enum aws_outcome outcome)
{
    return outcome == AWS_THROTTLED || outcome == AWS_BUSY || outcome == AWS_FAILED ||
           outcome == AWS_UNREACHABLE || outcome == AWS_UNCLEAR;
}

void acm_profile_reply(struct acm_deployer *deployer, struct acm_profile *profile,
                       const struct aws_reply *reply)
{
    struct error error;
    if (reply->outcome == AWS_OK) {
        if (!account_read(reply->body, profile->account, &error)) {
            profile_end(deployer, profile, &error);
            return;
        }
        profile->stage = ACM_PROFILE_KNOWN;
        waiting_pass(deployer, profile);
    } else if (may_pass(reply->outcome) && profile->tries < ASKS_MAX) {
        profile->stage = ACM_PROFILE_NEW;
        profile->ask_at_ms = deployer->now_ms + backoff_ms(&between_asks, profile->tries - 1, -1, 0,
                                                           jitter_next(&deployer->jitter));
    } else {
        profile_end(deployer, profile, &reply->error);
    }
}
