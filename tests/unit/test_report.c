/* engine/report: what a run tells while it goes on: progress line, messages, event stream. */
#include "check.h"
#include "report_fixture.h"

#include "base/json.h"
#include "report/events.h"
#include "report/progress.h"
#include "report/report.h"

#include <fcntl.h>
#include <limits.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static void progress_line_shows_rate_and_time_left(void)
{
    struct progress progress;
    char line[200];
    progress_init(&progress, 0);
    progress.total = 10000;
    progress.in_flight = 1000;
    progress_line(&progress, 0, 100, line, sizeof line);
    CHECK_TEXT(line, "  0/10,000 done   1,000 in flight");
    for (int second = 1; second <= 3; second++) {
        progress.issued = (size_t)second * 412 - 3;
        progress.failed = 3;
        progress_sample(&progress, INT64_C(1000) * second);
    }
    CHECK_INT((int)(progress_rate(&progress, 3000) + 0.5), 412);
    progress_line(&progress, 3000, 100, line, sizeof line);
    CHECK_TEXT(line, "  1,233/10,000 done   3 failed   1,000 in flight   412/s   time left 21 s");
    progress.issued = 9997;
    progress_line(&progress, 3000, 100, line, sizeof line);
    CHECK(strstr(line, "time left") == NULL);
}

static void progress_rate_forgets_what_is_long_ago(void)
{
    struct progress progress;
    progress_init(&progress, 0);
    progress.total = 100000;
    progress.issued = 50000;
    progress_sample(&progress, 1000);
    /* An hour's wait for the CA, then 10 a second. */
    for (int64_t ms = 3600000; ms <= 3630000; ms += 100) {
        progress.issued = 50000 + (size_t)(ms - 3600000) / 100;
        progress_sample(&progress, ms);
    }
    CHECK_INT((int)(progress_rate(&progress, 3630000) + 0.5), 10);
    CHECK(progress_rate(&progress, 3930000) < 10);
    struct progress fresh;
    progress_init(&fresh, 0);
    fresh.issued = 5;
    CHECK(progress_rate(&fresh, 100) == 0); /* too short to say */
}

static void progress_line_fits_the_terminal(void)
{
    struct progress progress;
    progress_init(&progress, 0);
    progress.total = 10000;
    progress.issued = 1231;
    progress.failed = 3;
    progress.parked = 2;
    progress.in_flight = 1000;
    progress_sample(&progress, 2000);
    char full[200];
    progress_line(&progress, 3000, 200, full, sizeof full);
    for (size_t columns = 20; columns < 120; columns++) {
        char line[200];
        progress_line(&progress, 3000, columns, line, sizeof line);
        CHECK(strlen(line) <= columns);
        CHECK_CONTAINS(line, "1,231/10,000 done");
        if (columns >= strlen(full))
            CHECK_TEXT(line, full);
    }
    char line[200];
    progress_line(&progress, 3000, strlen(full) - 1, line, sizeof line);
    CHECK(strstr(line, "in flight") == NULL);
    CHECK_CONTAINS(line, "3 failed");
    char tiny[16];
    progress_line(&progress, 3000, 200, tiny, sizeof tiny);
    CHECK(strlen(tiny) < sizeof tiny);
}

static void plain_lines_come_every_ten_seconds(void)
{
    struct fixture fixture;
    fixture_open(&fixture, (struct report_options){.progress = PROGRESS_AUTO});
    CHECK_INT(report_tick(fixture.report, 0), 10000);
    tell(&fixture, (struct news){.kind = NEWS_RUN_STARTED, .total = 20, .in_flight = 5}, 0);
    CHECK_INT(report_tick(fixture.report, 4000), 6000);
    tell(&fixture,
         (struct news){.kind = NEWS_ISSUED, .name = "a", .sequence = 1, .in_flight = UINT_MAX},
         5000);
    CHECK_INT(report_tick(fixture.report, 10000), 10000);
    CHECK_INT(report_tick(fixture.report, 10100), 9900);
    report_tick(fixture.report, 20000);
    char *text = stream_text(fixture.messages);
    CHECK_INT(count_of(text, "certmill: 1/20 done   5 in flight"), 2);
    CHECK(strpbrk(text, "\r\x1b") == NULL);
    free(text);
    fixture_close(&fixture);
}

static void quiet_and_never_draw_nothing(void)
{
    const struct report_options options[] = {
        {.progress = PROGRESS_NEVER},
        {.progress = PROGRESS_ALWAYS, .quiet = true},
    };
    for (size_t i = 0; i < 2; i++) {
        struct fixture fixture;
        fixture_open(&fixture, options[i]);
        tell(&fixture, (struct news){.kind = NEWS_RUN_STARTED, .total = 1}, 0);
        CHECK(report_tick(fixture.report, 50000) > 10000);
        char *text = stream_text(fixture.messages);
        CHECK_TEXT(text, "");
        free(text);
        tell(&fixture, (struct news){.kind = NEWS_WARNING, .text = "the clock is odd"}, 50000);
        tell(&fixture, (struct news){.kind = NEWS_FAILED, .name = "a", .text = "no"}, 50000);
        text = stream_text(fixture.messages);
        CHECK_TEXT(text, "certmill: warning: the clock is odd\ncertmill: failed: a: no\n");
        free(text);
        fixture_close(&fixture);
    }
}

/* A pseudo-terminal as the operator's: what it shows is read from the other side. */
static size_t terminal_read(int fd, char *text, size_t size)
{
    size_t len = 0;
    ssize_t count;
    while (len + 1 < size && (count = read(fd, text + len, size - 1 - len)) > 0)
        len += (size_t)count;
    text[len] = '\0';
    return len;
}

static void terminal_line_is_redrawn_and_cleared(void)
{
    int screen;
    int tty;
    struct winsize size = {.ws_col = 40, .ws_row = 24};
    CHECK(openpty(&screen, &tty, NULL, NULL, &size) == 0);
    CHECK(fcntl(screen, F_SETFL, O_NONBLOCK) == 0);
    setenv("TERM", "xterm", 1);
    FILE *messages = fdopen(tty, "w");
    CHECK(messages != NULL);
    struct fixture fixture;
    fixture_open(&fixture,
                 (struct report_options){.progress = PROGRESS_AUTO, .messages = messages});
    tell(&fixture, (struct news){.kind = NEWS_RUN_STARTED, .total = 1000, .in_flight = 100}, 0);
    for (int64_t ms = 0; ms < 1000; ms++)
        report_tick(fixture.report, ms);
    char text[8192];
    terminal_read(screen, text, sizeof text);
    CHECK_INT(count_of(text, "0/1,000 done   100 in flight"), 9); /* every 100 ms, not every ms */
    CHECK(strchr(text, '\n') == NULL && strchr(text, '\x1b') == NULL);

    /* A message first clears the line; the next tick draws it again below. */
    tell(&fixture, (struct news){.kind = NEWS_WARNING, .text = "w", .in_flight = 100}, 1000);
    terminal_read(screen, text, sizeof text);
    const char *cleared = strstr(text, "\r                              \rcertmill: warning: w");
    CHECK(cleared != NULL);
    report_tick(fixture.report, 1200);
    terminal_read(screen, text, sizeof text);
    CHECK_CONTAINS(text, "0/1,000 done");

    /* A narrower window gets a shorter line. */
    size.ws_col = 20;
    CHECK(ioctl(tty, TIOCSWINSZ, &size) == 0);
    report_tick(fixture.report, 2000);
    terminal_read(screen, text, sizeof text);
    CHECK(strlen(text) <= 20 && strstr(text, "flight") == NULL);

    /* A terminal that cannot go back in the line gets plain lines. */
    setenv("TERM", "dumb", 1);
    struct fixture dumb;
    fixture_open(&dumb, (struct report_options){.progress = PROGRESS_AUTO, .messages = messages});
    tell(&dumb, (struct news){.kind = NEWS_RUN_STARTED, .total = 7}, 0);
    report_tick(dumb.report, 10000);
    terminal_read(screen, text, sizeof text);
    CHECK_TEXT(text, "certmill: 0/7 done   0 in flight\r\n"); /* \r\n: the terminal's own */
    fixture_close(&dumb);
    fixture_close(&fixture);
    fclose(messages);
    close(screen);
}

static json_t *line_json(const char **lines)
{
    const char *end = strchr(*lines, '\n');
    CHECK(end != NULL);
    json_t *json;
    struct error error;
    CHECK_OK(json_parse(span_make(*lines, (size_t)(end - *lines)), 65536, &json, &error), error);
    *lines = end + 1;
    return json;
}

static void check_event(const char **lines, const char *expected)
{
    json_t *json = line_json(lines);
    char *actual = json_dumps(json, JSON_COMPACT);
    CHECK_TEXT(actual, expected);
    free(actual);
    json_decref(json);
}

static void events_are_json_lines(void)
{
    char folder[] = "/tmp/certmill-report-XXXXXX";
    CHECK(mkdtemp(folder) != NULL);
    char path[64];
    snprintf(path, sizeof path, "%s/events", folder);
    FILE *old = fopen(path, "w");
    CHECK(old != NULL);
    fputs("{\"earlier\":1}\n", old);
    fclose(old);
    struct fixture fixture;
    fixture_open(&fixture, (struct report_options){.progress = PROGRESS_NEVER, .events = path});
    CHECK(report_wants_states(fixture.report));
    tell(&fixture, (struct news){.kind = NEWS_RUN_STARTED, .total = 3}, 0);
    tell(&fixture, (struct news){.kind = NEWS_ACCOUNT, .name = "scm", .text = "https://ca/acct/1"},
         0);
    tell(&fixture, (struct news){.kind = NEWS_ORDER_STATE, .name = "www", .text = "ready"}, 1000);
    tell(&fixture,
         (struct news){.kind = NEWS_ISSUED,
                       .name = "www",
                       .sequence = 3,
                       .not_after = NOW_UNIX + 86400,
                       .seconds = 1.5},
         2000);
    tell(&fixture,
         (struct news){.kind = NEWS_FAILED,
                       .name = "api",
                       .text = "\"no\"\n\xff",
                       .advice = "ask",
                       .type = "caa"},
         2000);
    tell(&fixture,
         (struct news){.kind = NEWS_WAITING, .name = "ca", .text = "rateLimited", .seconds = 60},
         2000);
    report_summary(fixture.report, false, NULL, 0, NOW_UNIX + 3, 3000);
    fixture_close(&fixture);

    FILE *file = fopen(path, "r");
    CHECK(file != NULL);
    char *text = stream_text(file);
    fclose(file);
    const char *lines = text;
    check_event(&lines, "{\"earlier\":1}");
    check_event(&lines,
                "{\"time\":\"2026-11-23T12:00:00Z\",\"event\":\"run-started\",\"total\":3}");
    check_event(&lines, "{\"time\":\"2026-11-23T12:00:00Z\",\"event\":\"account-ready\","
                        "\"account\":\"scm\",\"url\":\"https://ca/acct/1\"}");
    check_event(&lines, "{\"time\":\"2026-11-23T12:00:01Z\",\"event\":\"order-state\","
                        "\"certificate\":\"www\",\"state\":\"ready\"}");
    check_event(&lines, "{\"time\":\"2026-11-23T12:00:02Z\",\"event\":\"issued\","
                        "\"certificate\":\"www\",\"sequence\":3,"
                        "\"not_after\":\"2026-11-24T12:00:00Z\",\"duration_ms\":1500}");
    check_event(&lines, "{\"time\":\"2026-11-23T12:00:02Z\",\"event\":\"failed\","
                        "\"certificate\":\"api\",\"reason\":\"\\\"no\\\"\\n?\",\"type\":\"caa\","
                        "\"advice\":\"ask\"}");
    check_event(&lines, "{\"time\":\"2026-11-23T12:00:02Z\",\"event\":\"waiting\",\"host\":\"ca\","
                        "\"reason\":\"rateLimited\",\"wait_ms\":60000}");
    check_event(&lines, "{\"time\":\"2026-11-23T12:00:03Z\",\"event\":\"run-finished\","
                        "\"interrupted\":false,\"due\":3,\"issued\":1,\"failed\":1,\"parked\":0,"
                        "\"imported\":0,\"deployed\":0,\"deploy_failed\":0,\"warnings\":0,"
                        "\"duration_ms\":3000}");
    CHECK_TEXT(lines, "");
    free(text);
    unlink(path);
    rmdir(folder);
}

static void new_events_file_is_private(void)
{
    char folder[] = "/tmp/certmill-report-XXXXXX";
    CHECK(mkdtemp(folder) != NULL);
    char path[64];
    snprintf(path, sizeof path, "%s/events", folder);
    mode_t umask_before = umask(0);
    struct events events;
    struct error error;
    CHECK_OK(events_open(&events, path, STDOUT_FILENO, &error), error);
    umask(umask_before);
    events_close(&events);
    struct stat status;
    CHECK(stat(path, &status) == 0);
    CHECK_INT(status.st_mode & 07777, 0600);
    unlink(path);
    CHECK(!events_open(&events, folder, STDOUT_FILENO, &error));
    CHECK_CONTAINS(error.text, folder);
    CHECK_INT(error.kind, ERROR_SYSTEM);
    rmdir(folder);
}

static void lost_events_are_one_warning(void)
{
    struct fixture fixture;
    fixture_open(&fixture,
                 (struct report_options){.progress = PROGRESS_NEVER, .events = "/dev/full"});
    for (int i = 0; i < 3; i++)
        tell(&fixture, (struct news){.kind = NEWS_ISSUED, .name = "a"}, 0);
    report_summary(fixture.report, false, NULL, 0, NOW_UNIX, 0);
    char *text = stream_text(fixture.messages);
    CHECK_INT(count_of(text, "writing the events: No space left on device"), 1);
    CHECK_CONTAINS(text, "certmill: warning: 3 events could not be written\n");
    free(text);
    struct report_totals totals;
    report_total(fixture.report, &totals);
    CHECK_INT(totals.issued, 3);
    CHECK_INT(totals.warnings, 1);
    fixture_close(&fixture);
}

static void line_after_a_torn_one_starts_anew(void)
{
    char folder[] = "/tmp/certmill-report-XXXXXX";
    CHECK(mkdtemp(folder) != NULL);
    char path[64];
    snprintf(path, sizeof path, "%s/events", folder);
    struct events events;
    struct error error;
    CHECK_OK(events_open(&events, path, STDOUT_FILENO, &error), error);
    /* A file size limit cuts the second line short, as a full disk would. */
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction before;
    CHECK(sigaction(SIGXFSZ, &ignore, &before) == 0);
    struct rlimit unlimited;
    CHECK(getrlimit(RLIMIT_FSIZE, &unlimited) == 0);
    struct rlimit limited = {.rlim_cur = 100, .rlim_max = unlimited.rlim_max};
    struct news news = {.kind = NEWS_DEPLOYED, .name = "www"};
    events_news(&events, &news, NOW_UNIX);
    CHECK(setrlimit(RLIMIT_FSIZE, &limited) == 0);
    events_news(&events, &news, NOW_UNIX);
    CHECK(setrlimit(RLIMIT_FSIZE, &unlimited) == 0);
    CHECK(sigaction(SIGXFSZ, &before, NULL) == 0);
    CHECK_INT(events.lost, 1);
    events_news(&events, &news, NOW_UNIX);
    CHECK_INT(events.written, 2);
    events_close(&events);
    FILE *file = fopen(path, "r");
    CHECK(file != NULL);
    char *text = stream_text(file);
    fclose(file);
    const char *lines = text;
    json_decref(line_json(&lines));
    lines = strchr(lines, '\n') + 1; /* the torn one */
    json_decref(line_json(&lines));
    CHECK_TEXT(lines, "");
    free(text);
    unlink(path);
    rmdir(folder);
}

static void repeated_waiting_is_told_once(void)
{
    struct fixture fixture;
    fixture_open(&fixture, (struct report_options){.progress = PROGRESS_NEVER});
    struct news news = {
        .kind = NEWS_WAITING, .name = "ca.example", .text = "HTTP 503", .seconds = 30};
    for (int64_t ms = 0; ms <= 12000; ms += 100)
        tell(&fixture, news, ms);
    char *text = stream_text(fixture.messages);
    CHECK_INT(count_of(text, "certmill: waiting 30 s: ca.example: HTTP 503\n"), 2);
    free(text);
    fixture_close(&fixture);
}

static const struct test tests[] = {
    TEST(progress_line_shows_rate_and_time_left),
    TEST(progress_rate_forgets_what_is_long_ago),
    TEST(progress_line_fits_the_terminal),
    TEST(plain_lines_come_every_ten_seconds),
    TEST(quiet_and_never_draw_nothing),
    TEST(terminal_line_is_redrawn_and_cleared),
    TEST(events_are_json_lines),
    TEST(new_events_file_is_private),
    TEST(lost_events_are_one_warning),
    TEST(line_after_a_torn_one_starts_anew),
    TEST(repeated_waiting_is_told_once),
};

TESTS_MAIN(tests)
