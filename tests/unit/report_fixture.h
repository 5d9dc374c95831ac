/* For tests of engine/report: a report that writes to temporary files, and what it wrote. */
#ifndef CERTMILL_TEST_REPORT_FIXTURE_H
#define CERTMILL_TEST_REPORT_FIXTURE_H

#include "check.h"

#include "base/buf.h"
#include "report/report.h"

#include <unistd.h>

#define NOW_UNIX INT64_C(1795435200) /* 2026-11-23T12:00:00Z */

/* What was written to the stream so far, for the caller to free. */
static inline char *stream_text(FILE *stream)
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

static inline size_t count_of(const char *text, const char *part)
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

static inline void fixture_open(struct fixture *fixture, struct report_options options)
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

static inline void fixture_close(struct fixture *fixture)
{
    report_free(fixture->report);
    fclose(fixture->messages);
    fclose(fixture->data);
}

static inline void tell(struct fixture *fixture, struct news news, int64_t now_ms)
{
    report_news(fixture->report, &news, NOW_UNIX + now_ms / 1000, now_ms);
}

#endif
