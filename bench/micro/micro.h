/* What the small measuring programs share: time, numbers from the command line, and one way out.
 * Each does one thing, many times, and prints one JSON object of what that cost. */
#ifndef CERTMILL_BENCH_MICRO_H
#define CERTMILL_BENCH_MICRO_H

#include "base/result.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define MICROSECONDS_PER_SECOND 1e6

static inline double micro_wall_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static inline double micro_seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / MICROSECONDS_PER_SECOND;
}

/* User and system time of all threads of this process. */
static inline double micro_cpu_s(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return micro_seconds(usage.ru_utime) + micro_seconds(usage.ru_stime);
}

static inline _Noreturn void micro_fail(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(EXIT_FAILURE);
}

static inline void micro_must(bool good, const char *what, const struct error *error)
{
    if (!good)
        micro_fail(what, error->text);
}

static inline unsigned micro_number(const char *text, unsigned max)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);
    if (end == text || *end != '\0' || number > max)
        micro_fail(text, "is no number, or too large a one");
    return (unsigned)number;
}

/* Begins with micro_start, ends with micro_print: {"NAME": count, "wall_s": 1.2, "cpu_s": 0.3}. */
struct micro_time {
    double wall_s, cpu_s;
};

static inline struct micro_time micro_start(void)
{
    return (struct micro_time){micro_wall_s(), micro_cpu_s()};
}

static inline void micro_print(const char *name, unsigned count, struct micro_time start)
{
    printf("{\"%s\": %u, \"wall_s\": %.6f, \"cpu_s\": %.6f}\n", name, count,
           micro_wall_s() - start.wall_s, micro_cpu_s() - start.cpu_s);
}

#endif
