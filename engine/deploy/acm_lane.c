/* The imports of one AWS account and region: who goes next, and how fast. */
#include "deploy/acm_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define READS_PER_SECOND 10
#define LISTS_PER_SECOND 5
#define READS_OUT_MAX    8
#define IMPORTS_OUT_MIN  4
/* Imports that may be out together: an answer may take some seconds at the full rate. */
#define IMPORT_SECONDS_OUT 4
#define BEGUN_A_TURN       256
#define PROFILE_BROKEN_MS  30000
#define LANE_DOWN_MS       60000
#define LANE_DOWN_FAILURES 6 /* in a row */

static bool lane_init(struct acm_lane *lane, struct acm_deployer *deployer, const char *account,
                      const char *region)
{
    double rate = deployer->options.manifest->aws.imports_per_second;
    lane->deployer = deployer;
    lane->waiter.lane = lane;
    memcpy(lane->account, account, sizeof lane->account);
    lane->region = region;
    lane->imports_max = IMPORTS_OUT_MIN;
    if (rate * IMPORT_SECONDS_OUT > IMPORTS_OUT_MIN)
        lane->imports_max = (unsigned)ceil(rate * IMPORT_SECONDS_OUT);
    acm_pace_init(&lane->imports, rate, 1, deployer->now_ms);
    acm_pace_init(&lane->reads, READS_PER_SECOND, READS_PER_SECOND, deployer->now_ms);
    acm_pace_init(&lane->lists, LISTS_PER_SECOND, LISTS_PER_SECOND, deployer->now_ms);
    return slots_add(&deployer->waiters, &lane->waiter, &lane->id);
}

struct acm_lane *acm_lane_get(struct acm_deployer *deployer, const char *account,
                              const char *region)
{
    for (struct acm_lane *lane = deployer->lanes; lane != NULL; lane = lane->next)
        if (strcmp(lane->account, account) == 0 && strcmp(lane->region, region) == 0)
            return lane;
    struct acm_lane *lane = calloc(1, sizeof *lane);
    if (lane == NULL)
        return NULL;
    if (!lane_init(lane, deployer, account, region)) {
        free(lane);
        return NULL;
    }
    acm_quota_begin(lane);
    lane->next = deployer->lanes;
    deployer->lanes = lane;
    return lane;
}

void acm_lane_free(struct acm_lane *lane)
{
    acm_list_free(&lane->list);
    acm_list_free(&lane->fresh);
    free(lane->list_next);
    arena_free(&lane->made_arena);
    free(lane->made);
    free(lane);
}

void acm_works_add(struct acm_works *works, struct acm_work *work)
{
    work->next = NULL;
    if (works->first == NULL)
        works->first = work;
    else
        works->last->next = work;
    works->last = work;
}

void acm_works_add_first(struct acm_works *works, struct acm_work *work)
{
    if (works->first == NULL)
        works->last = work;
    work->next = works->first;
    works->first = work;
}

static struct acm_work *works_take(struct acm_works *works)
{
    struct acm_work *work = works->first;
    works->first = work->next;
    work->next = NULL;
    return work;
}

/* Why a job need not even begin; NULL: it may. */
static const struct error *refusal(const struct acm_lane *lane, const struct acm_profile *profile)
{
    int64_t now_ms = lane->deployer->now_ms;
    if (now_ms < profile->broken_until_ms)
        return &profile->error;
    return now_ms < lane->down_until_ms ? &lane->down_error : NULL;
}

static void jobs_begin(struct acm_lane *lane, struct acm_queue *waiting)
{
    unsigned most = lane->imports_max + READS_OUT_MAX;
    for (unsigned i = 0; i < BEGUN_A_TURN; i++) {
        if (waiting->first == NULL || lane->active >= most)
            return;
        struct acm_job *job = acm_queue_take(waiting);
        const struct error *error = refusal(lane, job->profile);
        if (error != NULL)
            acm_job_fail(lane->deployer, job, error);
        else
            acm_work_begin(lane, job);
    }
}

static void later_run(struct acm_lane *lane)
{
    struct acm_works waiting = lane->later;
    lane->later = (struct acm_works){0};
    while (waiting.first != NULL) {
        struct acm_work *work = works_take(&waiting);
        if (work->at_ms > lane->deployer->now_ms)
            acm_works_add(&lane->later, work);
        else
            acm_work_go(work, work->step);
    }
}

static void searching_run(struct acm_lane *lane)
{
    struct acm_works waiting = lane->searching;
    lane->searching = (struct acm_works){0};
    while (waiting.first != NULL) {
        struct acm_work *work = works_take(&waiting);
        if (lane->list_number > work->list_after) {
            acm_lost_begin(work);
            continue;
        }
        acm_works_add(&lane->searching, work);
        if (lane->listing == ACM_LIST_DONE || lane->listing == ACM_LIST_FAILED)
            lane->listing = ACM_LIST_WANTED;
    }
}

static void reading_run(struct acm_lane *lane)
{
    while (lane->reading.first != NULL && lane->reads_out < READS_OUT_MAX &&
           acm_pace_wait_ms(&lane->reads, lane->deployer->now_ms) == 0) {
        acm_pace_take(&lane->reads);
        acm_work_read(works_take(&lane->reading));
    }
}

static void importing_run(struct acm_lane *lane)
{
    while (lane->importing.first != NULL && lane->imports_out < lane->imports_max &&
           acm_pace_wait_ms(&lane->imports, lane->deployer->now_ms) == 0)
        acm_import_begin(works_take(&lane->importing));
}

void acm_lane_run(struct acm_lane *lane)
{
    acm_list_run(lane);
    if (!lane->listed && !lane->list_late)
        return;
    later_run(lane);
    jobs_begin(lane, &lane->waiting);
    if (lane->listed)
        jobs_begin(lane, &lane->watching);
    searching_run(lane);
    reading_run(lane);
    importing_run(lane);
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

int64_t acm_lane_wait_ms(struct acm_lane *lane)
{
    int64_t now_ms = lane->deployer->now_ms;
    int64_t wait_ms = -1;
    if (lane->listing == ACM_LIST_WANTED && acm_lane_wants_list(lane)) {
        int64_t list_ms = lane->list_at_ms - now_ms;
        int64_t pace_ms = acm_pace_wait_ms(&lane->lists, now_ms);
        wait_ms = sooner(wait_ms, list_ms > pace_ms ? list_ms : pace_ms);
    }
    if (!lane->listed && !lane->list_late)
        return wait_ms;
    bool begins = lane->waiting.first != NULL || (lane->listed && lane->watching.first != NULL);
    if (begins && lane->active < lane->imports_max + READS_OUT_MAX)
        wait_ms = 0;
    if (lane->reading.first != NULL && lane->reads_out < READS_OUT_MAX)
        wait_ms = sooner(wait_ms, acm_pace_wait_ms(&lane->reads, now_ms));
    if (lane->importing.first != NULL && lane->imports_out < lane->imports_max)
        wait_ms = sooner(wait_ms, acm_pace_wait_ms(&lane->imports, now_ms));
    for (const struct acm_work *work = lane->later.first; work != NULL; work = work->next)
        wait_ms = sooner(wait_ms, work->at_ms > now_ms ? work->at_ms - now_ms : 0);
    return wait_ms;
}

static bool is_credentials(enum aws_outcome outcome)
{
    return outcome == AWS_CREDENTIALS || outcome == AWS_UNKNOWN_CREDENTIALS ||
           outcome == AWS_EXPIRED || outcome == AWS_SKEWED;
}

void acm_lane_doubt(struct acm_lane *lane)
{
    lane->failures = LANE_DOWN_FAILURES - 1;
}

bool acm_lane_wants_list(const struct acm_lane *lane)
{
    return lane->waiting.first != NULL || lane->watching.first != NULL ||
           lane->searching.first != NULL || lane->list_next != NULL;
}

void acm_lane_learn(struct acm_lane *lane, struct acm_profile *profile, bool import,
                    const struct aws_reply *reply)
{
    struct acm_deployer *deployer = lane->deployer;
    struct acm_pace *pace = import ? &lane->imports : profile == NULL ? &lane->lists : &lane->reads;
    bool silent = reply->outcome == AWS_UNREACHABLE || reply->outcome == AWS_UNCLEAR ||
                  reply->outcome == AWS_FAILED;
    if (reply->outcome == AWS_THROTTLED) {
        atomic_fetch_add(&deployer->counts.throttled, 1);
        acm_pace_throttled(pace, deployer->now_ms, jitter_next(&deployer->jitter));
    } else if (!silent) {
        acm_pace_answered(pace);
    }
    if (!silent) {
        lane->failures = 0;
    } else if (++lane->failures >= LANE_DOWN_FAILURES) {
        lane->down_error = reply->error;
        lane->down_until_ms = deployer->now_ms + LANE_DOWN_MS;
    }
    if (profile != NULL && is_credentials(reply->outcome)) {
        profile->error = reply->error;
        profile->broken_until_ms = deployer->now_ms + PROFILE_BROKEN_MS;
    }
}
