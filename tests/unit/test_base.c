/* io/base: spans, buffers, base64, times, timers, slots, mailbox, JSON. */
#include "check.h"

#include "base/arena.h"
#include "base/base64.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mailbox.h"
#include "base/printable.h"
#include "base/slots.h"
#include "base/timer.h"

static void errors_keep_the_first_cause(void)
{
    struct error error;
    CHECK(!error_set(&error, ERROR_CA, "refused: %d", 7));
    CHECK(!error_prefix(&error, "order %s: ", "www"));
    CHECK_TEXT(error.text, "order www: refused: 7");
    CHECK_INT(error.kind, ERROR_CA);
    char longer[ERROR_TEXT_MAX * 2];
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    error_set(&error, ERROR_CA, "%s", longer);
    CHECK_INT(strlen(error.text), ERROR_TEXT_MAX - 1);
    CHECK_TEXT(error.text + ERROR_TEXT_MAX - 4, "...");
}

static void spans_split_and_convert(void)
{
    struct span rest = SPAN_LITERAL("a,,b");
    CHECK(span_is(span_split(&rest, ','), "a"));
    CHECK(span_is(span_split(&rest, ','), ""));
    CHECK(rest.data != NULL);
    CHECK(span_is(span_split(&rest, ','), "b"));
    CHECK(rest.data == NULL);
    uint64_t value;
    CHECK(span_to_u64(SPAN_LITERAL("18446744073709551615"), UINT64_MAX, &value));
    CHECK(value == UINT64_MAX);
    CHECK(!span_to_u64(SPAN_LITERAL("18446744073709551616"), UINT64_MAX, &value));
    CHECK(!span_to_u64(SPAN_LITERAL("12x"), 100, &value));
    CHECK(!span_to_u64(SPAN_LITERAL(""), 100, &value));
    CHECK(!span_to_u64(SPAN_LITERAL("101"), 100, &value));
    CHECK(span_is(span_trim(SPAN_LITERAL(" \t x y\r\n")), "x y"));
    CHECK(span_is_utf8(SPAN_LITERAL("gr\xc3\xbc\xc3\x9f")));
    CHECK(!span_is_utf8(SPAN_LITERAL("\xc0\xaf")));
    CHECK(!span_is_utf8(SPAN_LITERAL("\xed\xa0\x80")));
    CHECK(!span_is_utf8(SPAN_LITERAL("\xe2\x82")));
    CHECK(!span_is_utf8(span_make("a\0b", 3)));
}

static void buffers_have_a_ceiling(void)
{
    struct buf buf;
    buf_init(&buf, 10);
    CHECK(buf_append_text(&buf, "12345678"));
    CHECK(!buf_append_text(&buf, "abc"));
    CHECK(buf_printf(&buf, "%d", 90));
    CHECK_TEXT(buf_text(&buf), "1234567890");
    CHECK(!buf_append_char(&buf, 'x'));
    buf_free(&buf);
    CHECK_TEXT(buf_text(&buf), "");
    buf_init_secret(&buf, 1000);
    for (int i = 0; i < 100; i++)
        CHECK(buf_append_text(&buf, "0123456789"));
    CHECK_INT(buf.len, 1000);
    buf_clear(&buf);
    CHECK_INT(buf.len, 0);
    buf_free(&buf);
}

static void arenas_keep_every_piece(void)
{
    struct arena arena;
    arena_init(&arena);
    char *texts[1000];
    for (int i = 0; i < 1000; i++) {
        char text[300];
        snprintf(text, sizeof text, "%0*d", i % 250 + 1, i);
        texts[i] = arena_text(&arena, span_of(text));
        CHECK(texts[i] != NULL);
        uint64_t *aligned = arena_alloc(&arena, sizeof *aligned);
        CHECK(aligned != NULL && (uintptr_t)aligned % 16 == 0 && *aligned == 0);
        *aligned = UINT64_MAX;
    }
    CHECK(arena_alloc(&arena, 1 << 20) != NULL);
    for (int i = 0; i < 1000; i++)
        CHECK_INT(strtol(texts[i], NULL, 10), i);
    arena_free(&arena);
}

static void base64_vectors(void)
{
    /* RFC 4648 section 10, and bytes that show both alphabets. */
    static const char *const vectors[][2] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff\xfe", "-__-"}};
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        struct buf out;
        buf_init(&out, 100);
        CHECK(base64url_append(&out, vectors[i][0], strlen(vectors[i][0])));
        CHECK_TEXT(buf_text(&out), vectors[i][1]);
        buf_clear(&out);
        CHECK(base64url_decode(span_of(vectors[i][1]), &out));
        CHECK_TEXT(buf_text(&out), vectors[i][0]);
        buf_free(&out);
    }
    static const char *const refused[] = {"Zg==", "Z", "Zh", "Zm9", "Zm+v", "Zm 8", "Zm8\n"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct buf out;
        buf_init(&out, 100);
        CHECK(!base64url_decode(span_of(refused[i]), &out));
        buf_free(&out);
    }
    struct buf out;
    buf_init(&out, 100);
    CHECK(base64_decode_lenient(SPAN_LITERAL(" +/_-\nZg== "), &out));
    CHECK_INT(out.len, 4);
    buf_clear(&out);
    CHECK(!base64_decode_lenient(SPAN_LITERAL("Zg="), &out));
    CHECK(!base64_decode_lenient(SPAN_LITERAL("Zg==Zg"), &out));
    CHECK(!base64_decode_lenient(SPAN_LITERAL("Z*"), &out));
    buf_clear(&out);
    CHECK(base64_append(&out, "fooba", 5));
    CHECK_TEXT(buf_text(&out), "Zm9vYmE=");
    buf_free(&out);
}

static void times_in_every_form(void)
{
    int64_t at;
    CHECK(time_parse_rfc3339(SPAN_LITERAL("2026-11-23T12:00:00Z"), &at));
    CHECK_INT(at, 1795435200);
    CHECK(time_parse_rfc3339(SPAN_LITERAL("2026-11-23T13:30:00.123456+01:30"), &at));
    CHECK_INT(at, 1795435200);
    static const char *const wrong[] = {"",
                                        "2026-11-23",
                                        "2026-13-01T00:00:00Z",
                                        "2026-11-23T12:00:00",
                                        "2026-11-23T12:00:00.Z",
                                        "2026-11-23T25:00:00Z",
                                        "2026-11-23T12:00:00Zx",
                                        "2026-11-32T12:00:00Z"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        CHECK(!time_parse_rfc3339(span_of(wrong[i]), &at));
    CHECK(time_parse_http_date(SPAN_LITERAL("Sun, 06 Nov 1994 08:49:37 GMT"), &at));
    CHECK_INT(at, 784111777);
    CHECK(time_parse_http_date(SPAN_LITERAL("Sunday, 06-Nov-94 08:49:37 GMT"), &at));
    CHECK_INT(at, 784111777);
    CHECK(time_parse_http_date(SPAN_LITERAL("Sun Nov  6 08:49:37 1994"), &at));
    CHECK_INT(at, 784111777);
    CHECK(!time_parse_http_date(SPAN_LITERAL("yesterday"), &at));
    CHECK(!time_parse_http_date((struct span){0}, &at)); /* a header that is not there */
    int64_t seconds;
    CHECK(time_parse_retry_after(SPAN_LITERAL(" 120 "), 0, &seconds));
    CHECK_INT(seconds, 120);
    CHECK(
        time_parse_retry_after(SPAN_LITERAL("Sun, 06 Nov 1994 08:49:37 GMT"), 784111770, &seconds));
    CHECK_INT(seconds, 7);
    CHECK(
        time_parse_retry_after(SPAN_LITERAL("Sun, 06 Nov 1994 08:49:37 GMT"), 784111790, &seconds));
    CHECK_INT(seconds, 0);
    CHECK(!time_parse_retry_after(SPAN_LITERAL("-1"), 0, &seconds));
    char text[TIME_TEXT_MAX];
    CHECK_TEXT(time_format_rfc3339(784111777, text), "1994-11-06T08:49:37Z");
    CHECK_TEXT(time_format_http_date(784111777, text), "Sun, 06 Nov 1994 08:49:37 GMT");
}

static void timers_come_in_order(void)
{
    struct timers timers;
    timers_init(&timers);
    CHECK_INT(timers_wait_ms(&timers, 0), -1);
    for (uint64_t i = 0; i < 1000; i++)
        CHECK(timers_add(&timers, (int64_t)(i * 7919 % 1000), i));
    CHECK_INT(timers_wait_ms(&timers, -5), 5);
    uint64_t cookie;
    for (int64_t now = 0; now < 1000; now++) {
        CHECK(timers_take_due(&timers, now, &cookie));
        CHECK_INT(cookie * 7919 % 1000, now);
        CHECK(!timers_take_due(&timers, now, &cookie));
    }
    timers_free(&timers);
}

static void slots_never_find_another(void)
{
    struct slots slots;
    slots_init(&slots);
    int objects[200];
    uint64_t ids[200];
    for (int i = 0; i < 200; i++)
        CHECK(slots_add(&slots, &objects[i], &ids[i]));
    for (int i = 0; i < 200; i++)
        CHECK(slots_get(&slots, ids[i]) == &objects[i]);
    slots_remove(&slots, ids[5]);
    CHECK(slots_get(&slots, ids[5]) == NULL);
    uint64_t id;
    CHECK(slots_add(&slots, &objects[6], &id));
    CHECK((uint32_t)id == (uint32_t)ids[5] && id != ids[5]);
    CHECK(slots_get(&slots, ids[5]) == NULL);
    CHECK(slots_get(&slots, id) == &objects[6]);
    CHECK(slots_get(&slots, 0) == NULL);
    CHECK_INT(slots.live, 200);
    slots_free(&slots);
}

static void strangers_characters_are_told_apart(void)
{
    static const struct {
        struct span text;
        size_t len;
        bool shown;
    } cases[] = {
        {SPAN_LITERAL("a"), 1, true},
        {SPAN_LITERAL("\x1b[2J"), 1, false},
        {SPAN_LITERAL("\xc3\xbc"), 2, true},
        {SPAN_LITERAL("\xc2\x9b"), 2, false},        /* CSI, a C1 control */
        {SPAN_LITERAL("\xe2\x80\xae"), 3, false},    /* right-to-left override */
        {SPAN_LITERAL("\xe2\x82\xac"), 3, true},     /* the euro sign */
        {SPAN_LITERAL("\xf0\x9f\x94\x91"), 4, true}, /* a key */
        {SPAN_LITERAL("\xc3"), 0, false},
        {SPAN_LITERAL(""), 0, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t character = 0;
        CHECK_INT(printable_decode(cases[i].text, &character), cases[i].len);
        if (cases[i].len > 0)
            CHECK(printable_is_shown(character) == cases[i].shown);
    }
}

struct letter {
    struct message message;
    int from;
    int number;
};

static struct mailbox box;

static void *post_letters(void *argument)
{
    int from = *(int *)argument;
    for (int i = 0; i < 1000; i++) {
        struct letter *letter = malloc(sizeof *letter);
        CHECK(letter != NULL);
        *letter = (struct letter){.from = from, .number = i};
        mailbox_post(&box, &letter->message);
    }
    return NULL;
}

static void mailboxes_lose_nothing(void)
{
    struct error error;
    CHECK_OK(mailbox_init(&box, &error), error);
    pthread_t threads[4];
    int names[4] = {0, 1, 2, 3};
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, post_letters, &names[i]) == 0);
    int next[4] = {0};
    for (int seen = 0; seen < 4000;) {
        for (struct message *m = mailbox_take(&box); m != NULL; seen++) {
            struct letter *letter = (struct letter *)m;
            m = m->next;
            CHECK_INT(letter->number, next[letter->from]++);
            free(letter);
        }
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    CHECK(mailbox_take(&box) == NULL);
    mailbox_free(&box);
}

static void json_has_ceilings(void)
{
    struct error error;
    json_t *json = NULL;
    CHECK_OK(json_parse(SPAN_LITERAL("{\"a\":\"xyz\",\"n\":5,\"f\":true,\"l\":[1,2]}"), 100, &json,
                        &error),
             error);
    CHECK_TEXT(json_text(json, "a", 3), "xyz");
    CHECK(json_text(json, "a", 2) == NULL);
    CHECK(json_text(json, "n", 9) == NULL);
    CHECK_INT(json_number(json, "n", 0), 5);
    CHECK_INT(json_number(json, "a", -1), -1);
    CHECK(json_flag(json, "f", false));
    CHECK(json_list(json, "l", 2) != NULL && json_list(json, "l", 1) == NULL);
    json_release(&json);
    CHECK(!json_parse(SPAN_LITERAL("{\"a\":1}"), 3, &json, &error));
    CHECK_INT(error.kind, ERROR_LIMIT);
    CHECK(!json_parse(SPAN_LITERAL("{\"a\":1,\"a\":2}"), 100, &json, &error));
    CHECK(!json_parse(SPAN_LITERAL("{\"a\":1"), 100, &json, &error));
    CHECK_CONTAINS(error.text, "line 1");
    char deep[200];
    memset(deep, '[', sizeof deep);
    CHECK(!json_parse(span_make(deep, sizeof deep), 1000, &json, &error));
    CHECK_CONTAINS(error.text, "deeper");
}

static const struct test tests[] = {
    TEST(errors_keep_the_first_cause),
    TEST(spans_split_and_convert),
    TEST(buffers_have_a_ceiling),
    TEST(arenas_keep_every_piece),
    TEST(base64_vectors),
    TEST(times_in_every_form),
    TEST(timers_come_in_order),
    TEST(slots_never_find_another),
    TEST(mailboxes_lose_nothing),
    TEST(strangers_characters_are_told_apart),
    TEST(json_has_ceilings),
};

TESTS_MAIN(tests)
