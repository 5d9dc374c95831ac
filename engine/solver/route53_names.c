/* Record sets: what there is, what is needed, and what becomes of both. */
#include "solver/route53_internal.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

void route53_record_set_free(struct record_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        free(set->values[i]);
    free(set->values);
    *set = (struct record_set){0};
}

bool route53_record_set_add(struct record_set *set, const char *value)
{
    char **grown = reallocarray(set->values, set->count + 1, sizeof *grown);
    if (grown == NULL)
        return false;
    set->values = grown;
    grown[set->count] = strdup(value);
    if (grown[set->count] == NULL)
        return false;
    set->count++;
    return true;
}

bool route53_record_set_has(const struct record_set *set, const char *value)
{
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(set->values[i], value) == 0)
            return true;
    return false;
}

bool route53_record_set_equal(const struct record_set *a, const struct record_set *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!route53_record_set_has(b, a->values[i]))
            return false;
    return true;
}

struct route53_set route53_record_set_view(const struct record_set *set, const char *name)
{
    return (struct route53_set){.name = name,
                                .ttl = set->ttl,
                                .values = (const char *const *)set->values,
                                .value_count = set->count};
}

static struct name **bucket_of(struct route53_work *work, const char *fqdn)
{
    return &work->names[XXH3_64bits(fqdn, strlen(fqdn)) % NAME_BUCKETS];
}

struct name *route53_name_of(struct route53_work *work, struct zone *zone, const char *fqdn,
                             bool make)
{
    struct name **bucket = bucket_of(work, fqdn);
    for (struct name *name = *bucket; name != NULL; name = name->next)
        if (name->zone == zone && strcmp(name->fqdn, fqdn) == 0)
            return name;
    size_t len = strlen(fqdn);
    struct name *name = make ? calloc(1, sizeof *name + len + 1) : NULL;
    if (name == NULL)
        return NULL;
    memcpy(name->fqdn, fqdn, len + 1);
    name->zone = zone;
    name->known = true; /* that there is no set, until Route 53 says otherwise */
    route53_tasks_init(&name->waiting);
    name->next = *bucket;
    *bucket = name;
    return name;
}

static void name_free(struct name *name)
{
    while (name->values != NULL) {
        struct route53_value *value = name->values;
        name->values = value->next;
        free(value);
    }
    route53_record_set_free(&name->base);
    free(name);
}

void route53_name_release(struct route53_work *work, struct name *name)
{
    if (name->queued || name->in_flight || name->users > 0)
        return;
    for (const struct route53_value *value = name->values; value != NULL; value = value->next)
        if (value->holds > 0)
            return;
    for (struct name **at = bucket_of(work, name->fqdn); *at != NULL; at = &(*at)->next) {
        if (*at == name) {
            *at = name->next;
            name_free(name);
            return;
        }
    }
}

void route53_names_free(struct route53_work *work)
{
    for (size_t i = 0; i < NAME_BUCKETS; i++) {
        while (work->names[i] != NULL) {
            struct name *name = work->names[i];
            work->names[i] = name->next;
            name_free(name);
        }
    }
}

struct route53_value *route53_name_value(struct name *name, const char *value, bool make)
{
    struct buf quoted;
    buf_init(&quoted, ROUTE53_CHARACTERS_MAX);
    struct route53_value *found = NULL;
    if (route53_quote(&quoted, span_of(value))) {
        for (found = name->values; found != NULL; found = found->next)
            if (strcmp(found->text, buf_text(&quoted)) == 0)
                break;
        if (found == NULL && make)
            found = calloc(1, sizeof *found + quoted.len + 1);
        if (found != NULL && found->text[0] == '\0') {
            memcpy(found->text, quoted.data, quoted.len);
            found->next = name->values;
            name->values = found;
        }
    }
    buf_free(&quoted);
    return found;
}

/* Of what is there all but what was ours and is needed no more; and what is needed. */
bool route53_name_target(const struct name *name, struct record_set *target)
{
    *target = (struct record_set){.ttl = name->base.count > 0 ? name->base.ttl : ROUTE53_TTL};
    for (size_t i = 0; i < name->base.count; i++) {
        const struct route53_value *ours = name->values;
        while (ours != NULL && strcmp(ours->text, name->base.values[i]) != 0)
            ours = ours->next;
        if ((ours == NULL || ours->holds > 0) &&
            !route53_record_set_add(target, name->base.values[i]))
            return false;
    }
    for (const struct route53_value *value = name->values; value != NULL; value = value->next)
        if (value->holds > 0 && !route53_record_set_has(target, value->text) &&
            !route53_record_set_add(target, value->text))
            return false;
    return true;
}

void route53_name_queue(struct name *name)
{
    struct zone *zone = name->zone;
    if (name->queued || name->in_flight)
        return;
    name->queued = true;
    name->queue_next = NULL;
    *zone->queue_end = name;
    zone->queue_end = &name->queue_next;
    zone->queued++;
}

struct name *route53_queue_take(struct zone *zone)
{
    struct name *name = zone->queue;
    if (name == NULL)
        return NULL;
    zone->queue = name->queue_next;
    if (zone->queue == NULL)
        zone->queue_end = &zone->queue;
    zone->queued--;
    name->queued = false;
    name->queue_next = NULL;
    return name;
}
