/* solvers.dns-01.route53 */
#include "config/manifest_reading.h"

#include "config/names.h"

#include <ctype.h>
#include <string.h>

#define ZONES_MAX    500 /* AWS's own limit of an account */
#define ZONE_ID_MAX  32
#define ZONE_ID_PATH "/hostedzone/"

/* One zone while it is read. */
struct zone_draft {
    struct manifest_reading *reading;
    struct route53_zone *zone;
};

static bool read_zone_profile(struct config_input *input, const struct config_field *field,
                              const struct yaml_item *item, void *target)
{
    struct zone_draft *draft = target;
    return manifest_profile_read(input, field, item, draft->reading, &draft->zone->profile);
}

static bool read_zone_name(struct config_input *input, const struct config_field *field,
                           const struct yaml_item *item, void *target)
{
    struct zone_draft *draft = target;
    struct span text;
    struct domain domain;
    struct error error = {0};
    if (!config_text(input, field, item, &text))
        return config_skip(input, item);
    if (!domain_read(text, &domain, &error) || domain.kind != DOMAIN_NAME) {
        config_error(input, field, item, "%s is not allowed: use the zone's name, as example.com",
                     config_quote(text).text);
        return true;
    }
    draft->zone->name = arena_text(&draft->reading->manifest->arena, span_of(domain.text));
    return draft->zone->name != NULL || config_no_memory(input);
}

/* The console shows "Z123", the API "/hostedzone/Z123". */
static bool read_zone_id(struct config_input *input, const struct config_field *field,
                         const struct yaml_item *item, void *target)
{
    struct zone_draft *draft = target;
    struct span text;
    if (!config_text(input, field, item, &text))
        return config_skip(input, item);
    struct span id = span_starts(text, ZONE_ID_PATH) ? span_from(text, strlen(ZONE_ID_PATH)) : text;
    bool is_id = id.len > 0 && id.len <= ZONE_ID_MAX;
    for (size_t i = 0; i < id.len && is_id; i++)
        is_id = isalnum((unsigned char)id.data[i]);
    if (!is_id) {
        config_error(input, field, item, "%s is not allowed: use the hosted zone's id, as Z0123ABC",
                     config_quote(text).text);
        return true;
    }
    draft->zone->id = arena_text(&draft->reading->manifest->arena, id);
    return draft->zone->id != NULL || config_no_memory(input);
}

static bool is_twice(const struct manifest_route53 *route53, const struct route53_zone *zone)
{
    for (const struct route53_zone *other = route53->zones; other != NULL; other = other->next)
        if (strcmp(other->name, zone->name) == 0)
            return true;
    return false;
}

static bool read_zone(struct config_input *input, const struct config_field *field,
                      const struct yaml_item *item, void *target)
{
    static const struct config_key keys[] = {
        {"name", read_zone_name}, {"id", read_zone_id}, {"profile", read_zone_profile}};
    struct manifest_reading *reading = target;
    struct manifest_route53 *route53 = &reading->manifest->solvers.route53;
    struct zone_draft draft = {.reading = reading};
    size_t errors = input->diagnostics->errors;
    unsigned seen = 0;
    draft.zone = arena_alloc(&reading->manifest->arena, sizeof *draft.zone);
    if (draft.zone == NULL)
        return config_no_memory(input);
    TRY(config_mapping(input, field, item, keys, sizeof keys / sizeof keys[0], &draft, &seen));
    if (input->diagnostics->errors > errors)
        return true;
    if (draft.zone->name == NULL) {
        config_error(input, field, item, "name is missing: the zone's name, as example.com");
    } else if (is_twice(route53, draft.zone)) {
        config_error(input, field, item, "the zone %s is named twice", draft.zone->name);
    } else {
        draft.zone->next = (struct route53_zone *)route53->zones;
        route53->zones = draft.zone;
    }
    return true;
}

static bool read_zones(struct config_input *input, const struct config_field *field,
                       const struct yaml_item *item, void *target)
{
    return config_list(input, field, item, ZONES_MAX, read_zone, target);
}

static bool read_profile(struct config_input *input, const struct config_field *field,
                         const struct yaml_item *item, void *target)
{
    struct manifest_reading *reading = target;
    return manifest_profile_read(input, field, item, reading,
                                 &reading->manifest->solvers.route53.profile);
}

static bool read_resolver(struct config_input *input, const struct config_field *field,
                          const struct yaml_item *item, void *target)
{
    struct manifest *manifest = ((struct manifest_reading *)target)->manifest;
    struct span text;
    if (!config_text(input, field, item, &text))
        return config_skip(input, item);
    if (!manifest_address_is_valid(text) || text.data[0] == ':') {
        config_error(input, field, item,
                     "%s is not allowed: use the address and port of a DNS server, as "
                     "192.0.2.53:53 or [2001:db8::53]:53",
                     config_quote(text).text);
        return true;
    }
    manifest->solvers.route53.resolver = arena_text(&manifest->arena, text);
    return manifest->solvers.route53.resolver != NULL || config_no_memory(input);
}

bool manifest_route53_read(struct config_input *input, const struct config_field *field,
                           const struct yaml_item *item, void *target)
{
    static const struct config_key keys[] = {
        {"profile", read_profile}, {"zones", read_zones}, {"resolver", read_resolver}};
    struct manifest_reading *reading = target;
    reading->manifest->solvers.route53.given = true;
    return config_mapping(input, field, item, keys, sizeof keys / sizeof keys[0], target, NULL);
}
