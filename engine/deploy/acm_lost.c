/* An import that was intended and of which no answer is known: is it in ACM? It carries the tag
 * certmill:name, and the same names; nothing else in the state holds its ARN. */
#include "deploy/acm_internal.h"

#include <stdio.h>
#include <string.h>

static bool made_holds(const struct acm_lane *lane, const char *arn)
{
    for (size_t i = 0; i < lane->made_count; i++)
        if (strcmp(lane->made[i], arn) == 0)
            return true;
    return false;
}

/* The names of the live certificate, as ACM lists those of the lost one. */
static bool digests_of(const struct acm_work *work, uint64_t *ret_names, uint64_t *ret_domain,
                       struct error *error)
{
    const struct manifest_entry *entry = acm_work_entry(work);
    struct acm_files files;
    TRY(acm_work_files(work, false, &files, error));
    char text[CERTIFICATE_NAME_TEXT];
    const char *name = text;
    struct span rest = files.info.names;
    /* The digest of a set is the sum of those of its names and their number. */
    uint64_t sum = 0;
    while (certificate_name_next(&rest, text))
        sum += acm_names_digest(&name, 1);
    acm_files_free(&files);
    *ret_names = sum;
    *ret_domain = entry->domain_count > 0 ? acm_names_digest(entry->domains, 1) : 0;
    return true;
}

static bool is_candidate(const struct acm_work *work, const struct acm_held *held, uint64_t names,
                         uint64_t domain)
{
    bool alike = held->more_names ? held->domain == domain : held->names == names;
    return alike && !acm_rows_hold(&work->lane->deployer->rows, held->arn) &&
           !made_holds(work->lane, held->arn);
}

static bool candidates_find(struct acm_work *work, struct error *error)
{
    const struct acm_list *list = &work->lane->list;
    uint64_t names;
    uint64_t domain;
    TRY(digests_of(work, &names, &domain, error));
    arena_free(&work->search_arena);
    work->candidate_at = work->candidate_count = 0;
    work->candidates = arena_alloc(&work->search_arena, (list->count + 1) * sizeof(char *));
    for (size_t i = 0; i < list->count && work->candidates != NULL; i++) {
        if (!is_candidate(work, &list->held[i], names, domain))
            continue;
        const char *arn = arena_text(&work->search_arena, span_of(list->held[i].arn));
        if (arn == NULL)
            work->candidates = NULL;
        else
            work->candidates[work->candidate_count++] = arn;
    }
    return work->candidates != NULL ||
           error_set(error, ERROR_MEMORY, "no memory to look for an import in ACM");
}

/* Looks at the next candidate, or imports when there is none. */
static void search_go_on(struct acm_work *work)
{
    if (work->candidate_at < work->candidate_count) {
        acm_work_go(work, ACM_SEARCH_DESCRIBE);
        return;
    }
    arena_free(&work->search_arena);
    acm_work_go(work, ACM_IMPORT);
}

static void next_candidate(struct acm_work *work)
{
    work->candidate_at++;
    search_go_on(work);
}

void acm_lost_begin(struct acm_work *work)
{
    struct acm_lane *lane = work->lane;
    struct error error;
    if (lane->listing == ACM_LIST_FAILED) {
        error = lane->list_error;
        error_prefix(&error, "an earlier import may have been made, and ACM cannot be asked for it "
                             "(allow acm:ListCertificates): ");
        acm_work_fail(work, &error);
        return;
    }
    if (!candidates_find(work, &error))
        acm_work_fail(work, &error);
    else
        search_go_on(work);
}

void acm_lost_next(struct acm_work *work)
{
    const char *arn = work->candidates[work->candidate_at];
    const char *operation =
        work->step == ACM_SEARCH_TAGS ? "ListTagsForCertificate" : "DescribeCertificate";
    struct error error;
    struct buf body CLEANUP(buf_free);
    buf_init(&body, 4096);
    bool ok = acm_arn_body(arn, &body)
                  ? acm_send(work->lane->deployer, work->id, work->job->profile->name,
                             work->lane->region, operation, &body, &error)
                  : error_set(&error, ERROR_MEMORY, "no memory for a request of ACM");
    if (!ok)
        acm_work_fail(work, &error);
    else
        work->lane->reads_out++;
}

/* The one that was sought: what it holds is compared as of any known ARN. */
static void found(struct acm_work *work)
{
    snprintf(work->arn, sizeof work->arn, "%s", work->candidates[work->candidate_at]);
    arena_free(&work->search_arena);
    acm_work_go(work, ACM_DESCRIBE);
}

static void candidate_read(struct acm_work *work, struct span body)
{
    struct acm_detail detail;
    struct acm_files files;
    struct error error;
    struct arena arena CLEANUP(arena_free);
    arena_init(&arena);
    if (!acm_describe_read(body, &arena, &detail, &error) ||
        !acm_work_files(work, false, &files, &error)) {
        acm_work_fail(work, &error);
        return;
    }
    bool imported = strcmp(detail.summary.type, "IMPORTED") == 0;
    bool holds = acm_detail_holds(&detail, &files);
    acm_files_free(&files);
    if (imported && holds)
        found(work);
    else if (imported)
        acm_work_go(work, ACM_SEARCH_TAGS);
    else
        next_candidate(work);
}

static void tags_read(struct acm_work *work, struct span body)
{
    struct acm_tag *tags = NULL;
    size_t count = 0;
    struct error error;
    struct arena arena CLEANUP(arena_free);
    arena_init(&arena);
    if (!acm_tags_read(body, &arena, &tags, &count, &error)) {
        acm_work_fail(work, &error);
        return;
    }
    bool ours = false;
    for (size_t i = 0; i < count; i++)
        ours = ours || (strcmp(tags[i].key, ACM_TAG_NAME) == 0 &&
                        strcmp(tags[i].value, acm_work_entry(work)->name) == 0);
    if (ours)
        found(work);
    else
        next_candidate(work);
}

void acm_lost_reply(struct acm_work *work, const struct aws_reply *reply)
{
    enum acm_step step = work->step;
    bool may_pass = reply->outcome == AWS_BUSY || reply->outcome == AWS_FAILED ||
                    reply->outcome == AWS_UNREACHABLE || reply->outcome == AWS_UNCLEAR;
    if (reply->outcome == AWS_OK && step == ACM_SEARCH_TAGS)
        tags_read(work, reply->body);
    else if (reply->outcome == AWS_OK)
        candidate_read(work, reply->body);
    else if (reply->outcome == AWS_MISSING)
        next_candidate(work);
    else if (reply->outcome == AWS_THROTTLED &&
             !acm_pace_is_stuck(&work->lane->reads, work->lane->deployer->now_ms))
        acm_works_add_first(&work->lane->reading, work);
    else if (!may_pass || !acm_work_again(work, step))
        acm_work_fail(work, &reply->error);
}
