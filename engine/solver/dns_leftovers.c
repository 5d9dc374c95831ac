#include "solver/dns_leftovers.h"

#include "base/arena.h"
#include "solver/route53_work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALL_RECORDS_MAX 1000
#define WARNING_MAX      (ERROR_TEXT_MAX + 128)

/* The records of one solver. */
struct leftovers {
    const char *solver; /* how the rows' `solver` begins */
    struct arena arena; /* the rows' texts live only during the walk */
    struct dns_record *records;
    size_t count, capacity;
    bool no_memory;
};

static const char *kept(struct leftovers *leftovers, const char *text)
{
    return arena_text(&leftovers->arena, span_of(text));
}

static bool leftovers_grow(struct leftovers *leftovers)
{
    if (leftovers->count < leftovers->capacity)
        return true;
    size_t capacity = leftovers->capacity > 0 ? leftovers->capacity * 2 : 64;
    struct dns_record *grown = reallocarray(leftovers->records, capacity, sizeof *grown);
    if (grown == NULL)
        return false;
    leftovers->records = grown;
    leftovers->capacity = capacity;
    return true;
}

static bool leftover_add(void *context, const struct state_record *row)
{
    static const char prefix[] = "_acme-challenge.";
    struct leftovers *leftovers = context;
    if (strncmp(row->solver, leftovers->solver, strlen(leftovers->solver)) != 0)
        return true;
    struct dns_record record = {.solver = kept(leftovers, row->solver),
                                .certificate = kept(leftovers, row->name),
                                .fqdn = kept(leftovers, row->fqdn),
                                .value = kept(leftovers, row->value)};
    if (record.solver == NULL || record.certificate == NULL || record.fqdn == NULL ||
        record.value == NULL || !leftovers_grow(leftovers)) {
        leftovers->no_memory = true;
        return false;
    }
    record.domain = record.fqdn;
    if (strncmp(record.fqdn, prefix, sizeof prefix - 1) == 0)
        record.domain = record.fqdn + sizeof prefix - 1;
    leftovers->records[leftovers->count++] = record;
    return true;
}

/* Tells of those that failed, and forgets the others. */
static void leftovers_settle(const struct leftovers_options *options, struct dns_record *records,
                             size_t count)
{
    char text[WARNING_MAX];
    size_t failed = 0;
    const struct error *first = NULL;
    for (size_t i = 0; i < count; i++) {
        if (records[i].ok)
            continue;
        failed++;
        if (first == NULL)
            first = &records[i].error;
    }
    if (failed > 0) {
        snprintf(text, sizeof text, "%zu DNS records of an earlier run are not removed yet: %s",
                 failed, first->text);
        options->warn(options->context, text);
    }
    struct error error = {0};
    if (!dns_journal(options->state, STATE_RECORD_REMOVED, records, count, &error)) {
        snprintf(text, sizeof text, "DNS records of an earlier run: %s", error.text);
        options->warn(options->context, text);
    }
}

static void leftovers_stay(const struct leftovers_options *options,
                           const struct leftovers *leftovers, const char *why)
{
    char text[WARNING_MAX];
    snprintf(text, sizeof text, "%zu DNS records of an earlier run stay, the first is %s: %s",
             leftovers->count, leftovers->records[0].fqdn, why);
    options->warn(options->context, text);
}

static void hook_clean(const struct leftovers_options *options, const struct leftovers *leftovers)
{
    const char *hook = options->manifest->dns_hook;
    int64_t timeout_ms = (int64_t)options->manifest->dns_timeout_s * 1000;
    struct error error = {0};
    if (hook == NULL || !dns_hook_check(hook, &error)) {
        leftovers_stay(options, leftovers,
                       hook == NULL ? "the manifest has no dns-01 hook to remove them"
                                    : error.text);
        return;
    }
    for (size_t at = 0; at < leftovers->count; at += CALL_RECORDS_MAX) {
        struct dns_record *records = leftovers->records + at;
        size_t left = leftovers->count - at;
        size_t count = left < CALL_RECORDS_MAX ? left : CALL_RECORDS_MAX;
        dns_hook_run(hook, SOLVER_CLEANUP, timeout_ms, -1, records, count);
        leftovers_settle(options, records, count);
    }
}

/* The rows say which zone and profile, whatever the manifest says now. */
static void route53_clean(const struct leftovers_options *options,
                          const struct leftovers *leftovers)
{
    const struct route53_solver_options solver_options = {
        .manifest = options->manifest, .state = options->state, .profiles = options->profiles};
    struct route53_solver *own = NULL;
    struct error error = {0};
    if (options->route53 == NULL && !route53_solver_new(&solver_options, &own, &error)) {
        leftovers_stay(options, leftovers, error.text);
        return;
    }
    route53_solver_clean(own != NULL ? own : options->route53, leftovers->records,
                         leftovers->count);
    route53_solver_free(own);
    leftovers_settle(options, leftovers->records, leftovers->count);
}

static void solver_clean(const struct leftovers_options *options, const char *solver,
                         void (*clean)(const struct leftovers_options *options,
                                       const struct leftovers *leftovers))
{
    struct leftovers leftovers = {.solver = solver};
    char text[WARNING_MAX];
    arena_init(&leftovers.arena);
    struct error error = {0};
    if (!state_records(options->state, leftover_add, &leftovers, &error)) {
        snprintf(text, sizeof text, "reading the DNS records of earlier runs: %s", error.text);
        options->warn(options->context, text);
    } else if (leftovers.count > 0) {
        clean(options, &leftovers);
    }
    if (leftovers.no_memory)
        options->warn(options->context, "no memory to remove all DNS records of earlier runs");
    free(leftovers.records);
    arena_free(&leftovers.arena);
}

void dns_leftovers_clean(const struct leftovers_options *options)
{
    solver_clean(options, DNS_HOOK_SOLVER, hook_clean);
    solver_clean(options, ROUTE53_SOLVER, route53_clean);
}
