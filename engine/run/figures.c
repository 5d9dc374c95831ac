#include "run/figures.h"

#include "base/clock.h"
#include "report/format.h"
#include "report/output.h"

#include <stdio.h>

static void add(struct figures *figures, const char *label, const char *key, json_t *json)
{
    size_t at = figures->count++;
    figures->list[at] = (struct report_figure){
        .label = label, .text = figures->texts[at], .json_key = key, .json = json};
}

/* What the run left alone. */
static void rest(const struct run *run, struct figures *figures)
{
    const struct plan *plan = &run->plan;
    char count[FORMAT_MAX];
    char date[OUTPUT_DATE_MAX];
    char next[TIME_TEXT_MAX];
    if (plan->later_count > 0) {
        snprintf(figures->texts[figures->count], sizeof figures->texts[0], "%s, the next on %s",
                 format_certificates(plan->later_count, count),
                 output_date(plan->next_due_at, clock_unix(), date));
        add(figures, "not due", "not_due",
            json_pack("{s:I, s:s}", "certificates", (json_int_t)plan->later_count, "next",
                      time_format_rfc3339(plan->next_due_at, next)));
    }
    if (plan->unselected > 0) {
        format_certificates(plan->unselected, figures->texts[figures->count]);
        add(figures, "left out by --only", "unselected",
            json_integer((json_int_t)plan->unselected));
    }
}

static void network(const struct run *run, struct figures *figures)
{
    struct http_counts sum = {0};
    for (unsigned i = 0; i < run->workers_started; i++) {
        sum.requests += run->workers[i].counts.requests;
        sum.connections += run->workers[i].counts.connections;
        sum.http2 += run->workers[i].counts.http2;
        sum.bytes_in += run->workers[i].counts.bytes_in;
        sum.bytes_out += run->workers[i].counts.bytes_out;
    }
    if (sum.requests == 0)
        return;
    snprintf(figures->texts[figures->count], sizeof figures->texts[0],
             "%llu requests over %llu %s (%llu requests by HTTP/2)",
             (unsigned long long)sum.requests, (unsigned long long)sum.connections,
             sum.connections == 1 ? "connection" : "connections", (unsigned long long)sum.http2);
    add(figures, "network", "network",
        json_pack("{s:I, s:I, s:I, s:I, s:I}", "requests", (json_int_t)sum.requests, "connections",
                  (json_int_t)sum.connections, "http2_requests", (json_int_t)sum.http2, "bytes_in",
                  (json_int_t)sum.bytes_in, "bytes_out", (json_int_t)sum.bytes_out));
}

static void crypto(const struct run *run, struct figures *figures)
{
    static const struct key_spec specs[2][3] = {
        [KEY_RSA] = {{KEY_RSA, 2048}, {KEY_RSA, 3072}, {KEY_RSA, 4096}},
        [KEY_ECDSA] = {{KEY_ECDSA, 256}, {KEY_ECDSA, 384}, {KEY_ECDSA, 521}},
    };
    struct crypto_stage_counts counts;
    if (run->stage == NULL)
        return;
    crypto_stage_count(run->stage, &counts);
    if (counts.jobs == 0)
        return;
    char *text = figures->texts[figures->count];
    size_t room = sizeof figures->texts[0];
    size_t len = 0;
    json_t *keys = json_object();
    for (size_t type = 0; type < 2; type++)
        for (size_t size = 0; size < 3; size++) {
            uint64_t made = counts.keys[type][size];
            if (made == 0)
                continue;
            double ms = (double)counts.cpu_us[type][size] / 1000 / (double)made;
            const char *name = key_spec_name(specs[type][size]);
            const char *way = key_way(run->options->crypto, specs[type][size]);
            int wrote = snprintf(text + len, room - len, "%llu %s by %s (%.2f ms CPU each), ",
                                 (unsigned long long)made, name, way, ms);
            if (wrote > 0 && (size_t)wrote < room - len)
                len += (size_t)wrote;
            (void)json_object_set_new(keys, name,
                                      json_pack("{s:I, s:s, s:f}", "made", (json_int_t)made, "by",
                                                way, "cpu_ms_each", ms));
        }
    double wait_ms = (double)counts.queue_us / 1000 / (double)counts.jobs;
    snprintf(text + len, room - len, "%.1f ms mean wait", wait_ms);
    add(figures, "crypto", "crypto",
        json_pack("{s:o, s:I, s:f}", "keys", keys, "jobs", (json_int_t)counts.jobs,
                  "queue_wait_ms_mean", wait_ms));
}

static void store(const struct run *run, struct figures *figures)
{
    struct store_counts counts;
    if (run->store == NULL)
        return;
    store_count(run->store, &counts);
    if (counts.jobs == 0)
        return;
    const char *mode = store_mode_used(run->store) == STORE_RING ? "io_uring" : "system calls";
    snprintf(figures->texts[figures->count], sizeof figures->texts[0],
             "%llu files in %llu batches by %s, %llu file and %llu folder syncs",
             (unsigned long long)counts.files, (unsigned long long)counts.batches, mode,
             (unsigned long long)counts.file_syncs, (unsigned long long)counts.folder_syncs);
    add(figures, "store", "store",
        json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "mode", mode, "jobs",
                  (json_int_t)counts.jobs, "batches", (json_int_t)counts.batches, "files",
                  (json_int_t)counts.files, "bytes", (json_int_t)counts.bytes, "file_syncs",
                  (json_int_t)counts.file_syncs, "folder_syncs", (json_int_t)counts.folder_syncs));
}

static void state(const struct run *run, struct figures *figures)
{
    struct state_counts counts;
    state_count(run->state, &counts);
    if (counts.changes == 0)
        return;
    snprintf(figures->texts[figures->count], sizeof figures->texts[0],
             "%llu changes in %llu commits", (unsigned long long)counts.changes,
             (unsigned long long)counts.commits);
    add(figures, "state", "state",
        json_pack("{s:I, s:I}", "changes", (json_int_t)counts.changes, "commits",
                  (json_int_t)counts.commits));
}

static void imports(const struct run *run, struct figures *figures)
{
    struct acm_counts counts;
    char texts[5][FORMAT_MAX];
    if (run->deploying.acm == NULL)
        return;
    acm_deployer_count(run->deploying.acm, &counts);
    if (counts.calls == 0 && counts.unchanged == 0 && counts.failed == 0)
        return;
    snprintf(figures->texts[figures->count], sizeof figures->texts[0],
             "%s done, %s unchanged, %s repaired, %s failed; %s throttled",
             format_count(counts.imports, texts[0]), format_count(counts.unchanged, texts[1]),
             format_count(counts.repaired, texts[2]), format_count(counts.failed, texts[3]),
             format_count(counts.throttled, texts[4]));
    add(figures, "imports", "imports",
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "done", (json_int_t)counts.imports, "unchanged",
                  (json_int_t)counts.unchanged, "repaired", (json_int_t)counts.repaired, "failed",
                  (json_int_t)counts.failed, "throttled", (json_int_t)counts.throttled, "calls",
                  (json_int_t)counts.calls));
}

void figures_make(struct run *run, struct figures *figures)
{
    figures->count = 0;
    rest(run, figures);
    imports(run, figures);
    network(run, figures);
    crypto(run, figures);
    store(run, figures);
    state(run, figures);
}

void figures_free(struct figures *figures)
{
    for (size_t i = 0; i < figures->count; i++)
        json_decref(figures->list[i].json);
}
