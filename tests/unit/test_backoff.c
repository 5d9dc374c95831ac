/* engine/acme: waits and token buckets. */
#include "check.h"

#include "acme/backoff.h"

#include <limits.h>

#define NO_RETRY_AFTER ((int64_t)-1)
#define DAY_S          ((int64_t)86400)

static const struct backoff usual = {.first_ms = 1000, .cap_ms = 60000};

static void waits_grow_and_stay_in_their_upper_half(void)
{
    static const int64_t expected[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
    for (unsigned attempt = 0; attempt < sizeof expected / sizeof expected[0]; attempt++) {
        int64_t full = expected[attempt];
        CHECK_INT(backoff_ms(&usual, attempt, NO_RETRY_AFTER, DAY_S, 0), full - full / 2);
        CHECK_INT(backoff_ms(&usual, attempt, NO_RETRY_AFTER, DAY_S, (uint64_t)full / 2), full);
        uint64_t random = attempt + 1;
        for (int i = 0; i < 1000; i++) {
            int64_t wait = backoff_ms(&usual, attempt, NO_RETRY_AFTER, DAY_S, jitter_next(&random));
            CHECK(wait >= full / 2 && wait <= full);
        }
    }
}

static void large_attempts_and_odd_settings_do_not_overflow(void)
{
    CHECK_INT(backoff_ms(&usual, UINT_MAX, NO_RETRY_AFTER, DAY_S, 30000), 60000);
    struct backoff huge = {.first_ms = INT64_MAX - 1, .cap_ms = INT64_MAX};
    for (unsigned attempt = 0; attempt < 70; attempt++)
        CHECK(backoff_ms(&huge, attempt, NO_RETRY_AFTER, DAY_S, UINT64_MAX) >= INT64_MAX / 2);
    struct backoff growing = {.first_ms = 3, .cap_ms = INT64_MAX};
    CHECK(backoff_ms(&growing, 1000, NO_RETRY_AFTER, DAY_S, 7) >= INT64_MAX / 2);
    struct backoff nothing = {0};
    CHECK_INT(backoff_ms(&nothing, 5, NO_RETRY_AFTER, DAY_S, 123), 1);
    struct backoff negative = {.first_ms = -5, .cap_ms = -7};
    CHECK_INT(backoff_ms(&negative, 5, NO_RETRY_AFTER, DAY_S, 123), 1);
    struct backoff reversed = {.first_ms = 500, .cap_ms = 100};
    CHECK_INT(backoff_ms(&reversed, 0, NO_RETRY_AFTER, DAY_S, 50), 100);
}

static void retry_after_comes_first_and_has_a_cap(void)
{
    CHECK_INT(backoff_ms(&usual, 0, 8, DAY_S, 0), 8000);
    CHECK_INT(backoff_ms(&usual, 0, 8, DAY_S, 1000), 9000);
    CHECK_INT(backoff_ms(&usual, 9, 8, DAY_S, 1001), 8000);
    /* never earlier than asked, when asked for no more than the cap */
    CHECK_INT(backoff_ms(&usual, 0, DAY_S, DAY_S, 12345), DAY_S * 1000);
    CHECK_INT(backoff_ms(&usual, 0, 100, 101, 12000), 101000);
    /* past the cap: spread below it */
    CHECK_INT(backoff_ms(&usual, 0, 86400, 600, 0), 600000);
    CHECK_INT(backoff_ms(&usual, 0, 86400, 600, 75000), 525000);
    CHECK_INT(backoff_ms(&usual, 0, INT64_MAX, 600, 0), 600000);
    CHECK(backoff_ms(&usual, 0, INT64_MAX, INT64_MAX, UINT64_MAX) > 0);
    CHECK_INT(backoff_ms(&usual, 0, 5, -1, 7), 0);
    /* 0 must not make a loop without a wait */
    CHECK_INT(backoff_ms(&usual, 0, 0, DAY_S, 0), 500);
    CHECK_INT(backoff_ms(&usual, 2, 0, DAY_S, 0), 2000);
    CHECK_INT(backoff_ms(&usual, 0, INT64_MIN, DAY_S, 0), 500);
}

static void bucket_lets_a_burst_through_and_then_its_rate(void)
{
    struct bucket bucket;
    bucket_init(&bucket, 20, 3, 1000);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(bucket_wait_ms(&bucket, 1000), 0);
        bucket_take(&bucket);
    }
    CHECK_INT(bucket_wait_ms(&bucket, 1000), 50);
    CHECK_INT(bucket_wait_ms(&bucket, 1030), 20);
    CHECK_INT(bucket_wait_ms(&bucket, 1050), 0);
    bucket_take(&bucket);
    CHECK_INT(bucket_wait_ms(&bucket, 1050), 50);
    /* never more than the burst, however long it rests */
    int granted = 0;
    while (bucket_wait_ms(&bucket, 10000000) == 0) {
        bucket_take(&bucket);
        granted++;
    }
    CHECK_INT(granted, 3);
}

static void bucket_gives_exactly_its_rate_over_time(void)
{
    struct bucket bucket;
    bucket_init(&bucket, 7, 1, 0);
    int granted = 0;
    int64_t now = 0;
    while (now < 100000) {
        int64_t wait = bucket_wait_ms(&bucket, now);
        if (wait == 0) {
            bucket_take(&bucket);
            granted++;
        } else {
            CHECK(wait <= 143);
            now += wait;
        }
    }
    CHECK(granted >= 695 && granted <= 701);
}

static void bucket_survives_a_clock_that_stands_or_goes_back(void)
{
    struct bucket bucket;
    bucket_init(&bucket, 10, 1, 5000);
    bucket_take(&bucket);
    CHECK_INT(bucket_wait_ms(&bucket, 5000), 100);
    CHECK_INT(bucket_wait_ms(&bucket, 4000), 100);
    CHECK_INT(bucket_wait_ms(&bucket, INT64_MIN), 100);
    /* the time between 4000 and 5000 is not counted twice */
    CHECK_INT(bucket_wait_ms(&bucket, 5000), 100);
    CHECK_INT(bucket_wait_ms(&bucket, 5100), 0);
}

static void bucket_takes_odd_rates(void)
{
    struct bucket bucket;
    bucket_init(&bucket, 0, 0, 0);
    for (int i = 0; i < 100; i++) {
        CHECK_INT(bucket_wait_ms(&bucket, 0), 0);
        bucket_take(&bucket);
    }
    bucket_init(&bucket, -3, 5, 0);
    bucket_take(&bucket);
    CHECK_INT(bucket_wait_ms(&bucket, 0), 0);
    /* a burst below one would never let anything through */
    bucket_init(&bucket, 10, 0.1, 0);
    CHECK_INT(bucket_wait_ms(&bucket, 0), 0);
    /* a tiny rate gives a long, finite wait */
    bucket_init(&bucket, 1e-300, 1, 0);
    bucket_take(&bucket);
    CHECK_INT(bucket_wait_ms(&bucket, 1), DAY_S * 1000);
    bucket_init(&bucket, 1e12, 1, 0);
    bucket_take(&bucket);
    CHECK_INT(bucket_wait_ms(&bucket, 0), 1);
    CHECK_INT(bucket_wait_ms(&bucket, 1), 0);
}

static void jitter_is_never_stuck(void)
{
    uint64_t state = 0;
    uint64_t first = jitter_next(&state);
    uint64_t second = jitter_next(&state);
    CHECK(first != 0 && second != 0 && first != second);
    uint64_t again = 0;
    CHECK(jitter_next(&again) == first);
    unsigned seen[8] = {0};
    for (int i = 0; i < 8000; i++)
        seen[jitter_next(&state) % 8]++;
    for (int i = 0; i < 8; i++)
        CHECK(seen[i] > 800 && seen[i] < 1200);
}

static const struct test tests[] = {
    TEST(waits_grow_and_stay_in_their_upper_half),
    TEST(large_attempts_and_odd_settings_do_not_overflow),
    TEST(retry_after_comes_first_and_has_a_cap),
    TEST(bucket_lets_a_burst_through_and_then_its_rate),
    TEST(bucket_gives_exactly_its_rate_over_time),
    TEST(bucket_survives_a_clock_that_stands_or_goes_back),
    TEST(bucket_takes_odd_rates),
    TEST(jitter_is_never_stuck),
};
TESTS_MAIN(tests)
