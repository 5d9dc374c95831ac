#include "run/deploying.h"

#include "run/run_main.h"

#include <stdlib.h>
#include <string.h>

enum part {
    PART_HOOKS = 1 << 0,
    PART_ACM = 1 << 1,
    PART_FAILED = 1 << 2, /* one of them, of which the report knows */
};

static uint8_t *parts_of(struct run *run, const struct manifest_entry *entry)
{
    return &run->deploying.parts[entry - run->manifest->entries];
}

/* Without memory the next run finds the certificate undeployed, and deploys it again. */
static void post_deployed(struct run *run, struct deployed_message deployed,
                          const struct error *error)
{
    struct deployed_message *message = malloc(sizeof *message);
    if (message == NULL)
        return;
    *message = deployed;
    message->message = (struct message){.kind = MAIN_DEPLOYED};
    if (!deployed.ok)
        message->error = *error;
    mailbox_post(&run->box, &message->message);
}

static void hooks_done(void *context, const struct manifest_entry *entry, unsigned sequence,
                       bool ok, const struct error *error)
{
    post_deployed(context,
                  (struct deployed_message){
                      .entry = entry, .sequence = sequence, .part = PART_HOOKS, .ok = ok},
                  error);
}

static void imports_done(void *context, const struct manifest_entry *entry, unsigned sequence,
                         bool ok, unsigned imports, const struct error *error)
{
    post_deployed(
        context,
        (struct deployed_message){
            .entry = entry, .sequence = sequence, .part = PART_ACM, .imports = imports, .ok = ok},
        error);
}

static void imports_warn(void *context, const char *name, const char *text)
{
    struct run *run = context;
    struct news_message *message = calloc(1, sizeof *message);
    if (message == NULL)
        return;
    message->message.kind = MAIN_NEWS;
    message->kind = NEWS_WARNING;
    message->name = name != NULL && name[0] != '\0' ? strdup(name) : NULL;
    message->text = strdup(text);
    mailbox_post(&run->box, &message->message);
}

bool deploying_watches(const struct run *run)
{
    if (!run->manifest->aws.drift)
        return false;
    for (size_t i = 0; i < run->plan.later_count && run->plan.later != NULL; i++)
        if (run->manifest->entries[run->plan.later[i].entry].acm != NULL)
            return true;
    return false;
}

static bool imports_are_due(const struct run *run)
{
    for (size_t i = 0; i < run->plan.due_count; i++)
        if (run->manifest->entries[run->plan.due[i].entry].acm != NULL)
            return true;
    return false;
}

bool deploying_open(struct run *run, struct error *error)
{
    struct deploying *deploying = &run->deploying;
    const struct deploy_options hooks = {
        .state_folder = run->options->state_folder, .done = hooks_done, .context = run};
    const struct acm_deployer_options acm = {
        .state_folder = run->options->state_folder,
        .manifest = run->manifest,
        .profiles = run->options->profiles,
        .state = run->state,
        .user_agent = "certmill/" CERTMILL_VERSION,
        .done = imports_done,
        .warn = imports_warn,
        .context = run,
    };
    deploying->parts = calloc(run->manifest->count + 1, sizeof *deploying->parts);
    if (deploying->parts == NULL)
        return error_set(error, ERROR_MEMORY, "no memory to deploy certificates");
    if (imports_are_due(run) || deploying_watches(run))
        TRY(acm_deployer_new(&acm, &deploying->acm, error));
    return deployer_new(&hooks, &deploying->hooks, error);
}

void deploying_free(struct run *run)
{
    deployer_free(run->deploying.hooks);
    acm_deployer_free(run->deploying.acm);
    free(run->deploying.parts);
}

static void deploy(struct run *run, const struct manifest_entry *entry, unsigned sequence,
                   bool with_hooks)
{
    struct deploying *deploying = &run->deploying;
    uint8_t *parts = parts_of(run, entry);
    bool with_acm = entry->acm != NULL && deploying->acm != NULL;
    /* All before the first: what is done at once must not look like all. */
    *parts = (uint8_t)((with_hooks ? PART_HOOKS : 0) | (with_acm ? PART_ACM : 0));
    if (with_hooks)
        deployer_add(deploying->hooks, entry, sequence);
    if (with_acm)
        acm_deployer_add(deploying->acm, entry, sequence);
}

void deploying_add(struct run *run, const struct manifest_entry *entry, unsigned sequence)
{
    deploy(run, entry, sequence, entry->deploy != NULL);
}

void deploying_begin(struct run *run)
{
    struct deploying *deploying = &run->deploying;
    const struct plan *plan = &run->plan;
    for (size_t i = 0; i < plan->due_count; i++)
        if (plan->due[i].deploy_only)
            deploy(run, &run->manifest->entries[plan->due[i].entry], plan->due[i].sequence,
                   plan->due[i].lacks_hooks);
    if (deploying->acm == NULL || !run->manifest->aws.drift)
        return;
    for (size_t i = 0; i < plan->later_count && plan->later != NULL; i++) {
        const struct manifest_entry *entry = &run->manifest->entries[plan->later[i].entry];
        if (entry->acm != NULL)
            acm_deployer_watch(deploying->acm, entry, plan->later[i].sequence);
    }
}

/* A certificate is counted as not deployed once, however much of it failed. */
static void failure_tell(struct run *run, const struct deployed_message *message, bool first)
{
    struct news news = {.kind = first ? NEWS_DEPLOY_FAILED : NEWS_WARNING,
                        .name = message->entry->name,
                        .sequence = message->sequence,
                        .text = message->error.text};
    if (first) {
        news.type = "deploy";
        news.advice = message->part == PART_ACM
                          ? "the certificate is live; the next run imports it again, without "
                            "issuing"
                          : "the certificate is live; the next run tries the hook again";
    }
    run_tell(run, &news);
}

void deploying_handle(struct run *run, const struct deployed_message *message)
{
    uint8_t *parts = parts_of(run, message->entry);
    bool was_added = (*parts & message->part) != 0; /* else it was watched */
    bool failed_before = (*parts & PART_FAILED) != 0;
    *parts = (uint8_t)(*parts & ~message->part);
    if (message->ok && message->imports > 0)
        run_tell(run, &(struct news){.kind = NEWS_IMPORTED,
                                     .name = message->entry->name,
                                     .sequence = message->sequence,
                                     .total = message->imports});
    if (!message->ok) {
        *parts |= PART_FAILED;
        failure_tell(run, message, !failed_before);
    } else if (was_added && *parts == 0) {
        run_record(run, STATE_DEPLOYED,
                   &(struct state_certificate){.name = message->entry->name,
                                               .deployed_sequence = message->sequence});
        run_tell(run, &(struct news){.kind = NEWS_DEPLOYED,
                                     .name = message->entry->name,
                                     .sequence = message->sequence});
    }
}

static void finish(struct run *run)
{
    if (run->deploying.acm != NULL)
        acm_deployer_close(run->deploying.acm);
    deployer_finish(run->deploying.hooks);
    if (run->deploying.acm != NULL)
        acm_deployer_finish(run->deploying.acm);
}

static void *finish_thread(void *context)
{
    struct run *run = context;
    finish(run);
    run->deploying.end_message.kind = MAIN_DEPLOYER_END;
    mailbox_post(&run->box, &run->deploying.end_message);
    return NULL;
}

/* Hooks and imports may take minutes: the main thread goes on listening to signals meanwhile. */
void deploying_close(struct run *run)
{
    if (pthread_create(&run->deploying.thread, NULL, finish_thread, run) == 0)
        return;
    finish(run);
    run->deploying.ended = true;
}

void deploying_join(struct run *run)
{
    pthread_join(run->deploying.thread, NULL);
    run->deploying.ended = true;
}

size_t deploying_left(const struct run *run)
{
    size_t left = 0;
    for (size_t i = 0; i < run->manifest->count && run->deploying.parts != NULL; i++)
        left += (run->deploying.parts[i] & (PART_HOOKS | PART_ACM)) != 0;
    return left;
}

void deploying_interrupt(struct run *run)
{
    deployer_interrupt(run->deploying.hooks);
    if (run->deploying.acm != NULL)
        acm_deployer_interrupt(run->deploying.acm);
}
