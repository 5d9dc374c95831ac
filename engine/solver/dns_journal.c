#include "solver/dns_journal.h"

#include <pthread.h>
#include <stdlib.h>

struct commit {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t open; /* changes not yet committed */
    bool ok;
    struct error error;
};

static void change_done(struct state_change *change)
{
    struct commit *commit = change->owner;
    pthread_mutex_lock(&commit->lock);
    if (!change->ok && commit->ok) {
        commit->ok = false;
        commit->error = change->error;
    }
    commit->open--;
    /* Under the lock: the waiting thread destroys the condition as soon as it may go on. */
    pthread_cond_signal(&commit->changed);
    pthread_mutex_unlock(&commit->lock);
}

/* All are counted before the first is posted, for `done` may come at once. */
static void changes_commit(struct state *state, struct state_change *changes, size_t count,
                           struct commit *commit)
{
    commit->open = count;
    for (size_t i = 0; i < count; i++)
        state_post(state, &changes[i]);
    pthread_mutex_lock(&commit->lock);
    while (commit->open > 0)
        pthread_cond_wait(&commit->changed, &commit->lock);
    pthread_mutex_unlock(&commit->lock);
}

static size_t changes_fill(struct state_change *changes, enum state_change_kind kind,
                           const struct dns_record *records, size_t count, struct commit *commit)
{
    size_t filled = 0;
    for (size_t i = 0; i < count; i++) {
        if (!records[i].ok)
            continue;
        changes[filled++] = (struct state_change){
            .kind = kind,
            .record = {.name = records[i].certificate,
                       .solver = records[i].solver,
                       .fqdn = records[i].fqdn,
                       .value = records[i].value},
            .owner = commit,
            .done = change_done,
        };
    }
    return filled;
}

bool dns_journal(struct state *state, enum state_change_kind kind, const struct dns_record *records,
                 size_t count, struct error *error)
{
    if (state == NULL || count == 0)
        return true;
    struct state_change *changes = calloc(count, sizeof *changes);
    if (changes == NULL)
        return error_set(error, ERROR_MEMORY, "no memory to note DNS records");
    struct commit commit = {.ok = true};
    pthread_mutex_init(&commit.lock, NULL);
    pthread_cond_init(&commit.changed, NULL);
    size_t filled = changes_fill(changes, kind, records, count, &commit);
    if (filled > 0)
        changes_commit(state, changes, filled, &commit);
    pthread_cond_destroy(&commit.changed);
    pthread_mutex_destroy(&commit.lock);
    free(changes);
    return commit.ok || error_set(error, commit.error.kind, "%s", commit.error.text);
}
