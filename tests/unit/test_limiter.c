/* engine/acme: the limiter, against servers with token buckets of many rates and sizes. */
#include "check.h"

#include "acme/backoff.h"
#include "acme/limiter.h"

#include <string.h>

#define ANSWERS_MAX 20000

struct answer {
    int64_t sent_ms, due_ms;
    bool served;
};

/* A server at a distance, and a client that always has something to send. */
struct scene {
    double rate, burst; /* the server's; rate 0: no limit */
    int64_t round_trip_ms;
    double trouble;        /* share of requests that it refuses whatever the pace */
    int64_t retry_after_s; /* of refusals */
    unsigned places;       /* requests out at most */
    int64_t idle_ms;       /* between requests; 0: there is always one to send */

    struct limiter limiter;
    double tokens;
    struct answer answers[ANSWERS_MAX]; /* a ring */
    unsigned first, count;
    uint64_t random, served, refused;
};

static void scene_begin(struct scene *scene)
{
    scene->tokens = scene->burst;
    scene->random = 5;
    limiter_init(&scene->limiter, 0);
}

static bool server_takes(struct scene *scene)
{
    if (scene->trouble > 0 &&
        (double)(jitter_next(&scene->random) % 1000000) < scene->trouble * 1e6)
        return false;
    if (scene->rate > 0 && scene->tokens < 1)
        return false;
    scene->tokens -= 1;
    return true;
}

static void scene_send(struct scene *scene, int64_t now_ms)
{
    limiter_take(&scene->limiter);
    unsigned at = (scene->first + scene->count++) % ANSWERS_MAX;
    scene->answers[at] = (struct answer){
        .sent_ms = now_ms, .due_ms = now_ms + scene->round_trip_ms, .served = server_takes(scene)};
}

static void scene_hear(struct scene *scene, int64_t now_ms)
{
    while (scene->count > 0 && scene->answers[scene->first].due_ms <= now_ms) {
        const struct answer *answer = &scene->answers[scene->first];
        scene->first = (scene->first + 1) % ANSWERS_MAX;
        scene->count--;
        if (answer->served) {
            scene->served++;
            limiter_served(&scene->limiter, answer->sent_ms, now_ms);
        } else {
            scene->refused++;
            limiter_refused(&scene->limiter, answer->sent_ms, scene->retry_after_s, now_ms);
        }
    }
}

/* Lets the time pass, in the steps of a client that wakes `late_ms` late at most. */
static void scene_run(struct scene *scene, int64_t from_ms, int64_t to_ms, int64_t late_ms)
{
    scene->served = scene->refused = 0;
    int64_t look_ms = from_ms;
    for (int64_t now_ms = from_ms; now_ms < to_ms; now_ms++) {
        scene->tokens += scene->rate / 1000;
        if (scene->tokens > scene->burst)
            scene->tokens = scene->burst;
        if (now_ms < look_ms)
            continue;
        look_ms = now_ms + 1;
        if (late_ms > 0)
            look_ms += (int64_t)(jitter_next(&scene->random) % (uint64_t)late_ms);
        scene_hear(scene, now_ms);
        for (unsigned sent = 0;
             scene->count < scene->places &&
             (scene->idle_ms == 0 || (sent == 0 && now_ms % scene->idle_ms == 0)) &&
             limiter_wait_ms(&scene->limiter, now_ms) == 0;
             sent++)
            scene_send(scene, now_ms);
    }
}

static struct scene scene;

static struct scene scene;

static double share_refused(void)
{
    return (double)scene.refused / (double)(scene.served + scene.refused);
}

/* From a server that is not known to one that is: all of what flows into its bucket is used, and
 * nearly nothing is refused. */
static void check_server(double rate, double burst, int64_t round_trip_ms, int64_t late_ms)
{
    scene = (struct scene){.rate = rate,
                           .burst = burst,
                           .round_trip_ms = round_trip_ms,
                           .retry_after_s = 1,
                           .places = 1000};
    scene_begin(&scene);
    int64_t first_ms = rate < 10 ? (int64_t)(200 / rate * 1000) : 20000;
    scene_run(&scene, 0, first_ms, late_ms);
    double first = (double)scene.served / (burst + rate * (double)first_ms / 1000);
    double first_refused = (double)scene.refused;
    scene_run(&scene, first_ms, 3 * first_ms, late_ms);
    double then = (double)scene.served / (rate * 2 * (double)first_ms / 1000);
    double possible = (double)scene.places / (double)round_trip_ms * 1000 / rate;
    CHECK(then >= 0.95 * (possible < 1 ? possible : 1));
    CHECK(share_refused() <= 0.02);
    /* What was out when the bucket ran dry is refused, and little more. */
    if (burst >= rate / 3)
        CHECK(first >= (rate < 60 ? 0.85 : 0.95));
    CHECK(first_refused <= 100 + 0.2 * burst + 0.5 * rate);
}

static const double rates[] = {0.5, 5, 10, 20, 60, 100, 250, 300, 1000, 4000};

static void keeps_close_to_every_rate(void)
{
    static const double bursts_s[] = {0.02, 0.1, 0.5, 1, 30};
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++)
        for (size_t j = 0; j < sizeof bursts_s / sizeof bursts_s[0]; j++) {
            double burst = rates[i] * bursts_s[j] > 4 ? rates[i] * bursts_s[j] : 4;
            check_server(rates[i], burst, 1, 3);
            check_server(rates[i], burst, 50, 5);
        }
}

static void finds_the_rate_again_when_it_changes(void)
{
    scene = (struct scene){
        .rate = 250, .burst = 125, .round_trip_ms = 50, .retry_after_s = 1, .places = 1000};
    scene_begin(&scene);
    scene_run(&scene, 0, 20000, 3);
    scene.rate = 50;
    scene_run(&scene, 20000, 30000, 3);
    CHECK(share_refused() < 0.3);
    scene_run(&scene, 30000, 50000, 3);
    CHECK(scene.served >= 950);
    CHECK(share_refused() < 0.02);
    scene.rate = 500;
    scene_run(&scene, 50000, 110000, 3);
    scene_run(&scene, 110000, 130000, 3);
    CHECK(scene.served >= 9500);
    CHECK(share_refused() < 0.02);
}

static void trouble_of_the_server_is_not_taken_for_a_limit(void)
{
    scene = (struct scene){.round_trip_ms = 50, .trouble = 0.05, .retry_after_s = 1, .places = 200};
    scene_begin(&scene);
    scene_run(&scene, 0, 20000, 0);
    CHECK(scene.served > 68000);
    /* A limit in the middle of it is found all the same. */
    scene.rate = 250;
    scene.burst = 125;
    scene.tokens = 0;
    scene.places = 1000;
    scene_run(&scene, 20000, 40000, 0);
    scene_run(&scene, 40000, 60000, 0);
    CHECK(scene.served >= 4500);
    CHECK(share_refused() < 0.25);
}

static void after_an_outage_it_is_as_fast_as_before(void)
{
    scene = (struct scene){.round_trip_ms = 50, .retry_after_s = 1, .places = 200};
    scene_begin(&scene);
    scene_run(&scene, 0, 5000, 0);
    scene.trouble = 1;
    scene_run(&scene, 5000, 65000, 0);
    CHECK(scene.refused < 600); /* 200 were out */
    scene.trouble = 0;
    scene_run(&scene, 65000, 70000, 0);
    CHECK(scene.served > 12000);
}

static void a_server_without_a_limit_is_not_held_up(void)
{
    scene = (struct scene){.round_trip_ms = 50, .places = 1000};
    scene_begin(&scene);
    scene_run(&scene, 0, 10000, 0);
    CHECK(scene.served >= 160000); /* of 200,000 */
    /* Nor one that takes its time, though its answers do not tell that it could do more. */
    scene = (struct scene){.round_trip_ms = 15000, .places = 1000};
    scene_begin(&scene);
    scene_run(&scene, 0, 18000, 0);
    CHECK_INT(scene.count, 1000);
}

static void a_long_retry_after_holds_for_all(void)
{
    scene = (struct scene){
        .rate = 1.0 / 36, .burst = 30, .round_trip_ms = 50, .retry_after_s = 36, .places = 1000};
    scene_begin(&scene);
    scene_run(&scene, 0, 30000, 3);
    CHECK_INT(scene.served, 30);
    CHECK(scene.refused < 100);
    CHECK(limiter_wait_ms(&scene.limiter, 1000) > 30000);
    scene_run(&scene, 30000, 3600000, 3);
    CHECK(scene.served >= 80); /* of 99 */
    CHECK(scene.refused <= scene.served);
}

static void a_turn_that_was_not_used_is_given_back(void)
{
    struct limiter limiter;
    limiter_init(&limiter, 0);
    for (int i = 0; i < 1000; i++) {
        CHECK_INT(limiter_wait_ms(&limiter, 0), 0);
        limiter_take(&limiter);
        limiter_return(&limiter);
    }
    CHECK_INT(limiter.out, 0);
    limiter_unknown(&limiter);
    CHECK_INT(limiter.out, 0);
}

static void a_clock_that_goes_back_does_no_harm(void)
{
    struct limiter limiter;
    limiter_init(&limiter, 1000);
    for (int i = 0; i < 100; i++) {
        limiter_take(&limiter);
        limiter_refused(&limiter, 1000 - i, 1, 900 - i);
        CHECK(limiter.rate >= 0 && limiter.rate <= 1e6);
        CHECK(limiter_wait_ms(&limiter, 800) >= 0);
    }
    CHECK_INT(limiter_wait_ms(&limiter, 10000000), 0);
}

static const struct test tests[] = {
    TEST(keeps_close_to_every_rate),
    TEST(finds_the_rate_again_when_it_changes),
    TEST(trouble_of_the_server_is_not_taken_for_a_limit),
    TEST(after_an_outage_it_is_as_fast_as_before),
    TEST(a_server_without_a_limit_is_not_held_up),
    TEST(a_long_retry_after_holds_for_all),
    TEST(a_turn_that_was_not_used_is_given_back),
    TEST(a_clock_that_goes_back_does_no_harm),
};
TESTS_MAIN(tests)
