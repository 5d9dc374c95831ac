/* One certificate for one target, from what is known of it to what came of it. */
#include "deploy/acm_internal.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIES_MAX 3
/* How far ACM's ImportedAt may be from when this machine sent the import. */
#define SAME_IMPORT_S 120
#define NAMES_SHOWN   200

static const struct backoff between_tries = {.first_ms = 2000, .cap_ms = 30000};

const struct manifest_entry *acm_work_entry(const struct acm_work *work)
{
    return work->job->item->entry;
}

bool acm_work_files(const struct acm_work *work, bool with_key, struct acm_files *ret_files,
                    struct error *error)
{
    const struct acm_item *item = work->job->item;
    return acm_files_read(work->lane->deployer->state_folder, item->entry->name, item->sequence,
                          with_key, ret_files, error);
}

void acm_work_free(struct acm_work *work)
{
    buf_free(&work->body);
    arena_free(&work->search_arena);
    slots_remove(&work->lane->deployer->waiters, work->id);
    work->lane->active--;
    free(work);
}

static void work_end(struct acm_work *work)
{
    struct acm_deployer *deployer = work->lane->deployer;
    struct acm_item *item = work->job->item;
    bool failed = work->failed;
    bool acted = work->sent || work->drifted;
    struct error error = work->error;
    if (failed)
        atomic_fetch_add(&deployer->counts.failed, 1);
    else if (!work->sent)
        atomic_fetch_add(&deployer->counts.unchanged, 1);
    else if (work->drifted)
        atomic_fetch_add(&deployer->counts.repaired, 1);
    if (work->sent)
        item->imports++;
    free(work->job);
    acm_work_free(work);
    acm_item_target_ended(deployer, item, acted, failed ? &error : NULL);
}

void acm_work_fail(struct acm_work *work, const struct error *error)
{
    work->failed = true;
    work->error = *error;
    work->step = ACM_RECORDING;
    buf_free(&work->body);
    acm_change_work(work, STATE_IMPORT_FAILED);
}

static void fail_with(struct acm_work *work, struct error *error)
{
    error_prefix(error, "ACM, account %s, %s: ", work->lane->account, work->lane->region);
    acm_work_fail(work, error);
}

bool acm_work_again(struct acm_work *work, enum acm_step step)
{
    struct acm_deployer *deployer = work->lane->deployer;
    if (work->tries >= TRIES_MAX || deployer->now_ms < work->lane->down_until_ms)
        return false;
    work->step = step;
    work->at_ms = deployer->now_ms +
                  backoff_ms(&between_tries, work->tries++, -1, 0, jitter_next(&deployer->jitter));
    acm_works_add(&work->lane->later, work);
    return true;
}

void acm_work_go(struct acm_work *work, enum acm_step step)
{
    work->step = step;
    switch (step) {
    case ACM_DESCRIBE:
    case ACM_SEARCH_DESCRIBE:
    case ACM_SEARCH_TAGS:
        acm_works_add(&work->lane->reading, work);
        break;
    case ACM_SEARCH:
        work->list_after = work->tries > 0 ? work->lane->lists_begun : 0;
        acm_works_add(&work->lane->searching, work);
        break;
    case ACM_IMPORT:
        acm_works_add(&work->lane->importing, work);
        break;
    case ACM_INTENDING:
    case ACM_RECORDING:
        break; /* a change of the state is on its way */
    }
}

void acm_work_record(struct acm_work *work, enum state_change_kind kind)
{
    struct acm_deployer *deployer = work->lane->deployer;
    const struct acm_row *old = work->moved ? work->row : NULL;
    work->step = ACM_RECORDING;
    acm_change_work(work, kind); /* the work may be gone after this */
    if (old != NULL)
        acm_change_gone(deployer, old);
}

void acm_work_keep(struct acm_work *work, const struct acm_files *files, int64_t imported_at)
{
    work->digest = files->digest;
    work->not_after = files->info.not_after;
    work->imported_at = imported_at;
    memcpy(work->serial, files->info.serial, sizeof work->serial);
    acm_work_record(work, STATE_IMPORT_KEPT);
}

/* What the row says stays as it is, but for when ACM says that it was imported. */
static void keep_row(struct acm_work *work, int64_t imported_at)
{
    const struct acm_row *row = work->row;
    work->digest = row->digest;
    work->not_after = row->not_after;
    work->imported_at = imported_at;
    snprintf(work->serial, sizeof work->serial, "%s", row->serial);
    acm_work_record(work, STATE_IMPORT_KEPT);
}

/* Does the list show what the row says, so that no call is needed? */
static bool list_agrees(const struct acm_held *held, const struct acm_row *row)
{
    if (held->not_after == 0 || held->imported_at == 0 || held->not_after != row->not_after)
        return false;
    if (row->imported_at != 0)
        return held->imported_at == row->imported_at;
    int64_t apart = held->imported_at - row->attempted_at;
    return apart >= -SAME_IMPORT_S && apart <= SAME_IMPORT_S;
}

static void row_is_right(struct acm_work *work, int64_t imported_at)
{
    const struct acm_row *row = work->row;
    bool same = !work->moved && row->failures == 0 && row->sequence == work->job->item->sequence &&
                row->imported_at == imported_at;
    if (same)
        work_end(work);
    else
        keep_row(work, imported_at);
}

/* The target has this content, by the row; whether it still has it is asked when certificates are
 * watched, and by a call of its own when the last try to mend it failed: the row tells nothing
 * then. */
static void unchanged_begin(struct acm_work *work)
{
    const struct acm_lane *lane = work->lane;
    bool listed = lane->list_number > 0 && lane->listing != ACM_LIST_FAILED;
    bool watched = work->job->item->watch && lane->deployer->options.manifest->aws.drift && listed;
    const struct acm_held *held = listed ? acm_list_find(&lane->list, work->arn) : NULL;
    if (!watched && work->row->failures == 0)
        row_is_right(work, work->row->imported_at);
    else if (held != NULL && list_agrees(held, work->row))
        row_is_right(work, held->imported_at);
    else
        acm_work_go(work, ACM_DESCRIBE);
}

static void elsewhere_warn(const struct acm_work *work, const struct acm_row *row)
{
    const struct acm_lane *lane = work->lane;
    const struct deploy_acm *target = work->job->target;
    bool account = strcmp(row->account, lane->account) != 0;
    struct acm_arn arn = {0};
    (void)!acm_arn_parse(span_of(row->arn), &arn, NULL);
    acm_warning(lane->deployer, acm_work_entry(work)->name,
                "the AWS profile %s was of %s %.*s and is now of %s: the certificate is imported "
                "there as a new one, and %s stays as it is",
                target->profile != NULL ? target->profile : "(default)",
                account ? "account" : "region",
                SPAN_PRINTF(account ? span_of(row->account) : arn.region),
                account ? lane->account : lane->region, row->arn);
}

/* The row that the state has for the target, unless its profile is of another account now, or of
 * another region where the manifest leaves that to it. */
static void row_choose(struct acm_work *work)
{
    struct acm_lane *lane = work->lane;
    const struct acm_rows *rows = &lane->deployer->rows;
    const struct deploy_acm *target = work->job->target;
    const struct manifest_entry *entry = acm_work_entry(work);
    const struct acm_row *row = acm_rows_find(rows, entry->name, target);
    bool elsewhere =
        row != NULL && row->account[0] != '\0' && row->arn[0] != '\0' &&
        !(strcmp(row->account, lane->account) == 0 && acm_row_is_in_region(row, lane->region));
    if (elsewhere && target->arn == NULL)
        elsewhere_warn(work, row);
    work->row_elsewhere = elsewhere;
    work->row = row;
    if (row != NULL)
        return;
    work->row = acm_rows_find_renamed(rows, entry, target, lane->account, lane->region);
    work->moved = work->row != NULL;
}

/* Two certificates that took turns in one ARN would each look like drift to the other. */
static bool given_is_free(const struct acm_work *work, struct error *error)
{
    struct acm_deployer *deployer = work->lane->deployer;
    const char *given = work->job->target->arn;
    const char *holder = acm_rows_holder(&deployer->rows, deployer->options.manifest, given,
                                         acm_work_entry(work)->name);
    return holder == NULL ||
           error_set(error, ERROR_CONFIG,
                     "%s is what %s is imported to: give that certificate another ARN, or take its "
                     "target out of the manifest, or import this one as a new certificate, without "
                     "`arn`",
                     given, holder);
}

/* An ARN of another account or region than the target's would be asked for in vain. */
static bool given_check(const struct acm_work *work, struct error *error)
{
    const char *given = work->job->target->arn;
    struct acm_arn arn;
    if (given == NULL)
        return true;
    TRY(acm_arn_parse(span_of(given), &arn, error));
    if (!span_is(arn.account, work->lane->account))
        return error_set(error, ERROR_CONFIG,
                         "%s is of account %.*s, but the profile %s is of account %s: name a "
                         "profile of that account, or another ARN",
                         given, SPAN_PRINTF(arn.account),
                         work->job->target->profile != NULL ? work->job->target->profile
                                                            : "(default)",
                         work->lane->account);
    if (!span_is(arn.region, work->lane->region))
        return error_set(error, ERROR_CONFIG, "%s is of region %.*s, not of %s: set `region` to it",
                         given, SPAN_PRINTF(arn.region), work->lane->region);
    return given_is_free(work, error);
}

static bool content_is_same(struct acm_work *work, struct error *error)
{
    const struct acm_row *row = work->row;
    if (row == NULL || work->row_elsewhere || row->arn[0] == '\0' || row->digest == 0)
        return true;
    if (row->sequence == work->job->item->sequence) {
        work->unchanged = true;
        return true;
    }
    struct acm_files files;
    TRY(acm_work_files(work, false, &files, error));
    work->unchanged = files.digest == row->digest;
    acm_files_free(&files);
    return true;
}

static void work_start(struct acm_work *work)
{
    struct error error;
    const struct deploy_acm *target = work->job->target;
    row_choose(work);
    if (!given_check(work, &error) || !content_is_same(work, &error)) {
        fail_with(work, &error);
        return;
    }
    const char *arn = target->arn;
    if (arn == NULL && work->row != NULL && !work->row_elsewhere)
        arn = work->row->arn;
    snprintf(work->arn, sizeof work->arn, "%s", arn != NULL ? arn : "");
    if (work->unchanged)
        unchanged_begin(work);
    else if (work->arn[0] != '\0')
        acm_work_go(work, ACM_DESCRIBE);
    else if (work->row != NULL && !work->row_elsewhere)
        acm_work_go(work, ACM_SEARCH);
    else
        acm_work_go(work, ACM_IMPORT);
}

void acm_work_begin(struct acm_lane *lane, struct acm_job *job)
{
    struct acm_deployer *deployer = lane->deployer;
    struct acm_work *work = calloc(1, sizeof *work);
    if (work == NULL || !slots_add(&deployer->waiters, &work->waiter, &work->id)) {
        free(work);
        struct error error;
        error_set(&error, ERROR_MEMORY, "no memory for an import into ACM");
        acm_job_fail(deployer, job, &error);
        return;
    }
    work->waiter.work = work;
    work->job = job;
    work->lane = lane;
    buf_init_secret(&work->body, (size_t)8 * 1024 * 1024);
    lane->active++;
    work_start(work);
}

void acm_work_read(struct acm_work *work)
{
    if (work->step != ACM_DESCRIBE) {
        acm_lost_next(work);
        return;
    }
    struct error error;
    struct buf body CLEANUP(buf_free);
    buf_init(&body, 4096);
    bool ok = acm_arn_body(work->arn, &body)
                  ? acm_send(work->lane->deployer, work->id, work->job->profile->name,
                             work->lane->region, "DescribeCertificate", &body, &error)
                  : error_set(&error, ERROR_MEMORY, "no memory for a request of ACM");
    if (!ok) {
        acm_work_fail(work, &error);
        return;
    }
    work->lane->reads_out++;
}

bool acm_detail_holds(const struct acm_detail *detail, const struct acm_files *files)
{
    if (detail->serial[0] != '\0')
        return acm_serial_equal(detail->serial, files->info.serial);
    return detail->summary.not_after != 0 && detail->summary.not_after == files->info.not_after;
}

static void drift_warn(struct acm_work *work, const struct acm_detail *detail)
{
    char until[TIME_TEXT_MAX];
    acm_warning(work->lane->deployer, acm_work_entry(work)->name,
                "%s holds another certificate (serial %s, valid until %s) than the one that was "
                "imported: it is imported anew",
                work->arn, detail->serial[0] != '\0' ? detail->serial : "unknown",
                time_format_rfc3339(detail->summary.not_after, until));
}

static void names_warn(struct acm_work *work, const struct acm_detail *detail,
                       const struct acm_files *files)
{
    char names[NAMES_SHOWN];
    if (acm_files_lose_names(files, detail, names, sizeof names))
        acm_warning(work->lane->deployer, acm_work_entry(work)->name,
                    "%s serves names that the new certificate does not have: %s", work->arn, names);
}

/* What the ARN holds is known: it is what is live, or takes its place. */
static void described(struct acm_work *work, const struct acm_detail *detail,
                      const struct acm_files *files)
{
    struct error error;
    bool holds = acm_detail_holds(detail, files);
    bool chain_known = work->row == NULL || work->row_elsewhere || work->row->digest == 0;
    if (holds && (chain_known || work->row->digest == files->digest)) {
        acm_work_keep(work, files, detail->summary.imported_at);
        return;
    }
    if (!acm_files_fit(work->lane->deployer->crypto, files, detail, &error)) {
        fail_with(work, &error);
        return;
    }
    if (work->unchanged && !holds) {
        work->drifted = true;
        drift_warn(work, detail);
    }
    names_warn(work, detail, files);
    acm_work_go(work, ACM_IMPORT);
}

static void describe_read(struct acm_work *work, struct span body)
{
    struct error error;
    struct acm_detail detail;
    struct acm_files files;
    struct arena arena CLEANUP(arena_free);
    arena_init(&arena);
    if (!acm_describe_read(body, &arena, &detail, &error) ||
        !acm_work_files(work, false, &files, &error)) {
        fail_with(work, &error);
        return;
    }
    described(work, &detail, &files);
    acm_files_free(&files);
}

void acm_work_gone(struct acm_work *work)
{
    struct error error;
    if (work->job->target->arn != NULL) {
        error_set(&error, ERROR_NOT_FOUND,
                  "%s is not there: correct `arn`, or remove it, so that the certificate is "
                  "imported as a new one",
                  work->arn);
        fail_with(work, &error);
        return;
    }
    acm_warning(work->lane->deployer, acm_work_entry(work)->name,
                "%s was deleted in ACM: the certificate is imported as a new one, and every load "
                "balancer, distribution or API that used it must be pointed to the new ARN",
                work->arn);
    work->drifted = true;
    work->arn[0] = '\0';
    acm_work_go(work, ACM_IMPORT);
}

static bool may_pass(enum aws_outcome outcome)
{
    return outcome == AWS_BUSY || outcome == AWS_FAILED || outcome == AWS_UNREACHABLE ||
           outcome == AWS_UNCLEAR;
}

static void describe_reply(struct acm_work *work, const struct aws_reply *reply)
{
    if (reply->outcome == AWS_OK)
        describe_read(work, reply->body);
    else if (reply->outcome == AWS_MISSING)
        acm_work_gone(work);
    else if (reply->outcome == AWS_THROTTLED &&
             !acm_pace_is_stuck(&work->lane->reads, work->lane->deployer->now_ms))
        acm_works_add_first(&work->lane->reading, work);
    else if (!may_pass(reply->outcome) || !acm_work_again(work, ACM_DESCRIBE))
        acm_work_fail(work, &reply->error);
}

void acm_work_reply(struct acm_work *work, const struct aws_reply *reply)
{
    bool import = work->step == ACM_IMPORT;
    if (import)
        work->lane->imports_out--;
    else
        work->lane->reads_out--;
    acm_lane_learn(work->lane, work->job->profile, import, reply);
    if (import)
        acm_import_reply(work, reply);
    else if (work->step == ACM_DESCRIBE)
        describe_reply(work, reply);
    else
        acm_lost_reply(work, reply);
}

void acm_work_committed(struct acm_work *work, bool ok, const struct error *error)
{
    bool intending = work->step == ACM_INTENDING;
    if (intending && work->lane->deployer->stopping)
        return; /* the next run finds that nothing was imported */
    if (!ok && !work->failed) {
        work->failed = true;
        work->error = *error;
        if (intending)
            work->lane->imports_out--;
    }
    if (ok && intending)
        acm_import_send(work);
    else
        work_end(work);
}
