#include "deploy/hooks.h"

#include "deploy/command.h"
#include "deploy/once.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Standard input of one `once` hook: 1,000,000 certificates with 100 names each still fit. */
#define ONCE_INPUT_MAX ((size_t)8 * 1024 * 1024 * 1024)

/* A certificate handed over, until it is reported. */
struct item {
    const struct manifest_entry *entry;
    unsigned sequence;
    bool failed;
    struct error *failure; /* the first one; kept apart, for most certificates have none */
};

struct items {
    struct item *items;
    size_t count, capacity;
};

struct deployer {
    char *state_folder;
    deploy_done *done;
    void *context;
    pthread_t thread;
    bool joined;
    int cancel_fd;
    /* The thread's. */
    struct items kept; /* those that wait for a `once` hook */
    struct once_uses uses;
    /* Under the lock. */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct items waiting;
    size_t taken; /* of `waiting` */
    bool finishing, cancelled, ended;
};

/* Room for one more. */
static bool items_reserve(struct items *items)
{
    if (items->count < items->capacity)
        return true;
    size_t capacity = items->capacity > 0 ? items->capacity * 2 : 64;
    struct item *grown = reallocarray(items->items, capacity, sizeof *grown);
    if (grown == NULL)
        return false;
    items->items = grown;
    items->capacity = capacity;
    return true;
}

static bool is_cancelled(struct deployer *deployer)
{
    pthread_mutex_lock(&deployer->lock);
    bool cancelled = deployer->cancelled;
    pthread_mutex_unlock(&deployer->lock);
    return cancelled;
}

static void item_fail(struct item *item, const struct error *error)
{
    if (item->failed)
        return;
    item->failed = true;
    item->failure = malloc(sizeof *item->failure);
    if (item->failure != NULL)
        *item->failure = *error;
}

static void item_report(const struct deployer *deployer, const struct item *item)
{
    struct error error = {0};
    if (item->failure != NULL)
        error = *item->failure;
    else if (item->failed)
        error_set(&error, ERROR_MEMORY, "a deploy hook failed, and there is no memory to say how");
    deployer->done(deployer->context, item->entry, item->sequence, !item->failed, &error);
}

/* Runs the hooks that are the certificate's own. One that fails does not keep the others from
 * running: each serves a target of its own. False when the run was cancelled. */
static bool own_hooks_run(struct deployer *deployer, struct item *item)
{
    struct error error = {0};
    struct command_environment environment;
    if (!command_environment_make(deployer->state_folder, item->entry, &environment)) {
        error_set(&error, ERROR_MEMORY, "no memory for a deploy hook's environment");
        item_fail(item, &error);
        return true;
    }
    bool cancelled = false;
    for (const struct deploy_hook *hook = item->entry->deploy; hook != NULL && !cancelled;
         hook = hook->next) {
        if (hook->once)
            continue;
        if (!hook_command_run(hook->command, hook->timeout_s, environment.variables,
                              (struct span){0}, deployer->cancel_fd, &error))
            item_fail(item, &error);
        cancelled = is_cancelled(deployer);
    }
    command_environment_free(&environment);
    return !cancelled;
}

/* Notes the certificate for its `once` hooks; false when it has none and is done. */
static bool item_keep(struct deployer *deployer, struct item *item)
{
    bool wants_once = false;
    for (const struct deploy_hook *hook = item->entry->deploy; hook != NULL; hook = hook->next) {
        if (!hook->once)
            continue;
        wants_once = true;
        if (!once_add(&deployer->uses, hook, deployer->kept.count)) {
            struct error error = {0};
            error_set(&error, ERROR_MEMORY, "no memory to run the deploy hook %s once",
                      hook->command[0]);
            item_fail(item, &error);
        }
    }
    return wants_once;
}

static void item_run(struct deployer *deployer, struct item *item)
{
    if (item->entry->deploy != NULL && !own_hooks_run(deployer, item)) {
        free(item->failure);
        return;
    }
    /* Room first: the uses hold the index that the item will have. */
    if (items_reserve(&deployer->kept)) {
        if (item_keep(deployer, item)) {
            deployer->kept.items[deployer->kept.count++] = *item;
            return;
        }
    } else {
        struct error error = {0};
        error_set(&error, ERROR_MEMORY, "no memory to remember the certificate");
        item_fail(item, &error);
    }
    item_report(deployer, item);
    free(item->failure);
}

/* Waits for the next certificate; false when there will be none. */
static bool item_next(struct deployer *deployer, struct item *ret_item)
{
    pthread_mutex_lock(&deployer->lock);
    while (deployer->taken == deployer->waiting.count && !deployer->finishing &&
           !deployer->cancelled)
        pthread_cond_wait(&deployer->changed, &deployer->lock);
    bool found = deployer->taken < deployer->waiting.count && !deployer->cancelled;
    if (found)
        *ret_item = deployer->waiting.items[deployer->taken++];
    if (deployer->taken == deployer->waiting.count)
        deployer->taken = deployer->waiting.count = 0;
    pthread_mutex_unlock(&deployer->lock);
    return found;
}

static bool group_input(const struct deployer *deployer, const struct once_use *uses, size_t count,
                        struct buf *input)
{
    for (size_t i = 0; i < count; i++) {
        /* A certificate may name the same command twice. */
        if (i > 0 && uses[i].item == uses[i - 1].item)
            continue;
        const struct item *item = &deployer->kept.items[uses[i].item];
        TRY(command_line_append(deployer->state_folder, item->entry, item->sequence, input));
    }
    return true;
}

static void group_run(struct deployer *deployer, const struct once_use *uses, size_t count)
{
    unsigned timeout_s = 0;
    for (size_t i = 0; i < count; i++)
        if (uses[i].hook->timeout_s > timeout_s)
            timeout_s = uses[i].hook->timeout_s;
    struct buf input;
    buf_init(&input, ONCE_INPUT_MAX);
    struct error error = {0};
    bool ok = group_input(deployer, uses, count, &input)
                  ? hook_command_run(uses[0].hook->command, timeout_s, NULL, buf_span(&input),
                                     deployer->cancel_fd, &error)
                  : error_set(&error, ERROR_MEMORY, "no memory for a deploy hook's input");
    buf_free(&input);
    for (size_t i = 0; i < count && !ok; i++)
        item_fail(&deployer->kept.items[uses[i].item], &error);
}

static void once_hooks_run(struct deployer *deployer)
{
    once_group(&deployer->uses);
    const struct once_use *uses = deployer->uses.uses;
    for (size_t at = 0, count; at < deployer->uses.count; at += count) {
        for (count = 1; at + count < deployer->uses.count; count++)
            if (uses[at + count].group != uses[at].group)
                break;
        if (is_cancelled(deployer))
            return;
        group_run(deployer, uses + at, count);
    }
}

static void *deployer_thread(void *context)
{
    struct deployer *deployer = context;
    struct item item;
    while (item_next(deployer, &item))
        item_run(deployer, &item);
    if (!is_cancelled(deployer))
        once_hooks_run(deployer);
    bool cancelled = is_cancelled(deployer);
    for (size_t i = 0; i < deployer->kept.count; i++) {
        if (!cancelled)
            item_report(deployer, &deployer->kept.items[i]);
        free(deployer->kept.items[i].failure);
    }
    pthread_mutex_lock(&deployer->lock);
    deployer->ended = true;
    pthread_mutex_unlock(&deployer->lock);
    return NULL;
}

static void deployer_release(struct deployer *deployer)
{
    if (deployer->cancel_fd >= 0)
        close(deployer->cancel_fd);
    pthread_cond_destroy(&deployer->changed);
    pthread_mutex_destroy(&deployer->lock);
    once_free(&deployer->uses);
    free(deployer->waiting.items);
    free(deployer->kept.items);
    free(deployer->state_folder);
    free(deployer);
}

bool deployer_new(const struct deploy_options *options, struct deployer **ret_deployer,
                  struct error *error)
{
    struct deployer *deployer = calloc(1, sizeof *deployer);
    if (deployer == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for the deploy hooks");
    deployer->done = options->done;
    deployer->context = options->context;
    pthread_mutex_init(&deployer->lock, NULL);
    pthread_cond_init(&deployer->changed, NULL);
    /* Hooks may change their folder: give them an absolute path. */
    deployer->state_folder = realpath(options->state_folder, NULL);
    int failure = deployer->state_folder == NULL ? errno : 0;
    deployer->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (failure == 0 && deployer->cancel_fd < 0)
        failure = errno;
    if (failure == 0)
        failure = pthread_create(&deployer->thread, NULL, deployer_thread, deployer);
    if (failure != 0) {
        deployer_release(deployer);
        return error_system(error, failure, "starting the deploy hooks' thread (state folder %s)",
                            options->state_folder);
    }
    *ret_deployer = deployer;
    return true;
}

void deployer_add(struct deployer *deployer, const struct manifest_entry *entry, unsigned sequence)
{
    struct item item = {.entry = entry, .sequence = sequence};
    pthread_mutex_lock(&deployer->lock);
    bool added = items_reserve(&deployer->waiting);
    if (added) {
        deployer->waiting.items[deployer->waiting.count++] = item;
        pthread_cond_signal(&deployer->changed);
    }
    pthread_mutex_unlock(&deployer->lock);
    if (added)
        return;
    struct error error = {0};
    error_set(&error, ERROR_MEMORY, "no memory to deploy the certificate");
    item_fail(&item, &error);
    item_report(deployer, &item);
    free(item.failure);
}

static void deployer_stop(struct deployer *deployer, bool cancel)
{
    pthread_mutex_lock(&deployer->lock);
    deployer->finishing = true;
    if (cancel) {
        deployer->cancelled = true;
        (void)!eventfd_write(deployer->cancel_fd, 1);
    }
    pthread_cond_signal(&deployer->changed);
    pthread_mutex_unlock(&deployer->lock);
}

void deployer_close(struct deployer *deployer)
{
    deployer_stop(deployer, false);
}

bool deployer_ended(struct deployer *deployer)
{
    pthread_mutex_lock(&deployer->lock);
    bool ended = deployer->ended;
    pthread_mutex_unlock(&deployer->lock);
    return ended;
}

static void deployer_join(struct deployer *deployer)
{
    if (!deployer->joined)
        pthread_join(deployer->thread, NULL);
    deployer->joined = true;
}

void deployer_finish(struct deployer *deployer)
{
    deployer_stop(deployer, false);
    deployer_join(deployer);
}

void deployer_interrupt(struct deployer *deployer)
{
    deployer_stop(deployer, true);
}

void deployer_cancel(struct deployer *deployer)
{
    deployer_stop(deployer, true);
    deployer_join(deployer);
}

void deployer_free(struct deployer *deployer)
{
    if (deployer == NULL)
        return;
    deployer_cancel(deployer);
    deployer_release(deployer);
}
