/* Sending one certificate to ACM. */
#include "deploy/acm_internal.h"

#include "base/clock.h"
#include "test/point.h"

#include <stdlib.h>
#include <string.h>

/* What the operator wants, and the certificate's name, by which a lost answer is found again. */
static size_t tags_of(const struct acm_work *work, struct acm_tag tags[ACM_TAGS_MAX])
{
    const struct deploy_acm *target = work->job->target;
    size_t count = 0;
    tags[count++] = (struct acm_tag){ACM_TAG_NAME, acm_work_entry(work)->name};
    for (unsigned i = 0; i < target->tag_count && count < ACM_TAGS_MAX; i++)
        tags[count++] = (struct acm_tag){target->tags[i].key, target->tags[i].value};
    return count;
}

static bool body_make(struct acm_work *work, const struct acm_files *files, struct error *error)
{
    struct acm_tag tags[ACM_TAGS_MAX];
    struct acm_import import = {
        .certificate = buf_span(&files->certificate),
        .chain = buf_span(&files->chain),
        .key = buf_span(&files->key),
        .arn = work->arn[0] != '\0' ? work->arn : NULL,
        .tags = tags,
        .tag_count = tags_of(work, tags),
    };
    buf_clear(&work->body);
    work->digest = files->digest;
    work->not_after = files->info.not_after;
    work->imported_at = 0;
    memcpy(work->serial, files->info.serial, sizeof work->serial);
    return acm_import_body(&import, &work->body, error);
}

/* Files, checks and body, just before they are sent, so that few keys are in memory at a time. */
static bool import_prepare(struct acm_work *work, struct error *error)
{
    struct acm_files files;
    const struct acm_lane *lane = work->lane;
    TRY(acm_work_files(work, true, &files, error));
    bool ok = acm_files_check(lane->deployer->crypto, &files, acm_work_entry(work), clock_unix(),
                              error) &&
              body_make(work, &files, error);
    if (ok && work->new &&acm_files_unfit_for_cloudfront(&files, lane->region))
        acm_warning(lane->deployer, acm_work_entry(work)->name,
                    "its key is %s, which CloudFront does not take: where a distribution shall "
                    "use it, set `key` to ECDSA 256 or RSA 2048",
                    key_spec_name(files.info.key));
    acm_files_free(&files);
    return ok;
}

void acm_import_begin(struct acm_work *work)
{
    struct acm_lane *lane = work->lane;
    struct error error;
    work->new = work->arn[0] == '\0';
    if (lane->limit_reached[work->new]) {
        acm_work_fail(work, &lane->limit_error[work->new]);
        return;
    }
    if (!import_prepare(work, &error)) {
        error_prefix(&error, "not sent to ACM (account %s, %s): ", lane->account, lane->region);
        acm_work_fail(work, &error);
        return;
    }
    acm_pace_take(&lane->imports);
    lane->imports_out++; /* from here on, as the answer of the state comes soon */
    if (!work->new) {
        acm_import_send(work);
        return;
    }
    /* An intended import keeps what the row holds, and its ARN is not the target's any more. */
    if (work->row != NULL && work->row->arn[0] != '\0') {
        acm_change_gone(lane->deployer, work->row);
        work->row = NULL;
        work->moved = false;
    }
    work->step = ACM_INTENDING;
    acm_change_work(work, STATE_IMPORT_INTENDED);
}

void acm_import_send(struct acm_work *work)
{
    struct acm_lane *lane = work->lane;
    struct error error;
    if (work->new)
        test_point("acm-intended");
    work->step = ACM_IMPORT;
    bool ok = acm_send(lane->deployer, work->id, work->job->profile->name, lane->region,
                       "ImportCertificate", &work->body, &error);
    buf_free(&work->body);
    if (ok) {
        lane->deployer->imports_out++;
        return;
    }
    lane->imports_out--;
    acm_work_fail(work, &error);
}

/* An ARN that this run made is no certificate that somebody lost. */
static void made_add(struct acm_lane *lane, const char *arn)
{
    if (lane->made_count == lane->made_capacity) {
        size_t capacity = lane->made_capacity > 0 ? lane->made_capacity * 2 : 64;
        const char **grown = reallocarray(lane->made, capacity, sizeof *grown);
        if (grown == NULL)
            return;
        lane->made = grown;
        lane->made_capacity = capacity;
    }
    const char *copy = arena_text(&lane->made_arena, span_of(arn));
    if (copy != NULL)
        lane->made[lane->made_count++] = copy;
}

/* After an answer that does not tell whether ACM acted: to an ARN the import is sent again, which
 * changes nothing when it was; a new certificate is looked for first. */
static void import_unclear(struct acm_work *work, const struct error *error)
{
    if (!acm_work_again(work, work->new ? ACM_SEARCH : ACM_IMPORT))
        acm_work_fail(work, error);
}

static void import_taken(struct acm_work *work, struct span body)
{
    struct acm_lane *lane = work->lane;
    struct error error;
    char arn[ACM_ARN_MAX + 1];
    test_point("acm-imported");
    if (!acm_import_read(body, arn, &error)) {
        import_unclear(work, &error);
        return;
    }
    memcpy(work->arn, arn, sizeof arn);
    work->sent = true;
    atomic_fetch_add(&lane->deployer->counts.imports, 1);
    if (work->new)
        made_add(lane, arn);
    acm_quota_imported(lane, work->new);
    acm_work_record(work, STATE_IMPORTED);
}

static void limit_reached(struct acm_work *work, const struct aws_reply *reply)
{
    struct acm_lane *lane = work->lane;
    struct error error = reply->error;
    error_prefix(&error,
                 "a limit of ACM is reached (account %s, %s; delete what nothing uses, or "
                 "ask AWS for more in Service Quotas): ",
                 lane->account, lane->region);
    /* The others would be refused for the same reason; too many tags are this target's own. */
    if (strcmp(reply->code, "LimitExceededException") == 0) {
        lane->limit_reached[work->new] = true;
        lane->limit_error[work->new] = error;
    }
    acm_work_fail(work, &error);
}

void acm_import_reply(struct acm_work *work, const struct aws_reply *reply)
{
    struct acm_lane *lane = work->lane;
    lane->deployer->imports_out--;
    switch (reply->outcome) {
    case AWS_OK:
        import_taken(work, reply->body);
        break;
    case AWS_THROTTLED:
        if (acm_pace_is_stuck(&lane->imports, lane->deployer->now_ms))
            acm_work_fail(work, &reply->error);
        else
            acm_works_add_first(&lane->importing, work);
        break;
    case AWS_MISSING:
        if (work->new)
            acm_work_fail(work, &reply->error);
        else
            acm_work_gone(work);
        break;
    case AWS_LIMIT:
        limit_reached(work, reply);
        break;
    case AWS_UNREACHABLE:
    case AWS_BUSY:
        if (!acm_work_again(work, ACM_IMPORT))
            acm_work_fail(work, &reply->error);
        break;
    case AWS_FAILED:
    case AWS_UNCLEAR:
        import_unclear(work, &reply->error);
        break;
    case AWS_DENIED:
    case AWS_UNKNOWN_CREDENTIALS:
    case AWS_EXPIRED:
    case AWS_SKEWED:
    case AWS_INVALID:
    case AWS_CREDENTIALS:
    case AWS_ENDED:
        acm_work_fail(work, &reply->error);
        break;
    }
}
