#include "report/events.h"

#include "report/output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define EVENT_LINE_MAX ((size_t)64 * 1024)

bool events_open(struct events *events, const char *path, int standard_output, struct error *error)
{
    struct events opened = {.fd = -1};
    buf_init(&opened.line, EVENT_LINE_MAX);
    if (path != NULL && strcmp(path, "-") == 0) {
        opened.fd = standard_output;
    } else if (path != NULL) {
        opened.fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
        if (opened.fd < 0)
            return error_system(error, errno, "opening the events file %s", path);
        opened.is_own = true;
    }
    *events = opened;
    return true;
}

void events_close(struct events *events)
{
    if (events->is_own)
        close(events->fd);
    events->fd = -1;
    events->is_own = false;
    buf_free(&events->line);
}

/* Writes all of it, waiting where a pipe is full; errno says why it could not. */
static bool write_whole(int fd, struct span data, size_t *ret_written)
{
    size_t done = 0;
    bool ok = true;
    while (done < data.len && ok) {
        ssize_t count = write(fd, data.data + done, data.len - done);
        if (count >= 0) {
            done += (size_t)count;
        } else if (errno == EAGAIN) {
            struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
            ok = poll(&poll_fd, 1, -1) >= 0 || errno == EINTR;
        } else {
            ok = errno == EINTR;
        }
    }
    *ret_written = done;
    return ok;
}

static void event_lost(struct events *events, int system_error)
{
    if (events->lost++ == 0)
        error_system(&events->first_error, system_error, "writing the events");
}

static void event_write(struct events *events, json_t *event)
{
    buf_clear(&events->line);
    /* A line that was cut short must not swallow the next one. */
    bool ok = event != NULL && (!events->torn || buf_append_char(&events->line, '\n')) &&
              json_append(&events->line, event) && buf_append_char(&events->line, '\n');
    if (!ok) {
        event_lost(events, ENOMEM);
        return;
    }
    size_t written;
    if (write_whole(events->fd, buf_span(&events->line), &written)) {
        events->torn = false;
        events->written++;
        return;
    }
    event_lost(events, errno);
    if (written > 0)
        events->torn = true;
}

/* What is not known is left out: a line is written for each order. */
static void member_text(json_t **event, const char *key, const char *text)
{
    if (text != NULL && text[0] != '\0')
        output_member_text(event, key, text);
}

static void member_ms(json_t **event, const char *key, double seconds)
{
    /* The bound keeps the conversion to an integer defined. */
    if (seconds >= 0 && seconds < 1e12)
        output_member(event, key, json_integer((json_int_t)(seconds * 1000.0 + 0.5)));
}

static json_t *event_new(const char *kind, int64_t now_unix)
{
    json_t *event = json_object();
    if (event == NULL)
        return NULL;
    output_member_time(&event, "time", now_unix);
    output_member(&event, "event", json_string_nocheck(kind));
    return event;
}

struct event_form {
    const char *event;
    const char *name_key;
    const char *text_key;
};

static const struct event_form event_forms[] = {
    [NEWS_RUN_STARTED] = {"run-started", NULL, NULL},
    [NEWS_ACCOUNT] = {"account-ready", "account", "url"},
    [NEWS_ORDER_STATE] = {"order-state", "certificate", "state"},
    [NEWS_ISSUED] = {"issued", "certificate", NULL},
    [NEWS_FAILED] = {"failed", "certificate", "reason"},
    [NEWS_PARKED] = {"parked", "certificate", "reason"},
    [NEWS_IMPORTED] = {"imported", "certificate", NULL},
    [NEWS_DEPLOYED] = {"deployed", "certificate", NULL},
    [NEWS_DEPLOY_FAILED] = {"deploy-failed", "certificate", "reason"},
    [NEWS_REVOKED] = {"revoked", "certificate", "reason"},
    [NEWS_WARNING] = {"warning", "certificate", "text"},
    [NEWS_WAITING] = {"waiting", "host", "reason"},
};

void events_news(struct events *events, const struct news *news, int64_t now_unix)
{
    if (events->fd < 0)
        return;
    const struct event_form *form = &event_forms[news->kind];
    json_t *event = event_new(form->event, now_unix);
    if (form->name_key != NULL)
        member_text(&event, form->name_key, news->name);
    if (form->text_key != NULL)
        member_text(&event, form->text_key, news->text);
    member_text(&event, "type", news->type);
    member_text(&event, "advice", news->advice);
    if (news->kind == NEWS_RUN_STARTED)
        output_member_count(&event, "total", news->total);
    if (news->kind == NEWS_IMPORTED)
        output_member_count(&event, "imports", news->total);
    if (news->sequence > 0)
        output_member_count(&event, "sequence", news->sequence);
    if (news->not_after > 0)
        output_member_time(&event, "not_after", news->not_after);
    if (news->at > 0)
        output_member_time(&event, "revoked_at", news->at);
    member_text(&event, "list", news->url);
    if (news->kind == NEWS_ISSUED)
        member_ms(&event, "duration_ms", news->seconds);
    if (news->kind == NEWS_WAITING)
        member_ms(&event, "wait_ms", news->seconds);
    event_write(events, event);
    json_decref(event);
}

void events_finished(struct events *events, const struct report_totals *totals, bool interrupted,
                     double seconds, int64_t now_unix)
{
    if (events->fd < 0)
        return;
    json_t *event = event_new("run-finished", now_unix);
    output_member(&event, "interrupted", json_boolean(interrupted));
    output_member_count(&event, "due", totals->due);
    output_member_count(&event, "issued", totals->issued);
    output_member_count(&event, "failed", totals->failed);
    output_member_count(&event, "parked", totals->parked);
    output_member_count(&event, "imported", totals->imported);
    output_member_count(&event, "deployed", totals->deployed);
    output_member_count(&event, "deploy_failed", totals->deploy_failed);
    output_member_count(&event, "warnings", totals->warnings);
    member_ms(&event, "duration_ms", seconds);
    event_write(events, event);
    json_decref(event);
}
