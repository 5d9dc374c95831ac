/* For tests: post one change to the state and wait until it is committed. */
#ifndef CERTMILL_TEST_STATE_CHANGES_H
#define CERTMILL_TEST_STATE_CHANGES_H

#include "check.h"

#include "state/state.h"

#include <semaphore.h>

static inline void state_change_wake(struct state_change *change)
{
    sem_post(change->owner);
}

static inline bool state_put(struct state *state, struct state_change *change)
{
    sem_t done;
    sem_init(&done, 0, 0);
    change->owner = &done;
    change->done = state_change_wake;
    state_post(state, change);
    while (sem_wait(&done) != 0)
        ;
    sem_destroy(&done);
    return change->ok;
}

static inline void state_put_ok(struct state *state, struct state_change change)
{
    CHECK_OK(state_put(state, &change), change.error);
}

static inline struct state *state_started(const char *folder)
{
    struct state *state;
    struct error error;
    CHECK_OK(state_open(folder, false, &state, &error), error);
    CHECK_OK(state_start(state, 0, &error), error);
    return state;
}

#endif
