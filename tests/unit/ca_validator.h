/* A validator and what it found, for the tests of bench/ca/validate. */
#ifndef CERTMILL_TEST_CA_VALIDATOR_H
#define CERTMILL_TEST_CA_VALIDATOR_H

#include "check.h"

#include "ca/validate.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#define OUTCOMES_MAX    1000
#define OUTCOME_SECONDS 20 /* that a test waits for what does not come */
#define KEY_AUTH        "token.thumbprint"

/* A copy of a result. */
struct outcome {
    unsigned times;
    bool valid;
    char problem[32], detail[512], url[512], address[64];
};

struct watcher {
    struct validator *validator;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t count;
    struct outcome outcomes[OUTCOMES_MAX]; /* by id */
};

static inline void watcher_done(void *context, const struct validation_result *result)
{
    struct watcher *watcher = context;
    CHECK(result->id < OUTCOMES_MAX);
    struct outcome *outcome = &watcher->outcomes[result->id];
    pthread_mutex_lock(&watcher->lock);
    outcome->times++;
    outcome->valid = result->valid;
    snprintf(outcome->problem, sizeof outcome->problem, "%s", result->problem);
    snprintf(outcome->detail, sizeof outcome->detail, "%s", result->detail);
    snprintf(outcome->url, sizeof outcome->url, "%s", result->url);
    snprintf(outcome->address, sizeof outcome->address, "%s", result->address);
    watcher->count++;
    pthread_cond_signal(&watcher->changed);
    pthread_mutex_unlock(&watcher->lock);
}

static inline struct watcher *watcher_start(const struct validator_options *options)
{
    struct error error;
    struct watcher *watcher = calloc(1, sizeof *watcher);
    CHECK(watcher != NULL);
    pthread_mutex_init(&watcher->lock, NULL);
    pthread_cond_init(&watcher->changed, NULL);
    CHECK_OK(validator_new(options, &watcher->validator, &error), error);
    validator_report_to(watcher->validator, watcher_done, watcher);
    return watcher;
}

static inline void watcher_stop(struct watcher *watcher)
{
    validator_free(watcher->validator);
    pthread_cond_destroy(&watcher->changed);
    pthread_mutex_destroy(&watcher->lock);
    free(watcher);
}

/* Until so many results came since the start. */
static inline void watcher_wait(struct watcher *watcher, size_t count)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += OUTCOME_SECONDS;
    pthread_mutex_lock(&watcher->lock);
    while (watcher->count < count)
        CHECK_INT(pthread_cond_timedwait(&watcher->changed, &watcher->lock, &until), 0);
    pthread_mutex_unlock(&watcher->lock);
}

static inline void watcher_submit(struct watcher *watcher, const struct validation *validation)
{
    struct validation copy = *validation;
    if (copy.token == NULL)
        copy.token = "token";
    if (copy.key_authorization == NULL)
        copy.key_authorization = KEY_AUTH;
    CHECK(validator_submit(watcher->validator, &copy));
}

/* One validation, from its submission to its result. */
static inline const struct outcome *watcher_ask(struct watcher *watcher,
                                                const struct validation *validation)
{
    size_t before = watcher->count; /* nothing else is under way */
    struct validation copy = *validation;
    copy.id = 0;
    watcher->outcomes[0] = (struct outcome){0};
    watcher_submit(watcher, &copy);
    watcher_wait(watcher, before + 1);
    CHECK_INT(watcher->outcomes[0].times, 1);
    return &watcher->outcomes[0];
}

static inline void outcome_is_valid(const struct outcome *outcome)
{
    if (!outcome->valid)
        CHECK_TEXT(outcome->detail, "valid");
    CHECK_TEXT(outcome->problem, "");
}

static inline void outcome_is(const struct outcome *outcome, const char *problem,
                              const char *detail)
{
    CHECK(!outcome->valid);
    CHECK_CONTAINS(outcome->detail, detail);
    CHECK_TEXT(outcome->problem, problem);
}

#endif
