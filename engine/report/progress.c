#include "report/progress.h"

#include "report/format.h"

#include <string.h>

void progress_init(struct progress *progress, int64_t now_ms)
{
    memset(progress, 0, sizeof *progress);
    progress_sample(progress, now_ms);
}

static size_t progress_ended(const struct progress *progress)
{
    return progress->issued + progress->failed + progress->parked;
}

static const struct progress_sample *newest_sample(const struct progress *progress)
{
    return &progress->samples[(progress->sample_next + PROGRESS_SAMPLES - 1) % PROGRESS_SAMPLES];
}

void progress_sample(struct progress *progress, int64_t now_ms)
{
    if (progress->sample_count > 0 && now_ms - newest_sample(progress)->at_ms < PROGRESS_SAMPLE_MS)
        return;
    progress->samples[progress->sample_next] =
        (struct progress_sample){.at_ms = now_ms, .ended = progress_ended(progress)};
    progress->sample_next = (progress->sample_next + 1) % PROGRESS_SAMPLES;
    if (progress->sample_count < PROGRESS_SAMPLES)
        progress->sample_count++;
}

double progress_rate(const struct progress *progress, int64_t now_ms)
{
    if (progress->sample_count == 0)
        return 0;
    /* The oldest sample inside the window: after a pause without calls the ring may hold older
     * ones. */
    const struct progress_sample *base = NULL;
    for (size_t i = 0; i < progress->sample_count; i++) {
        size_t at = (progress->sample_next + PROGRESS_SAMPLES - progress->sample_count + i) %
                    PROGRESS_SAMPLES;
        base = &progress->samples[at];
        if (now_ms - base->at_ms <= (int64_t)PROGRESS_SAMPLES * PROGRESS_SAMPLE_MS)
            break;
    }
    int64_t elapsed_ms = now_ms - base->at_ms;
    size_t ended = progress_ended(progress);
    if (elapsed_ms < PROGRESS_SAMPLE_MS || ended <= base->ended)
        return 0;
    return (double)(ended - base->ended) * 1000.0 / (double)elapsed_ms;
}

struct segment {
    char text[3 * FORMAT_MAX];
    unsigned rank; /* the highest goes first when the terminal is narrow */
    bool dropped;
};

static size_t segments_build(const struct progress *progress, int64_t now_ms,
                             struct segment *segments)
{
    char count[FORMAT_MAX];
    char total[FORMAT_MAX];
    size_t used = 0;
    struct segment *segment = &segments[used++];
    segment->rank = 0;
    snprintf(segment->text, sizeof segment->text, "%s/%s done",
             format_count(progress->issued, count), format_count(progress->total, total));
    if (progress->failed > 0) {
        segment = &segments[used++];
        segment->rank = 1;
        snprintf(segment->text, sizeof segment->text, "%s failed",
                 format_count(progress->failed, count));
    }
    if (progress->parked > 0) {
        segment = &segments[used++];
        segment->rank = 3;
        snprintf(segment->text, sizeof segment->text, "%s parked",
                 format_count(progress->parked, count));
    }
    if (progress->imported > 0) {
        segment = &segments[used++];
        segment->rank = 6;
        snprintf(segment->text, sizeof segment->text, "%s imported",
                 format_count(progress->imported, count));
    }
    segment = &segments[used++];
    segment->rank = 5;
    snprintf(segment->text, sizeof segment->text, "%s in flight",
             format_count(progress->in_flight, count));
    double rate = progress_rate(progress, now_ms);
    if (rate <= 0)
        return used;
    segment = &segments[used++];
    segment->rank = 4;
    if (rate < 10)
        snprintf(segment->text, sizeof segment->text, "%.1f/s", rate);
    else
        snprintf(segment->text, sizeof segment->text, "%s/s",
                 format_count((uint64_t)(rate + 0.5), count));
    size_t ended = progress_ended(progress);
    if (ended >= progress->total)
        return used;
    segment = &segments[used++];
    segment->rank = 2;
    snprintf(segment->text, sizeof segment->text, "time left %s",
             format_duration((double)(progress->total - ended) / rate, count));
    return used;
}

#define SEGMENTS_MAX 7
#define GAP          3

static size_t segments_width(const struct segment *segments, size_t count)
{
    size_t width = 2;
    size_t shown = 0;
    for (size_t i = 0; i < count; i++) {
        if (!segments[i].dropped)
            width += strlen(segments[i].text) + (shown++ > 0 ? GAP : 0);
    }
    return width;
}

static void drop_least(struct segment *segments, size_t count)
{
    struct segment *least = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!segments[i].dropped && (least == NULL || segments[i].rank > least->rank))
            least = &segments[i];
    }
    if (least != NULL)
        least->dropped = true;
}

void progress_line(const struct progress *progress, int64_t now_ms, size_t columns, char *line,
                   size_t size)
{
    struct segment segments[SEGMENTS_MAX] = {0};
    size_t count = segments_build(progress, now_ms, segments);
    for (size_t i = 0; i < count && segments_width(segments, count) > columns; i++)
        drop_least(segments, count);
    size_t len = 0;
    line[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        if (segments[i].dropped)
            continue;
        size_t need = strlen(segments[i].text) + GAP;
        if (len + need >= size)
            break;
        len += (size_t)snprintf(line + len, size - len, "%*s%s", len == 0 ? 2 : GAP, "",
                                segments[i].text);
    }
}
