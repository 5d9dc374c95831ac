/* engine/report: progress line, event stream, summary. */
#include "check.h"

#include "report/events.h"
#include "report/format.h"
#include "report/progress.h"
#include "report/report.h"
#include "report/summary.h"

#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW_UNIX INT64_C(1795435200) /* 2026-11-23T12:00:00Z */

/* What was written to the stream so far, for the caller to free. */
static char *stream_text(FILE *stream)
{
    struct buf buf;
    buf_init(&buf, (size_t)64 * 1024 * 1024);
    fflush(stream);
    char chunk[4096];
    off_t at = 0;
    ssize_t count;
    while ((count = pread(fileno(stream), chunk, sizeof chunk, at)) > 0) {
        CHECK(buf_append(&buf, chunk, (size_t)count));
        at += count;
    }
    char *text = span_duplicate(buf_span(&buf));
    CHECK(text != NULL);
    buf_free(&buf);
    return text;
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;
    for (; (text = strstr(text, part)) != NULL; text += strlen(part))
        count++;
    return count;
}

/* A report that writes to temporary files. */
struct fixture {
    FILE *messages;
    FILE *data;
    struct report *report;
};

static void fixture_open(struct fixture *fixture, struct report_options options)
{
    struct error error;
    fixture->messages = tmpfile();
    fixture->data = tmpfile();
    CHECK(fixture->messages != NULL && fixture->data != NULL);
    options.messages = options.messages != NULL ? options.messages : fixture->messages;
    options.data = fixture->data;
    options.now_unix = NOW_UNIX;
    CHECK_OK(report_new(&options, &fixture->report, &error), error);
}

static void fixture_close(struct fixture *fixture)
{
    report_free(fixture->report);
    fclose(fixture->messages);
    fclose(fixture->data);
}

static void tell(struct fixture *fixture, struct news news, int64_t now_ms)
{
    report_news(fixture->report, &news, NOW_UNIX + now_ms / 1000, now_ms);
}

static void numbers_are_readable(void)
{
    char text[FORMAT_MAX];
    CHECK_TEXT(format_count(0, text), "0");
    CHECK_TEXT(format_count(999, text), "999");
    CHECK_TEXT(format_count(1000, text), "1,000");
    CHECK_TEXT(format_count(UINT64_MAX, text), "18,446,744,073,709,551,615");
    CHECK_TEXT(format_certificates(1, text), "1 certificate");
    CHECK_TEXT(format_certificates(5000, text), "5,000 certificates");
    CHECK_TEXT(format_duration(0, text), "0.0 s");
    CHECK_TEXT(format_duration(-5, text), "0.0 s");
    CHECK_TEXT(format_duration(NAN, text), "0.0 s");
    CHECK_TEXT(format_duration(1.25, text), "1.2 s");
    CHECK_TEXT(format_duration(59.4, text), "59 s");
    CHECK_TEXT(format_duration(200, text), "3 min 20 s");
    CHECK_TEXT(format_duration(7500, text), "2 h 5 min");
    CHECK_TEXT(format_duration(86400 * 3 + 3600 * 4, text), "3 d 4 h");
    CHECK_TEXT(format_duration(INFINITY, text), "11574 d 1 h");
}

static void strangers_texts_cannot_move_the_cursor(void)
{
    FILE *out = tmpfile();
    CHECK(out != NULL);
    format_printable(out, "a\x1b[2Jb\r\nc\x7f\xc2\x9b"
                          "31m gr\xc3\xbc\xc3\x9f\xc2");
    format_printable(out, NULL);
    char *text = stream_text(out);
    CHECK_TEXT(text, "a?[2Jb??c??31m gr\xc3\xbc\xc3\x9f\xc2");
    free(text);
    fclose(out);

    json_t *json = format_json_text("bad \xff utf-8");
    CHECK_TEXT(json_string_value(json), "bad ? utf-8");
    json_decref(json);
    json = format_json_text("gr\xc3\xbc\xc3\x9f");
    CHECK_TEXT(json_string_value(json), "gr\xc3\xbc\xc3\x9f");
    json_decref(json);
    CHECK(json_is_null(format_json_text(NULL)));
}

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
                        "\"deployed\":0,\"deploy_failed\":0,\"warnings\":0,"
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

static void summary_groups_the_same_cause(void)
{
    struct fixture fixture;
    fixture_open(&fixture, (struct report_options){.progress = PROGRESS_NEVER});
    tell(&fixture, (struct news){.kind = NEWS_RUN_STARTED, .total = 5010}, 0);
    tell(&fixture,
         (struct news){.kind = NEWS_FAILED, .name = "api", .text = "newOrder: caa: not for us"}, 0);
    for (int i = 0; i < 5000; i++) {
        char name[16];
        snprintf(name, sizeof name, "c%d", i);
        tell(&fixture,
             (struct news){.kind = NEWS_FAILED,
                           .name = name,
                           .text = "the account was refused",
                           .advice = "ask for new EAB values"},
             0);
    }
    tell(&fixture, (struct news){.kind = NEWS_PARKED, .name = "slow", .text = "processing"}, 0);
    for (int i = 0; i < 6; i++)
        tell(&fixture, (struct news){.kind = NEWS_ISSUED, .name = "ok"}, 1000);
    tell(&fixture, (struct news){.kind = NEWS_DEPLOY_FAILED, .name = "ok", .text = "exit 1"}, 1000);
    struct report_figure figures[] = {{.label = "Connections", .text = "4"}};
    report_summary(fixture.report, true, figures, 1, NOW_UNIX + 2, 2000);
    char *text = stream_text(fixture.messages);
    CHECK_INT(count_of(text, "certmill: failed: "), 11); /* ten, and a word on the rest */
    const char *summary = strstr(text, "Failed:\n");
    CHECK(summary != NULL);
    CHECK_TEXT(summary,
               "Failed:\n"
               "  5,000 certificates: c0, c1, c2, c3, c4 and 4,995 more\n"
               "      the account was refused\n"
               "      What to do: ask for new EAB values\n"
               "  api\n"
               "      newOrder: caa: not for us\n"
               "Issued, but not deployed:\n"
               "  ok\n"
               "      exit 1\n"
               "Parked, the next run goes on with them:\n"
               "  slow\n"
               "      processing\n"
               "Interrupted: 6 of 5,010 certificates issued, 5,001 failed, 1 parked, 1 not "
               "deployed, 2 not tried in 2.0 s (3.0 a second)\n"
               "  Connections: 4\n");
    free(text);
    fixture_close(&fixture);
}

static char *summary_of(struct report_options options, const struct news *news, size_t count)
{
    struct fixture fixture;
    options.progress = PROGRESS_NEVER;
    fixture_open(&fixture, options);
    for (size_t i = 0; i < count; i++)
        tell(&fixture, news[i], 0);
    report_summary(fixture.report, false, NULL, 0, NOW_UNIX + 1, 1000);
    char *text = stream_text(fixture.messages);
    fixture_close(&fixture);
    return text;
}

static void summary_of_what_is_no_issue(void)
{
    const struct news deploys[] = {
        {.kind = NEWS_RUN_STARTED, .total = 0},
        {.kind = NEWS_DEPLOYED, .name = "a"},
        {.kind = NEWS_DEPLOYED, .name = "b"},
    };
    char *text = summary_of((struct report_options){0}, deploys, 3);
    CHECK_TEXT(text, "Finished: no certificate is due, 2 deployed in 1.0 s\n");
    free(text);
    const struct news accounts[] = {
        {.kind = NEWS_RUN_STARTED, .total = 2},
        {.kind = NEWS_ACCOUNT, .name = "demo", .text = "https://ca.test/1"},
        {.kind = NEWS_FAILED, .name = "lab", .text = "refused"},
    };
    text = summary_of((struct report_options){.accounts = true}, accounts, 3);
    CHECK_CONTAINS(text, "Finished: 1 of 2 accounts registered, 1 failed in 1.0 s\n");
    free(text);
    text = summary_of((struct report_options){.accounts = true, .quiet = true}, accounts, 2);
    CHECK_TEXT(text, "");
    free(text);
}

static void lost_output_is_remembered(void)
{
    struct fixture fixture;
    struct report_totals totals;
    fixture_open(&fixture, (struct report_options){.progress = PROGRESS_NEVER});
    report_summary(fixture.report, false, NULL, 0, NOW_UNIX, 0);
    report_total(fixture.report, &totals);
    CHECK(!totals.output_lost);
    fixture_close(&fixture);
    fixture_open(&fixture,
                 (struct report_options){.progress = PROGRESS_NEVER, .events = "/dev/full"});
    tell(&fixture, (struct news){.kind = NEWS_RUN_STARTED, .total = 1}, 0);
    report_total(fixture.report, &totals);
    CHECK(totals.output_lost);
    fixture_close(&fixture);
    fixture_open(&fixture, (struct report_options){.progress = PROGRESS_NEVER, .json = true});
    CHECK(freopen("/dev/full", "we", fixture.data) != NULL);
    report_summary(fixture.report, false, NULL, 0, NOW_UNIX, 0);
    report_total(fixture.report, &totals);
    CHECK(totals.output_lost);
    fixture_close(&fixture);
}

static void summary_gives_fifty_causes_in_full(void)
{
    struct fixture fixture;
    fixture_open(&fixture, (struct report_options){.progress = PROGRESS_NEVER});
    for (int i = 0; i < 70; i++) {
        char cause[32];
        snprintf(cause, sizeof cause, "cause %d.", i);
        tell(&fixture, (struct news){.kind = NEWS_FAILED, .name = "n", .text = cause}, 0);
    }
    report_summary(fixture.report, false, NULL, 0, NOW_UNIX, 0);
    char *text = stream_text(fixture.messages);
    const char *summary = strstr(text, "Failed:\n");
    CHECK(summary != NULL);
    CHECK_INT(count_of(summary, "      cause "), 50);
    CHECK_CONTAINS(summary, "cause 49.");
    CHECK_CONTAINS(summary, "  and 20 certificates more: --json and --events give every one\n");
    free(text);
    fixture_close(&fixture);
}

static void summary_keeps_no_more_than_its_ceiling(void)
{
    struct summary summary;
    summary_init(&summary);
    for (int i = 0; i < SUMMARY_KEPT_MAX + 7; i++)
        summary_add(&summary, OUTCOME_FAILED, &(struct news){.name = "n", .text = "the same"});
    CHECK_INT(summary.outcome_count, SUMMARY_KEPT_MAX);
    CHECK_INT(summary.cause_count, 1);
    CHECK_INT(summary.unkept[OUTCOME_FAILED], 7);
    struct summary_ending ending = {
        .totals = {.due = SUMMARY_KEPT_MAX + 7, .failed = SUMMARY_KEPT_MAX + 7}};
    FILE *out = tmpfile();
    CHECK(out != NULL);
    summary_print(&summary, &ending, out);
    char *text = stream_text(out);
    CHECK_CONTAINS(text, "  100,000 certificates: n, n, n, n, n and 99,995 more\n");
    CHECK_CONTAINS(text, "  and 7 certificates more");
    free(text);
    fclose(out);
    out = tmpfile();
    CHECK(out != NULL);
    CHECK(summary_print_json(&summary, &ending, out));
    text = stream_text(out);
    json_t *json = json_loads(text, 0, NULL);
    CHECK_INT(json_array_size(json_object_get(json, "failures")), SUMMARY_KEPT_MAX);
    CHECK_INT(json_number(json, "failures_unlisted", 0), 7);
    json_decref(json);
    free(text);
    fclose(out);
    summary_free(&summary);
}

static void json_summary_has_every_failure(void)
{
    struct fixture fixture;
    fixture_open(&fixture, (struct report_options){.progress = PROGRESS_AUTO, .json = true});
    tell(&fixture, (struct news){.kind = NEWS_RUN_STARTED, .total = 61}, 0);
    for (int i = 0; i < 60; i++)
        tell(&fixture,
             (struct news){.kind = NEWS_FAILED,
                           .name = "n",
                           .text = "refused",
                           .type = "caa",
                           .advice = "fix it"},
             0);
    tell(&fixture, (struct news){.kind = NEWS_PARKED, .name = "p", .text = "later"}, 0);
    json_t *value = json_integer(42);
    struct report_figure figures[] = {
        {.label = "Requests", .text = "42", .json_key = "requests", .json = value}};
    report_summary(fixture.report, false, figures, 1, NOW_UNIX + 1, 1500);
    json_decref(value);
    char *messages = stream_text(fixture.messages);
    CHECK(strstr(messages, "Failed:") == NULL); /* the object takes the text's place */
    CHECK_CONTAINS(messages, "certmill: 0/61 done   60 failed   1 parked");
    free(messages);
    char *text = stream_text(fixture.data);
    CHECK_INT(count_of(text, "\n"), 1);
    json_t *json = json_loads(text, 0, NULL);
    CHECK(json != NULL);
    CHECK(!json_flag(json, "interrupted", true));
    CHECK_TEXT(json_text(json, "started", 30), "2026-11-23T12:00:00Z");
    CHECK_TEXT(json_text(json, "finished", 30), "2026-11-23T12:00:01Z");
    CHECK_INT(json_number(json, "duration_ms", 0), 1500);
    CHECK_INT(json_number(json, "failed", 0), 60);
    CHECK_INT(json_number(json, "due", 0), 61);
    CHECK_INT(json_number(json_object_get(json, "figures"), "requests", 0), 42);
    const json_t *failures = json_object_get(json, "failures");
    CHECK_INT(json_array_size(failures), 60);
    const json_t *last = json_array_get(failures, 59);
    CHECK_TEXT(json_text(last, "certificate", 9), "n");
    CHECK_TEXT(json_text(last, "reason", 9), "refused");
    CHECK_TEXT(json_text(last, "type", 9), "caa");
    CHECK_TEXT(json_text(last, "advice", 9), "fix it");
    const json_t *parked = json_array_get(json_object_get(json, "parked_certificates"), 0);
    CHECK_TEXT(json_text(parked, "reason", 9), "later");
    json_decref(json);
    free(text);
    fixture_close(&fixture);
}

static void json_summary_to_a_full_disk_is_told(void)
{
    struct summary summary;
    summary_init(&summary);
    struct summary_ending ending = {.totals = {.due = 1}};
    FILE *full = fopen("/dev/full", "w");
    CHECK(full != NULL);
    CHECK(!summary_print_json(&summary, &ending, full));
    fclose(full);
    summary_free(&summary);
}

static void quiet_summary_speaks_only_of_trouble(void)
{
    struct fixture fixture;
    fixture_open(&fixture, (struct report_options){.quiet = true});
    tell(&fixture, (struct news){.kind = NEWS_RUN_STARTED, .total = 1}, 0);
    tell(&fixture, (struct news){.kind = NEWS_ISSUED, .name = "a"}, 0);
    tell(&fixture, (struct news){.kind = NEWS_WAITING, .name = "ca", .seconds = 5}, 0);
    report_summary(fixture.report, false, NULL, 0, NOW_UNIX, 0);
    char *text = stream_text(fixture.messages);
    CHECK_TEXT(text, "");
    free(text);
    tell(&fixture, (struct news){.kind = NEWS_PARKED, .name = "b", .text = "slow CA"}, 0);
    report_summary(fixture.report, false, NULL, 0, NOW_UNIX, 0);
    text = stream_text(fixture.messages);
    CHECK_CONTAINS(text, "  b\n      slow CA\n");
    free(text);
    fixture_close(&fixture);
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
    TEST(summary_of_what_is_no_issue),
    TEST(lost_output_is_remembered),
    TEST(numbers_are_readable),
    TEST(strangers_texts_cannot_move_the_cursor),
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
    TEST(summary_groups_the_same_cause),
    TEST(summary_gives_fifty_causes_in_full),
    TEST(summary_keeps_no_more_than_its_ceiling),
    TEST(json_summary_has_every_failure),
    TEST(json_summary_to_a_full_disk_is_told),
    TEST(quiet_summary_speaks_only_of_trouble),
    TEST(repeated_waiting_is_told_once),
};
TESTS_MAIN(tests)
