/* Replies. */
#include "aws/route53.h"

#include "aws/xml.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define SENTENCES_MAX 4096

static bool no_memory(struct error *error)
{
    return error_set(error, ERROR_MEMORY, "no memory for Route 53's answer");
}

static bool parse(struct span body, struct arena *arena, struct xml_element **ret_root,
                  struct error *error)
{
    return xml_parse(body, arena, ret_root, error) || error_prefix(error, "Route 53's answer: ");
}

/* "/hostedzone/Z123" and "Z123" are both seen. Ids are of letters and digits. */
static bool id_read(struct span text, size_t size, char *id)
{
    const char *slash = text.len > 0 ? memrchr(text.data, '/', text.len) : NULL;
    if (slash != NULL)
        text = span_from(text, (size_t)(slash - text.data) + 1);
    if (text.len == 0 || text.len >= size)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (!isalnum((unsigned char)text.data[i]))
            return false;
    memcpy(id, text.data, text.len);
    id[text.len] = '\0';
    return true;
}

static size_t count_of(const struct xml_element *first)
{
    size_t count = 0;
    for (const struct xml_element *at = first; at != NULL; at = xml_next(at))
        count++;
    return count;
}

static bool zone_read(const struct xml_element *element, struct arena *arena,
                      struct route53_zone_row *zone, struct error *error)
{
    char id[ROUTE53_ZONE_ID_MAX];
    char name[ROUTE53_NAME_MAX];
    if (!id_read(xml_text(element, "Id"), sizeof id, id) ||
        !route53_name_read(xml_text(element, "Name"), name) || name[0] == '\0')
        return error_set(error, ERROR_PROTOCOL,
                         "Route 53's answer: a hosted zone without a usable id or name");
    zone->id = arena_text(arena, span_of(id));
    zone->name = arena_text(arena, span_of(name));
    zone->is_private = span_is(xml_text(element, "Config/PrivateZone"), "true");
    return (zone->id != NULL && zone->name != NULL) || no_memory(error);
}

bool route53_zones_read(struct span body, struct arena *arena, struct route53_zone_row **ret_zones,
                        size_t *ret_count, const char **ret_marker, struct error *error)
{
    struct xml_element *root;
    TRY(parse(body, arena, &root, error));
    if (xml_find(root, "HostedZones") == NULL)
        return error_set(error, ERROR_PROTOCOL, "Route 53's answer is no list of hosted zones");
    const struct xml_element *first = xml_find(root, "HostedZones/HostedZone");
    size_t count = count_of(first);
    struct route53_zone_row *zones = arena_alloc(arena, (count + 1) * sizeof *zones);
    if (zones == NULL)
        return no_memory(error);
    size_t filled = 0;
    for (const struct xml_element *at = first; at != NULL; at = xml_next(at))
        TRY(zone_read(at, arena, &zones[filled++], error));
    const char *marker = NULL;
    struct span next = xml_text(root, "NextMarker");
    if (span_is(xml_text(root, "IsTruncated"), "true") && next.len > 0) {
        marker = arena_text(arena, next);
        if (marker == NULL)
            return no_memory(error);
    }
    *ret_zones = zones;
    *ret_count = count;
    *ret_marker = marker;
    return true;
}

bool route53_change_read(struct span body, char id[ROUTE53_CHANGE_ID_MAX], bool *ret_in_sync,
                         struct error *error)
{
    struct arena arena;
    struct xml_element *root;
    arena_init(&arena);
    bool ok = parse(body, &arena, &root, error);
    if (ok) {
        bool in_sync = span_is(xml_text(root, "ChangeInfo/Status"), "INSYNC");
        ok = id_read(xml_text(root, "ChangeInfo/Id"), ROUTE53_CHANGE_ID_MAX, id) ||
             error_set(error, ERROR_PROTOCOL, "Route 53's answer names no change");
        if (ok)
            *ret_in_sync = in_sync;
    }
    arena_free(&arena);
    return ok;
}

static bool values_read(const struct xml_element *element, struct arena *arena,
                        struct route53_set *set, struct error *error)
{
    const struct xml_element *first = xml_find(element, "ResourceRecords/ResourceRecord");
    const char **values = arena_alloc(arena, (count_of(first) + 1) * sizeof *values);
    if (values == NULL)
        return no_memory(error);
    for (const struct xml_element *at = first; at != NULL; at = xml_next(at)) {
        values[set->value_count] = arena_text(arena, xml_text(at, "Value"));
        if (values[set->value_count++] == NULL)
            return no_memory(error);
    }
    set->values = values;
    return true;
}

static bool set_read(const struct xml_element *element, struct arena *arena,
                     struct route53_set_row *row, struct error *error)
{
    char name[ROUTE53_NAME_MAX];
    uint64_t ttl = 0;
    if (!route53_name_read(xml_text(element, "Name"), name))
        return error_set(error, ERROR_PROTOCOL, "Route 53's answer: a record set's name is bad");
    row->set.name = arena_text(arena, span_of(name));
    if (row->set.name == NULL)
        return no_memory(error);
    row->is_txt = span_is(xml_text(element, "Type"), "TXT");
    row->is_plain = span_to_u64(xml_text(element, "TTL"), INT32_MAX, &ttl) &&
                    xml_find(element, "SetIdentifier") == NULL &&
                    xml_find(element, "AliasTarget") == NULL;
    row->set.ttl = (unsigned)ttl;
    return !row->is_txt || values_read(element, arena, &row->set, error);
}

bool route53_sets_read(struct span body, struct arena *arena, struct route53_set_row **ret_sets,
                       size_t *ret_count, bool *ret_more, struct error *error)
{
    struct xml_element *root;
    TRY(parse(body, arena, &root, error));
    if (xml_find(root, "ResourceRecordSets") == NULL)
        return error_set(error, ERROR_PROTOCOL, "Route 53's answer is no list of record sets");
    const struct xml_element *first = xml_find(root, "ResourceRecordSets/ResourceRecordSet");
    size_t count = count_of(first);
    struct route53_set_row *sets = arena_alloc(arena, (count + 1) * sizeof *sets);
    if (sets == NULL)
        return no_memory(error);
    size_t filled = 0;
    for (const struct xml_element *at = first; at != NULL; at = xml_next(at))
        TRY(set_read(at, arena, &sets[filled++], error));
    *ret_sets = sets;
    *ret_count = count;
    *ret_more = span_is(xml_text(root, "IsTruncated"), "true");
    return true;
}

/* Several sentences come as one text too: "[Tried to create ..., Tried to delete ...]". A name has
 * no capitals, so that a capital after a comma begins the next. */
static void sentences_split(struct span text, struct route53_refusals *refusals)
{
    if (text.len > 1 && text.data[0] == '[' && text.data[text.len - 1] == ']')
        text = span_make(text.data + 1, text.len - 2);
    size_t begin = 0;
    for (size_t i = 0; i + 2 < text.len && refusals->count + 1 < SENTENCES_MAX; i++) {
        if (text.data[i] != ',' || text.data[i + 1] != ' ' ||
            !isupper((unsigned char)text.data[i + 2]))
            continue;
        refusals->sentences[refusals->count++] = span_make(text.data + begin, i - begin);
        begin = i + 2;
    }
    if (refusals->count < SENTENCES_MAX && begin < text.len)
        refusals->sentences[refusals->count++] = span_from(text, begin);
}

bool route53_refusals_read(struct span body, struct arena *arena,
                           struct route53_refusals *ret_refusals, struct error *error)
{
    struct xml_element *root;
    TRY(parse(body, arena, &root, error));
    struct route53_refusals refusals = {
        .sentences = arena_alloc(arena, SENTENCES_MAX * sizeof(struct span))};
    if (refusals.sentences == NULL)
        return no_memory(error);
    const struct xml_element *message = xml_find(root, "Messages/Message");
    if (message == NULL)
        message = xml_find(root, "Error/Message");
    if (message == NULL)
        message = xml_find(root, "Message");
    for (; message != NULL; message = xml_next(message))
        sentences_split(message->text, &refusals);
    *ret_refusals = refusals;
    return true;
}

static bool is_of_name(char c)
{
    return isalnum((unsigned char)c) || c == '-' || c == '_' || c == '.' || c == '*' || c == '\\';
}

/* Not as a part of a longer name; with its final dot or without. */
static bool names(struct span sentence, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i + len <= sentence.len; i++) {
        if (strncasecmp(sentence.data + i, name, len) != 0 ||
            (i > 0 && is_of_name(sentence.data[i - 1])))
            continue;
        struct span after = span_from(sentence, i + len);
        if (after.len > 0 && after.data[0] == '.')
            after = span_from(after, 1);
        if (after.len == 0 || !is_of_name(after.data[0]))
            return true;
    }
    return false;
}

struct span route53_refusal_of(const struct route53_refusals *refusals, const char *name)
{
    for (size_t i = 0; i < refusals->count; i++)
        if (names(refusals->sentences[i], name))
            return refusals->sentences[i];
    return span_make(NULL, 0);
}
