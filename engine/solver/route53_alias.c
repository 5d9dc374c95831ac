/* CNAMEs of _acme-challenge: who may not change a zone from outside delegates that name to one that
 * may be changed. */
#include "solver/route53_internal.h"

#include "base/printable.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define ASKING_MAX 100 /* questions out */

const char *route53_alias_target(const struct alias *alias)
{
    return alias->hop_count > 0 ? alias->hops[alias->hop_count - 1] : alias->fqdn;
}

static struct alias **bucket_of(struct route53_work *work, const char *fqdn)
{
    return &work->aliases[XXH3_64bits(fqdn, strlen(fqdn)) % NAME_BUCKETS];
}

static struct alias *alias_new(struct route53_work *work, const char *fqdn)
{
    struct alias **bucket = bucket_of(work, fqdn);
    struct alias *alias = calloc(1, sizeof *alias);
    if (alias == NULL)
        return NULL;
    alias->fqdn = strdup(fqdn);
    if (alias->fqdn == NULL || !slots_add(&work->alias_ids, alias, &alias->id)) {
        free(alias->fqdn);
        free(alias);
        return NULL;
    }
    route53_tasks_init(&alias->waiting);
    alias->next = *bucket;
    *bucket = alias;
    work->unknown++;
    *work->pending_end = alias;
    work->pending_end = &alias->next_pending;
    return alias;
}

struct alias *route53_alias_of(struct route53_work *work, const char *domain, bool make)
{
    char fqdn[ROUTE53_NAME_MAX];
    int len = snprintf(fqdn, sizeof fqdn, "_acme-challenge.%s", domain);
    if (len < 0 || (size_t)len >= sizeof fqdn)
        return NULL;
    for (struct alias *alias = *bucket_of(work, fqdn); alias != NULL; alias = alias->next)
        if (strcmp(alias->fqdn, fqdn) == 0)
            return alias;
    return make ? alias_new(work, fqdn) : NULL;
}

void route53_alias_wait(struct route53_work *work, struct alias *alias, struct task *task)
{
    if (alias->known)
        route53_task_gather(work, task);
    else
        route53_tasks_add(&alias->waiting, task);
}

static void pending_remove(struct route53_work *work, const struct alias *alias)
{
    for (struct alias **at = &work->pending; *at != NULL; at = &(*at)->next_pending) {
        if (*at != alias)
            continue;
        *at = alias->next_pending;
        break;
    }
    work->pending_end = &work->pending;
    while (*work->pending_end != NULL)
        work->pending_end = &(*work->pending_end)->next_pending;
}

void route53_alias_drop(struct route53_work *work, struct alias *alias)
{
    if (alias->users > 1) {
        alias->users--;
        return;
    }
    if (!alias->known) {
        work->unknown--;
        if (alias->asked)
            work->asking--;
        else
            pending_remove(work, alias);
    }
    struct alias **at = bucket_of(work, alias->fqdn);
    while (*at != alias)
        at = &(*at)->next;
    *at = alias->next;
    slots_remove(&work->alias_ids, alias->id);
    for (unsigned i = 0; i < alias->hop_count; i++)
        free(alias->hops[i]);
    free(alias->fqdn);
    free(alias);
}

void route53_aliases_pump(struct route53_work *work)
{
    const struct route53_caller *caller = &work->options.caller;
    while (work->pending != NULL && work->asking < ASKING_MAX) {
        struct alias *alias = work->pending;
        work->pending = alias->next_pending;
        if (work->pending == NULL)
            work->pending_end = &work->pending;
        alias->next_pending = NULL;
        alias->asked = true;
        work->asking++;
        caller->look_up(caller->context, route53_alias_target(alias), alias->id);
    }
}

static void alias_end(struct route53_work *work, struct alias *alias)
{
    struct tasks waiting;
    route53_tasks_init(&waiting);
    alias->known = true;
    work->unknown--;
    route53_tasks_move(&alias->waiting, &waiting);
    for (struct task *task; (task = route53_tasks_take(&waiting)) != NULL;)
        route53_task_gather(work, task);
}

static bool is_host(const char *name)
{
    for (const char *at = name; *at != '\0'; at++)
        if (!isalnum((unsigned char)*at) && strchr("-_.", *at) == NULL)
            return false;
    return name[0] != '\0';
}

static bool leads_in_a_circle(const struct alias *alias, const char *target)
{
    if (strcmp(alias->fqdn, target) == 0)
        return true;
    for (unsigned i = 0; i < alias->hop_count; i++)
        if (strcmp(alias->hops[i], target) == 0)
            return true;
    return false;
}

/* False: the alias has an error. */
static bool hop_add(struct alias *alias, const char *target)
{
    char name[ROUTE53_NAME_MAX];
    char shown[ROUTE53_NAME_MAX];
    printable_copy(span_of(target), shown, sizeof shown);
    if (!route53_name_read(span_of(target), name) || !is_host(name))
        return error_set(&alias->error, ERROR_CONFIG,
                         "the CNAME of %s leads to \"%s\", which is no host name",
                         route53_alias_target(alias), shown);
    if (leads_in_a_circle(alias, name))
        return error_set(&alias->error, ERROR_CONFIG,
                         "the CNAMEs of %s lead in a circle, back to %s", alias->fqdn, name);
    if (alias->hop_count == ALIASES_MAX)
        return error_set(&alias->error, ERROR_CONFIG,
                         "the CNAMEs of %s go on after %d names, the last is %s", alias->fqdn,
                         ALIASES_MAX, name);
    alias->hops[alias->hop_count] = strdup(name);
    if (alias->hops[alias->hop_count] == NULL)
        return error_set(&alias->error, ERROR_MEMORY, "no memory for a DNS record");
    alias->hop_count++;
    return true;
}

void route53_work_alias(struct route53_work *work, uint64_t id, const char *target,
                        const char *problem, int64_t now_ms)
{
    const struct route53_caller *caller = &work->options.caller;
    struct alias *alias = slots_get(&work->alias_ids, id);
    work->now_ms = now_ms;
    if (alias == NULL || alias->known || !alias->asked)
        return;
    if (target != NULL && hop_add(alias, target)) {
        caller->look_up(caller->context, route53_alias_target(alias), id);
        return;
    }
    if (problem != NULL)
        snprintf(alias->problem, sizeof alias->problem, "%s", problem);
    work->asking--;
    alias_end(work, alias);
}
