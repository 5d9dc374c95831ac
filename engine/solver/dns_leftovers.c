/* DNS records that an earlier run made and did not remove. */
#include "base/arena.h"
#include "solver/dns_journal.h"
#include "solver/dns_solver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALL_RECORDS_MAX 1000
#define WARNING_MAX      (ERROR_TEXT_MAX + 128)

struct leftovers {
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
    if (strcmp(row->solver, DNS_HOOK_SOLVER) != 0)
        return true;
    struct dns_record record = {.certificate = kept(leftovers, row->name),
                                .fqdn = kept(leftovers, row->fqdn),
                                .value = kept(leftovers, row->value)};
    if (record.certificate == NULL || record.fqdn == NULL || record.value == NULL ||
        !leftovers_grow(leftovers)) {
        leftovers->no_memory = true;
        return false;
    }
    record.domain = record.fqdn;
    if (strncmp(record.fqdn, prefix, sizeof prefix - 1) == 0)
        record.domain = record.fqdn + sizeof prefix - 1;
    leftovers->records[leftovers->count++] = record;
    return true;
}

struct warner {
    void (*warn)(void *context, const char *text);
    void *context;
};

static void leftovers_remove(struct state *state, const char *hook, int64_t timeout_ms,
                             struct dns_record *records, size_t count, const struct warner *warner)
{
    char text[WARNING_MAX];
    dns_hook_run(hook, SOLVER_CLEANUP, timeout_ms, -1, records, count);
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
        warner->warn(warner->context, text);
    }
    struct error error = {0};
    if (!dns_journal(state, STATE_RECORD_REMOVED, records, count, &error)) {
        snprintf(text, sizeof text, "DNS records of an earlier run: %s", error.text);
        warner->warn(warner->context, text);
    }
}

void dns_clean_leftovers(struct state *state, const char *hook, int64_t timeout_ms,
                         void (*warn)(void *context, const char *text), void *context)
{
    struct leftovers leftovers = {0};
    struct warner warner = {.warn = warn, .context = context};
    char text[WARNING_MAX];
    arena_init(&leftovers.arena);
    struct error error = {0};
    if (!state_records(state, leftover_add, &leftovers, &error)) {
        snprintf(text, sizeof text, "reading the DNS records of earlier runs: %s", error.text);
        warn(context, text);
    } else if (leftovers.count > 0 && (hook == NULL || !dns_hook_check(hook, &error))) {
        snprintf(text, sizeof text, "%zu DNS records of an earlier run stay, the first is %s: %s",
                 leftovers.count, leftovers.records[0].fqdn,
                 hook == NULL ? "the manifest has no dns-01 hook to remove them" : error.text);
        warn(context, text);
    } else {
        for (size_t at = 0; at < leftovers.count; at += CALL_RECORDS_MAX) {
            size_t left = leftovers.count - at;
            leftovers_remove(state, hook, timeout_ms, leftovers.records + at,
                             left < CALL_RECORDS_MAX ? left : CALL_RECORDS_MAX, &warner);
        }
    }
    if (leftovers.no_memory)
        warn(context, "no memory to remove all DNS records of earlier runs");
    free(leftovers.records);
    arena_free(&leftovers.arena);
}
