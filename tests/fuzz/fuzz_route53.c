/* engine/aws/route53: what Route 53 answers. Each input is taken for all of its answers. */
#include "fuzz.h"

#include "aws/route53.h"

#include <string.h>

void fuzz_prepare(void)
{
}

static void name_is_read(struct span input)
{
    char name[ROUTE53_NAME_MAX];
    char reversed[ROUTE53_NAME_MAX + 1];
    if (!route53_name_read(input, name))
        return;
    route53_name_reverse(name, reversed);
    REQUIRE(strlen(reversed) <= strlen(name) + 1);
}

/* What is quoted is printable and in quotes. */
static void value_is_quoted(struct span input)
{
    struct buf out;
    buf_init(&out, ROUTE53_BODY_MAX);
    REQUIRE(route53_quote(&out, input));
    REQUIRE(out.len >= 2 && out.data[0] == '"' && out.data[out.len - 1] == '"');
    for (size_t i = 0; i < out.len; i++)
        REQUIRE(out.data[i] >= ' ' && out.data[i] <= '~');
    buf_free(&out);
}

static void lists_are_read(struct span input, struct arena *arena)
{
    struct route53_zone_row *zones;
    struct route53_set_row *sets;
    struct error error;
    const char *marker;
    size_t count;
    bool more;
    if (route53_zones_read(input, arena, &zones, &count, &marker, &error))
        for (size_t i = 0; i < count; i++)
            REQUIRE(strlen(zones[i].id) < ROUTE53_ZONE_ID_MAX && zones[i].name[0] != '\0');
    if (route53_sets_read(input, arena, &sets, &count, &more, &error))
        for (size_t i = 0; i < count; i++)
            REQUIRE(strlen(sets[i].set.name) < ROUTE53_NAME_MAX);
}

static void refusals_are_read(struct span input, struct arena *arena)
{
    struct route53_refusals refusals;
    struct error error;
    if (!route53_refusals_read(input, arena, &refusals, &error))
        return;
    struct span found = route53_refusal_of(&refusals, "_acme-challenge.a.test");
    bool known = found.len == 0;
    for (size_t i = 0; i < refusals.count; i++)
        known = known || refusals.sentences[i].data == found.data;
    REQUIRE(known);
}

void fuzz_input(struct span input)
{
    char id[ROUTE53_CHANGE_ID_MAX];
    struct arena arena;
    struct error error;
    bool in_sync;
    arena_init(&arena);
    name_is_read(input);
    value_is_quoted(input);
    lists_are_read(input, &arena);
    refusals_are_read(input, &arena);
    if (route53_change_read(input, id, &in_sync, &error))
        REQUIRE(strlen(id) > 0 && strlen(id) < ROUTE53_CHANGE_ID_MAX);
    arena_free(&arena);
}
