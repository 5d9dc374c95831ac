/* The progress line: counts, a rate over a sliding window, the time left. Text only; whoever draws
 * it decides where it goes. */
#ifndef CERTMILL_REPORT_PROGRESS_H
#define CERTMILL_REPORT_PROGRESS_H

#include "base/span.h"

/* The rate is that of the last 15 s, in samples of half a second. */
#define PROGRESS_SAMPLES   30
#define PROGRESS_SAMPLE_MS 500

struct progress_sample {
    int64_t at_ms;
    size_t ended;
};

struct progress {
    size_t total, issued, failed, parked, imported;
    unsigned in_flight;
    struct progress_sample samples[PROGRESS_SAMPLES]; /* a ring */
    size_t sample_count, sample_next;
};

void progress_init(struct progress *progress, int64_t now_ms);

/* Remembers how far it has come; call it often, it keeps what it needs. */
void progress_sample(struct progress *progress, int64_t now_ms);

/* Certificates a second over the window; 0 when nothing ended in it or it is too short to say. */
double progress_rate(const struct progress *progress, int64_t now_ms);

/* "  1,234/10,000 done   3 failed   1,000 in flight   412/s   time left 21 s", without a line end.
 * Leaves out what does not fit into `columns`, the least important first. `line` has `size` bytes.
 */
void progress_line(const struct progress *progress, int64_t now_ms, size_t columns, char *line,
                   size_t size);

#endif
