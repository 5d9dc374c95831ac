#include "deploy/acm_internal.h"

#include "base/clock.h"
#include "io/loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

/* How long an interrupt waits for the answers of imports that are out. */
#define INTERRUPT_MS 5000
#define WARNING_MAX  1024

void acm_queue_add(struct acm_queue *queue, struct acm_job *job)
{
    job->next = NULL;
    if (queue->first == NULL)
        queue->first = job;
    else
        queue->last->next = job;
    queue->last = job;
}

struct acm_job *acm_queue_take(struct acm_queue *queue)
{
    struct acm_job *job = queue->first;
    if (job != NULL)
        queue->first = job->next;
    return job;
}

void acm_warning(const struct acm_deployer *deployer, const char *name, const char *format, ...)
{
    char text[WARNING_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    deployer->options.warn(deployer->options.context, name, text);
}

static void item_fail(struct acm_item *item, const struct error *error)
{
    item->failed = true;
    if (item->failure != NULL)
        return;
    item->failure = malloc(sizeof *item->failure);
    if (item->failure != NULL)
        *item->failure = *error;
}

static void item_free(struct acm_item *item)
{
    free(item->failure);
    free(item);
}

static void item_report(const struct acm_deployer *deployer, const struct acm_item *item)
{
    struct error error = {0};
    if (item->failure != NULL)
        error = *item->failure;
    else if (item->failed)
        error_set(&error, ERROR_MEMORY,
                  "an import into ACM failed, and there is no memory to say "
                  "how");
    if (!item->watch || item->acted || item->failed)
        deployer->options.done(deployer->options.context, item->entry, item->sequence,
                               !item->failed, item->imports, &error);
}

void acm_item_target_ended(struct acm_deployer *deployer, struct acm_item *item, bool acted,
                           const struct error *failure)
{
    item->acted = item->acted || acted;
    if (failure != NULL)
        item_fail(item, failure);
    if (--item->open > 0)
        return;
    deployer->items_open--;
    item_report(deployer, item);
    item_free(item);
}

static bool has_nothing_to_do(const struct acm_deployer *deployer, const struct acm_job *job)
{
    const struct acm_item *item = job->item;
    const struct acm_row *row = acm_rows_find(&deployer->rows, item->entry->name, job->target);
    return item->watch && row != NULL && row->arn[0] != '\0' && row->sequence == item->sequence &&
           row->failures == 0;
}

/* A target that cannot be looked at, though it should hold what is live: told once a profile. */
static void job_leave(struct acm_deployer *deployer, struct acm_job *job, const struct error *error)
{
    struct acm_item *item = job->item;
    if (!job->profile->warned)
        acm_warning(deployer, "", "whether ACM still holds what was imported is not known: %s",
                    error->text);
    job->profile->warned = true;
    free(job);
    acm_item_target_ended(deployer, item, false, NULL);
}

void acm_job_fail(struct acm_deployer *deployer, struct acm_job *job, const struct error *error)
{
    struct acm_item *item = job->item;
    if (has_nothing_to_do(deployer, job)) {
        job_leave(deployer, job, error);
        return;
    }
    const struct state_import row = {
        .name = item->entry->name,
        .profile = job->target->profile,
        .region = job->target->region,
        .given_arn = job->target->arn,
        .account = job->profile->account,
        .attempted_at = clock_unix(),
        .last_error = error->text,
    };
    free(job);
    atomic_fetch_add(&deployer->counts.failed, 1);
    acm_change_post(deployer, STATE_IMPORT_FAILED, &row, NULL);
    acm_item_target_ended(deployer, item, false, error);
}

bool acm_send(struct acm_deployer *deployer, uint64_t id, const char *profile, const char *region,
              const char *operation, const struct buf *body, struct error *error)
{
    static const struct {
        const char *operation, *target, *action;
    } known[] = {
        {"ImportCertificate", "CertificateManager.ImportCertificate", "acm:ImportCertificate"},
        {"DescribeCertificate", "CertificateManager.DescribeCertificate",
         "acm:DescribeCertificate"},
        {"ListCertificates", "CertificateManager.ListCertificates", "acm:ListCertificates"},
        {"ListTagsForCertificate", "CertificateManager.ListTagsForCertificate",
         "acm:ListTagsForCertificate"},
    };
    size_t at = 0;
    while (at + 1 < sizeof known / sizeof known[0] && strcmp(known[at].operation, operation) != 0)
        at++;
    struct aws_request request = {
        .id = id,
        .profile = profile,
        .region = region,
        .service = AWS_ACM,
        .method = HTTP_POST,
        .path = SPAN_LITERAL("/"),
        .content_type = "application/x-amz-json-1.1",
        .target = known[at].target,
        .body = buf_span(body),
        .secret_body = body->secret,
        .once = at == 0,
        .tell_throttled = true,
        .action = known[at].action,
    };
    return aws_send(deployer->client, &request, error);
}

static void on_reply(void *context, const struct aws_reply *reply)
{
    struct acm_deployer *deployer = context;
    const struct acm_waiter *waiter = slots_get(&deployer->waiters, reply->id);
    if (waiter == NULL || reply->outcome == AWS_ENDED)
        return;
    if (waiter->profile != NULL)
        acm_profile_reply(deployer, waiter->profile, reply);
    else if (waiter->lane != NULL)
        acm_list_reply(waiter->lane, reply);
    else
        acm_work_reply(waiter->work, reply);
}

/* One target more than there are is open while they are handed out, so that the item does not end
 * in between. */
static void item_begin(struct acm_deployer *deployer, struct acm_item *item)
{
    item->open = 1;
    deployer->items_open++;
    for (const struct deploy_acm *target = item->entry->acm; target != NULL;
         target = target->next) {
        struct error error;
        item->open++;
        if (acm_job_place(deployer, item, target, &error))
            continue;
        atomic_fetch_add(&deployer->counts.failed, 1);
        item->open--;
        item_fail(item, &error);
    }
    acm_item_target_ended(deployer, item, false, NULL);
}

static void mail_take(struct acm_deployer *deployer)
{
    struct message *message = mailbox_take(&deployer->mailbox);
    while (message != NULL) {
        struct message *next = message->next;
        if (message->kind == ACM_MESSAGE_CHANGE)
            acm_change_done(deployer, message);
        else if (deployer->stopping)
            item_free((struct acm_item *)message);
        else
            item_begin(deployer, (struct acm_item *)message);
        message = next;
    }
}

static void on_mail(void *context, uint32_t events)
{
    (void)events;
    mail_take(context);
}

/* Only wakes the loop: the flags say what for. */
static void on_wake(void *context, uint32_t events)
{
    const struct acm_deployer *deployer = context;
    eventfd_t count;
    (void)events;
    (void)!eventfd_read(deployer->wake_fd, &count);
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

static int64_t deployer_wait_ms(struct acm_deployer *deployer, int64_t stop_at_ms)
{
    int64_t wait_ms = aws_wait_ms(deployer->client, deployer->now_ms);
    if (deployer->stopping) {
        int64_t left_ms = stop_at_ms - deployer->now_ms;
        return sooner(wait_ms, left_ms > 0 ? left_ms : 0);
    }
    /* What has just ended without a call may have been the last. */
    if (deployer->items_open == 0 && atomic_load(&deployer->closing))
        return deployer->changes_out > 0 ? wait_ms : 0;
    wait_ms = sooner(wait_ms, acm_profiles_wait_ms(deployer));
    for (struct acm_lane *lane = deployer->lanes; lane != NULL; lane = lane->next)
        wait_ms = sooner(wait_ms, acm_lane_wait_ms(lane));
    return wait_ms;
}

static void deployer_run(struct acm_deployer *deployer)
{
    acm_profiles_run(deployer);
    for (struct acm_lane *lane = deployer->lanes; lane != NULL; lane = lane->next)
        acm_lane_run(lane);
}

static bool turn(struct acm_deployer *deployer, int64_t stop_at_ms, struct error *error)
{
    deployer->now_ms = clock_monotonic_ms();
    if (!deployer->stopping)
        deployer_run(deployer);
    TRY(loop_run_once(deployer->loop, deployer_wait_ms(deployer, stop_at_ms), error));
    deployer->now_ms = clock_monotonic_ms();
    aws_tick(deployer->client, deployer->now_ms);
    atomic_store(&deployer->counts.calls, aws_calls(deployer->client));
    return true;
}

/* True when the thread has nothing more to do. */
static bool is_over(struct acm_deployer *deployer, int64_t *stop_at_ms)
{
    bool closing = atomic_load(&deployer->closing);
    if (atomic_load(&deployer->interrupted) && !deployer->stopping) {
        deployer->stopping = true;
        *stop_at_ms = clock_monotonic_ms() + INTERRUPT_MS;
    }
    /* After the flag: what was added before it is in the mailbox. */
    mail_take(deployer);
    if (deployer->changes_out > 0)
        return false;
    if (deployer->stopping)
        return deployer->imports_out == 0 || clock_monotonic_ms() >= *stop_at_ms;
    return closing && deployer->items_open == 0;
}

static void *deployer_thread(void *context)
{
    struct acm_deployer *deployer = context;
    int64_t stop_at_ms = 0;
    struct error error;
    deployer->now_ms = clock_monotonic_ms();
    while (!is_over(deployer, &stop_at_ms)) {
        if (turn(deployer, stop_at_ms, &error))
            continue;
        acm_warning(deployer, "", "imports into ACM end, and go on in the next run: %s",
                    error.text);
        atomic_store(&deployer->interrupted, true);
    }
    atomic_store(&deployer->ended, true);
    return NULL;
}

/* A job that is not reported any more. */
static void job_free(struct acm_job *job)
{
    if (--job->item->open == 0)
        item_free(job->item);
    free(job);
}

static void queue_free(struct acm_queue *queue)
{
    struct acm_job *job;
    while ((job = acm_queue_take(queue)) != NULL)
        job_free(job);
}

static void works_free(struct acm_deployer *deployer)
{
    for (uint32_t i = 0; i < deployer->waiters.count; i++) {
        const struct acm_waiter *waiter = deployer->waiters.slots[i].object;
        if (waiter == NULL || waiter->work == NULL)
            continue;
        struct acm_job *job = waiter->work->job;
        acm_work_free(waiter->work);
        job_free(job);
    }
}

static void mail_free(struct acm_deployer *deployer)
{
    struct message *message = mailbox_take(&deployer->mailbox);
    while (message != NULL) {
        struct message *next = message->next;
        item_free((struct acm_item *)message);
        message = next;
    }
}

static void deployer_release(struct acm_deployer *deployer)
{
    aws_client_free(deployer->client);
    works_free(deployer);
    for (struct acm_profile *profile = deployer->profiles; profile != NULL; profile = profile->next)
        queue_free(&profile->waiting);
    while (deployer->lanes != NULL) {
        struct acm_lane *lane = deployer->lanes;
        deployer->lanes = lane->next;
        queue_free(&lane->waiting);
        queue_free(&lane->watching);
        acm_lane_free(lane);
    }
    if (deployer->mailbox.event_fd >= 0) {
        mail_free(deployer);
        loop_forget(deployer->loop, deployer->mailbox.event_fd);
        mailbox_free(&deployer->mailbox);
    }
    if (deployer->wake_fd >= 0)
        close(deployer->wake_fd);
    loop_free(deployer->loop);
    crypto_context_free(deployer->crypto);
    slots_free(&deployer->waiters);
    acm_rows_free(&deployer->rows);
    arena_free(&deployer->arena);
    free(deployer->days);
    free(deployer->state_folder);
    free(deployer);
}

static bool day_keep(void *context, const struct state_import_day *day)
{
    struct acm_deployer *deployer = context;
    if (deployer->day_count == deployer->day_capacity) {
        size_t capacity = deployer->day_capacity > 0 ? deployer->day_capacity * 2 : 64;
        struct state_import_day *grown = reallocarray(deployer->days, capacity, sizeof *grown);
        if (grown == NULL)
            return false;
        deployer->days = grown;
        deployer->day_capacity = capacity;
    }
    struct state_import_day copy = *day;
    copy.account = arena_text(&deployer->arena, span_of(day->account));
    copy.region = arena_text(&deployer->arena, span_of(day->region));
    if (copy.account == NULL || copy.region == NULL)
        return false;
    deployer->days[deployer->day_count++] = copy;
    return true;
}

static bool deployer_open(struct acm_deployer *deployer, struct error *error)
{
    const struct aws_client_options client = {.profiles = deployer->options.profiles,
                                              .user_agent = deployer->options.user_agent};
    TRY(acm_rows_read(deployer->options.state, &deployer->rows, error));
    TRY(state_import_days(deployer->options.state, day_keep, deployer, error));
    TRY(crypto_context_new(&(struct crypto_options){0}, &deployer->crypto, error));
    TRY(loop_new(&deployer->loop, error));
    TRY(mailbox_init(&deployer->mailbox, error));
    deployer->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (deployer->wake_fd < 0)
        return error_system(error, errno, "making an eventfd");
    TRY(loop_watch(deployer->loop, deployer->mailbox.event_fd, EPOLLIN, on_mail, deployer, error));
    TRY(loop_watch(deployer->loop, deployer->wake_fd, EPOLLIN, on_wake, deployer, error));
    TRY(aws_client_new(deployer->loop, &client, on_reply, deployer, &deployer->client, error));
    if (getrandom(&deployer->jitter, sizeof deployer->jitter, 0) !=
        (ssize_t)sizeof deployer->jitter)
        deployer->jitter = (uint64_t)clock_monotonic_ms();
    int failure = pthread_create(&deployer->thread, NULL, deployer_thread, deployer);
    return failure == 0 || error_system(error, failure, "starting the thread of imports into ACM");
}

bool acm_deployer_new(const struct acm_deployer_options *options,
                      struct acm_deployer **ret_deployer, struct error *error)
{
    struct acm_deployer *deployer = calloc(1, sizeof *deployer);
    if (deployer == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for imports into ACM");
    deployer->options = *options;
    deployer->wake_fd = deployer->mailbox.event_fd = -1;
    arena_init(&deployer->arena);
    slots_init(&deployer->waiters);
    deployer->state_folder = strdup(options->state_folder);
    if (deployer->state_folder == NULL)
        error_set(error, ERROR_MEMORY, "no memory for imports into ACM");
    else if (deployer_open(deployer, error)) {
        *ret_deployer = deployer;
        return true;
    }
    deployer_release(deployer);
    return false;
}

static void item_add(struct acm_deployer *deployer, const struct manifest_entry *entry,
                     unsigned sequence, bool watch)
{
    struct acm_item *item = calloc(1, sizeof *item);
    if (item == NULL) {
        struct error error;
        error_set(&error, ERROR_MEMORY, "no memory to import the certificate into ACM");
        deployer->options.done(deployer->options.context, entry, sequence, false, 0, &error);
        return;
    }
    *item = (struct acm_item){
        .message.kind = ACM_MESSAGE_ITEM, .entry = entry, .sequence = sequence, .watch = watch};
    mailbox_post(&deployer->mailbox, &item->message);
}

void acm_deployer_add(struct acm_deployer *deployer, const struct manifest_entry *entry,
                      unsigned sequence)
{
    item_add(deployer, entry, sequence, false);
}

void acm_deployer_watch(struct acm_deployer *deployer, const struct manifest_entry *entry,
                        unsigned sequence)
{
    item_add(deployer, entry, sequence, true);
}

void acm_deployer_close(struct acm_deployer *deployer)
{
    atomic_store(&deployer->closing, true);
    (void)!eventfd_write(deployer->wake_fd, 1);
}

bool acm_deployer_ended(struct acm_deployer *deployer)
{
    return atomic_load(&deployer->ended);
}

void acm_deployer_finish(struct acm_deployer *deployer)
{
    acm_deployer_close(deployer);
    if (!deployer->joined)
        pthread_join(deployer->thread, NULL);
    deployer->joined = true;
}

void acm_deployer_interrupt(struct acm_deployer *deployer)
{
    atomic_store(&deployer->interrupted, true);
    (void)!eventfd_write(deployer->wake_fd, 1);
}

void acm_deployer_free(struct acm_deployer *deployer)
{
    if (deployer == NULL)
        return;
    acm_deployer_interrupt(deployer);
    acm_deployer_finish(deployer);
    deployer_release(deployer);
}

void acm_deployer_count(struct acm_deployer *deployer, struct acm_counts *ret_counts)
{
    *ret_counts = (struct acm_counts){
        .imports = atomic_load(&deployer->counts.imports),
        .unchanged = atomic_load(&deployer->counts.unchanged),
        .failed = atomic_load(&deployer->counts.failed),
        .repaired = atomic_load(&deployer->counts.repaired),
        .throttled = atomic_load(&deployer->counts.throttled),
        .calls = atomic_load(&deployer->counts.calls),
    };
}
