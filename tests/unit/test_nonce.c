/* engine/acme: the pool of nonces. */
#include "check.h"

#include "acme/nonce.h"

static void put(struct nonce_pool *pool, const char *text, int64_t now_ms)
{
    nonce_put(pool, span_of(text), now_ms);
}

static void newest_goes_out_first_and_once(void)
{
    struct nonce_pool *pool = nonce_pool_new(4);
    char text[NONCE_MAX + 1] = "untouched";
    CHECK(!nonce_take(pool, 0, text));
    CHECK_TEXT(text, "untouched");
    put(pool, "one", 1);
    put(pool, "two", 2);
    put(pool, "three", 3);
    CHECK_INT(nonce_count(pool), 3);
    CHECK(nonce_take(pool, 4, text));
    CHECK_TEXT(text, "three");
    put(pool, "four", 4);
    CHECK(nonce_take(pool, 5, text));
    CHECK_TEXT(text, "four");
    CHECK(nonce_take(pool, 5, text));
    CHECK_TEXT(text, "two");
    CHECK(nonce_take(pool, 5, text));
    CHECK_TEXT(text, "one");
    CHECK(!nonce_take(pool, 5, text));
    nonce_pool_free(pool);
}

static void full_pool_drops_the_oldest(void)
{
    struct nonce_pool *pool = nonce_pool_new(3);
    char text[NONCE_MAX + 1];
    for (int i = 0; i < 10; i++) {
        snprintf(text, sizeof text, "nonce-%d", i);
        put(pool, text, i);
    }
    CHECK_INT(nonce_count(pool), 3);
    for (int i = 9; i > 6; i--) {
        char expected[16];
        snprintf(expected, sizeof expected, "nonce-%d", i);
        CHECK(nonce_take(pool, 10, text));
        CHECK_TEXT(text, expected);
    }
    CHECK(!nonce_take(pool, 10, text));
    nonce_pool_free(pool);
    pool = nonce_pool_new(0);
    put(pool, "a", 0);
    put(pool, "b", 0);
    CHECK_INT(nonce_count(pool), 1);
    CHECK(nonce_take(pool, 0, text));
    CHECK_TEXT(text, "b");
    nonce_pool_free(pool);
    nonce_pool_free(NULL);
}

static void repeated_nonce_is_kept_once(void)
{
    struct nonce_pool *pool = nonce_pool_new(8);
    char text[NONCE_MAX + 1];
    put(pool, "same", 0);
    put(pool, "other", 0);
    put(pool, "same", 0);
    CHECK_INT(nonce_count(pool), 2);
    CHECK(nonce_take(pool, 0, text));
    CHECK(nonce_take(pool, 0, text));
    CHECK(!nonce_take(pool, 0, text));
    nonce_pool_free(pool);
}

static void old_ones_are_dropped(void)
{
    struct nonce_pool *pool = nonce_pool_new(8);
    char text[NONCE_MAX + 1];
    put(pool, "old", 0);
    put(pool, "young", 1000);
    CHECK(nonce_take(pool, NONCE_AGE_MAX_MS + 1000, text));
    CHECK_TEXT(text, "young");
    CHECK(!nonce_take(pool, NONCE_AGE_MAX_MS + 1000, text));
    CHECK_INT(nonce_count(pool), 0);
    put(pool, "edge", 0);
    CHECK(nonce_take(pool, NONCE_AGE_MAX_MS, text));
    nonce_pool_free(pool);
}

static void what_is_no_nonce_is_ignored(void)
{
    struct nonce_pool *pool = nonce_pool_new(8);
    put(pool, "", 0);
    nonce_put(pool, (struct span){0}, 0);
    put(pool, "with blank", 0);
    put(pool, "line\r\nInjected: yes", 0);
    put(pool, "padded==", 0);
    put(pool, "plus+slash/", 0);
    put(pool, "quote\"", 0);
    put(pool, "gr\xc3\xbc\xc3\x9f", 0);
    nonce_put(pool, span_make("a\0b", 3), 0);
    char longest[NONCE_MAX + 2];
    memset(longest, 'x', sizeof longest);
    nonce_put(pool, span_make(longest, NONCE_MAX + 1), 0);
    CHECK_INT(nonce_count(pool), 0);
    nonce_put(pool, span_make(longest, NONCE_MAX), 0);
    put(pool, "AZaz09-_", 0);
    CHECK_INT(nonce_count(pool), 2);
    char text[NONCE_MAX + 1];
    CHECK(nonce_take(pool, 0, text));
    CHECK_TEXT(text, "AZaz09-_");
    CHECK(nonce_take(pool, 0, text));
    CHECK_INT(strlen(text), NONCE_MAX);
    nonce_pool_free(pool);
}

static const struct test tests[] = {
    TEST(newest_goes_out_first_and_once), TEST(full_pool_drops_the_oldest),
    TEST(repeated_nonce_is_kept_once),    TEST(old_ones_are_dropped),
    TEST(what_is_no_nonce_is_ignored),
};
TESTS_MAIN(tests)
