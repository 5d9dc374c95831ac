/* Route 53 and DNS for tests of the solver's work: keeps record sets as AWS does, refuses what AWS
 * refuses, counts, and fails as told. Time goes on only when nothing is under way. */
#ifndef CERTMILL_TEST_ROUTE53_FAKE_H
#define CERTMILL_TEST_ROUTE53_FAKE_H

#include "check.h"

#include "aws/route53.h"
#include "aws/xml.h"
#include "solver/route53_work.h"

#define FAKE_SETS   4000
#define FAKE_VALUES 8
#define FAKE_FAULTS 8
#define FAKE_OUT    256

struct fake_set {
    size_t count;
    unsigned ttl;
    bool weighted;
    char zone[33], name[254];
    char values[FAKE_VALUES][80];
};

struct fake_request {
    uint64_t id;
    char profile[32], path[128], query[512];
    struct buf body;
};

/* The next request whose path holds `path` ends so; `acts`: after it was done. */
struct fake_fault {
    const char *path;
    enum aws_outcome outcome;
    const char *body;
    bool acts;
    unsigned times;
};

struct fake {
    struct route53_work *work;
    int64_t now_ms;
    struct fake_set sets[FAKE_SETS];
    size_t set_count;
    struct fake_request out[FAKE_OUT];
    size_t out_count;
    struct fake_fault faults[FAKE_FAULTS];
    size_t calls, zone_calls, change_calls, wait_calls, list_calls;
    size_t changes[64];      /* Change elements of each change */
    size_t most_at_once;     /* changes of one zone out */
    unsigned pending_polls;  /* GetChange says PENDING so many times */
    const char *zones;       /* the lists' HostedZone elements: "id name, ..." ; '!' private */
    const char *other_zones; /* of profile "other" */
    const char *cnames;      /* "from to, ..." */
    const char *dns_problem;
    char last_body[4096];
    size_t returned;
    int64_t sent_ms[512];
};

static inline bool fake_send(void *context, const struct aws_request *request, struct error *error)
{
    struct fake *fake = context;
    (void)error;
    CHECK(fake->out_count < FAKE_OUT && request->service == AWS_ROUTE53);
    CHECK(request->action != NULL && request->tell_throttled);
    struct fake_request *out = &fake->out[fake->out_count++];
    *out = (struct fake_request){.id = request->id};
    snprintf(out->profile, sizeof out->profile, "%s",
             request->profile != NULL ? request->profile : "");
    snprintf(out->path, sizeof out->path, "%.*s", SPAN_PRINTF(request->path));
    for (size_t i = 0; i < request->query_count; i++) {
        size_t len = strlen(out->query);
        snprintf(out->query + len, sizeof out->query - len, "%s=%.*s&", request->query[i].name,
                 SPAN_PRINTF(request->query[i].value));
    }
    buf_init(&out->body, ROUTE53_BODY_MAX);
    CHECK(buf_append_span(&out->body, request->body));
    fake->sent_ms[fake->calls++ % 512] = fake->now_ms;
    return true;
}

/* The part of "key value, key value" that follows the key. */
static inline bool fake_lookup(const char *table, const char *key, char *value, size_t size)
{
    struct span rest = span_of(table);
    while (table != NULL && rest.data != NULL) {
        struct span pair = span_trim(span_split(&rest, ','));
        struct span name = span_split(&pair, ' ');
        if (span_is(name, key)) {
            snprintf(value, size, "%.*s", SPAN_PRINTF(pair));
            return true;
        }
    }
    return false;
}

static inline void fake_look_up(void *context, const char *name, uint64_t id)
{
    struct fake *fake = context;
    char target[254];
    if (fake_lookup(fake->cnames, name, target, sizeof target))
        route53_work_alias(fake->work, id, target, NULL, fake->now_ms);
    else
        route53_work_alias(fake->work, id, NULL, fake->dns_problem, fake->now_ms);
}

static inline double fake_random(void *context)
{
    (void)context;
    return 0.5;
}

static inline struct fake_set *fake_find(struct fake *fake, const char *zone, const char *name)
{
    for (size_t i = 0; i < fake->set_count; i++)
        if (strcmp(fake->sets[i].zone, zone) == 0 && strcmp(fake->sets[i].name, name) == 0)
            return &fake->sets[i];
    return NULL;
}

static inline struct fake_set *fake_put(struct fake *fake, const char *zone, const char *name,
                                        const char *value)
{
    struct fake_set *set = fake_find(fake, zone, name);
    if (set == NULL) {
        CHECK(fake->set_count < FAKE_SETS);
        set = &fake->sets[fake->set_count++];
        *set = (struct fake_set){.ttl = 300};
        snprintf(set->zone, sizeof set->zone, "%s", zone);
        snprintf(set->name, sizeof set->name, "%s", name);
    }
    CHECK(set->count < FAKE_VALUES);
    snprintf(set->values[set->count++], sizeof set->values[0], "%s", value);
    return set;
}

static inline bool fake_has(struct fake *fake, const char *zone, const char *name,
                            const char *value)
{
    const struct fake_set *set = fake_find(fake, zone, name);
    for (size_t i = 0; set != NULL && i < set->count; i++)
        if (strcmp(set->values[i], value) == 0)
            return true;
    return false;
}

/* "/2013-04-01/hostedzone/ID/..." */
static inline void fake_zone_of(const char *path, char *zone)
{
    struct span rest = span_from(span_of(path), strlen("/2013-04-01/hostedzone/"));
    struct span id = span_split(&rest, '/');
    snprintf(zone, 33, "%.*s", SPAN_PRINTF(id));
}

static inline void fake_change_read(const struct xml_element *change, struct fake_set *set)
{
    const struct xml_element *element = xml_find(change, "ResourceRecordSet");
    uint64_t ttl;
    *set = (struct fake_set){0};
    CHECK(route53_name_read(xml_text(element, "Name"), set->name));
    CHECK(span_to_u64(xml_text(element, "TTL"), 1000000, &ttl));
    set->ttl = (unsigned)ttl;
    const struct xml_element *record = xml_find(element, "ResourceRecords/ResourceRecord");
    for (; record != NULL; record = xml_next(record)) {
        CHECK(set->count < FAKE_VALUES);
        snprintf(set->values[set->count++], sizeof set->values[0], "%.*s",
                 SPAN_PRINTF(xml_text(record, "Value")));
    }
    CHECK(set->count > 0);
}

static inline bool fake_same(const struct fake_set *a, const struct fake_set *b)
{
    size_t same = 0;
    for (size_t i = 0; i < a->count; i++)
        for (size_t k = 0; k < b->count; k++)
            same += strcmp(a->values[i], b->values[k]) == 0;
    return a->ttl == b->ttl && a->count == b->count && same == a->count;
}

/* Does one change on the fake's sets; NULL, or why not. */
static inline const char *fake_apply(struct fake *fake, const char *zone, struct span action,
                                     const struct fake_set *wanted, size_t *records,
                                     size_t *characters)
{
    struct fake_set *set = fake_find(fake, zone, wanted->name);
    size_t times = span_is(action, "UPSERT") ? 2 : 1;
    *records += times * wanted->count;
    for (size_t i = 0; i < wanted->count; i++)
        *characters += times * strlen(wanted->values[i]);
    if (span_is(action, "DELETE")) {
        if (set == NULL)
            return "Tried to delete resource record set [name='%s.', type='TXT'] but it was not "
                   "found";
        if (!fake_same(set, wanted))
            return "Tried to delete resource record set [name='%s.', type='TXT'] but the values "
                   "provided do not match the current values";
        *set = fake->sets[--fake->set_count];
        return NULL;
    }
    if (set != NULL && span_is(action, "CREATE"))
        return "Tried to create resource record set [name='%s.', type='TXT'] but it already exists";
    if (strstr(wanted->name, "refused") != NULL)
        return "RRSet of type TXT with DNS name %s. is not permitted";
    if (set == NULL)
        set = &fake->sets[fake->set_count++];
    CHECK(fake->set_count < FAKE_SETS);
    *set = *wanted;
    snprintf(set->zone, sizeof set->zone, "%s", zone);
    return NULL;
}

/* All or nothing. */
static inline enum aws_outcome fake_change(struct fake *fake, const struct fake_request *request,
                                           struct buf *reply)
{
    static struct fake_set before[FAKE_SETS];
    struct arena arena;
    struct xml_element *root;
    struct error error;
    char zone[33];
    size_t count_before = fake->set_count;
    size_t elements = 0;
    size_t records = 0;
    size_t characters = 0;
    size_t refused = 0;
    arena_init(&arena);
    memcpy(before, fake->sets, sizeof before);
    fake_zone_of(request->path, zone);
    snprintf(fake->last_body, sizeof fake->last_body, "%s", buf_text(&request->body));
    CHECK_OK(xml_parse(buf_span(&request->body), &arena, &root, &error), error);
    CHECK(buf_append_text(reply, "<InvalidChangeBatch><Messages>"));
    const struct xml_element *change = xml_find(root, "ChangeBatch/Changes/Change");
    for (; change != NULL; change = xml_next(change), elements++) {
        struct fake_set wanted;
        char message[512];
        fake_change_read(change, &wanted);
        const char *why =
            fake_apply(fake, zone, xml_text(change, "Action"), &wanted, &records, &characters);
        if (why == NULL)
            continue;
        refused++;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(message, sizeof message, why, wanted.name);
#pragma GCC diagnostic pop
        CHECK(buf_append_text(reply, "<Message>") && xml_escape(reply, span_of(message)) &&
              buf_append_text(reply, "</Message>"));
    }
    CHECK(elements > 0 && records <= 1000 && characters <= 32000);
    CHECK(buf_append_text(reply, "</Messages></InvalidChangeBatch>"));
    fake->changes[fake->change_calls++ % 64] = elements;
    arena_free(&arena);
    if (refused > 0) {
        memcpy(fake->sets, before, sizeof before);
        fake->set_count = count_before;
        return AWS_INVALID;
    }
    buf_clear(reply);
    CHECK(buf_printf(
        reply, "<R><ChangeInfo><Id>/change/C%zu</Id><Status>PENDING</Status></ChangeInfo></R>",
        fake->change_calls));
    return AWS_OK;
}

static inline int fake_order(const void *a, const void *b)
{
    char first[ROUTE53_NAME_MAX + 1];
    char second[ROUTE53_NAME_MAX + 1];
    route53_name_reverse(((const struct fake_set *)a)->name, first);
    route53_name_reverse(((const struct fake_set *)b)->name, second);
    return strcmp(first, second);
}

static inline void fake_list(struct fake *fake, const struct fake_request *request,
                             struct buf *reply)
{
    char zone[33];
    char start[254] = "";
    char most_text[8] = "";
    uint64_t most;
    uint64_t told = 0;
    bool more = false;
    fake->list_calls++;
    fake_zone_of(request->path, zone);
    CHECK_INT(sscanf(request->query, "maxitems=%7[^&]&name=%253[^&]&type=TXT&", most_text, start),
              2);
    CHECK(span_to_u64(span_of(most_text), ROUTE53_PAGE, &most));
    qsort(fake->sets, fake->set_count, sizeof fake->sets[0], fake_order);
    struct fake_set from;
    snprintf(from.name, sizeof from.name, "%s", start);
    CHECK(buf_append_text(reply, "<L><ResourceRecordSets>"));
    for (size_t i = 0; i < fake->set_count; i++) {
        const struct fake_set *set = &fake->sets[i];
        if (strcmp(set->zone, zone) != 0 || fake_order(set, &from) < 0)
            continue;
        if (told++ == most) {
            more = true;
            break;
        }
        CHECK(buf_printf(reply,
                         "<ResourceRecordSet><Name>%s.</Name><Type>TXT</Type><TTL>%u</TTL>%s"
                         "<ResourceRecords>",
                         set->name, set->ttl,
                         set->weighted ? "<SetIdentifier>1</SetIdentifier>" : ""));
        for (size_t k = 0; k < set->count; k++)
            CHECK(buf_printf(reply, "<ResourceRecord><Value>%s</Value></ResourceRecord>",
                             set->values[k]));
        CHECK(buf_append_text(reply, "</ResourceRecords></ResourceRecordSet>"));
    }
    CHECK(buf_printf(reply, "</ResourceRecordSets><IsTruncated>%s</IsTruncated></L>",
                     more ? "true" : "false"));
}

/* One zone a page. */
static inline void fake_zones(struct fake *fake, const struct fake_request *request,
                              struct buf *reply)
{
    bool other = strcmp(request->profile, "other") == 0;
    struct span rest = span_of(other ? fake->other_zones : fake->zones);
    char marker[64] = "";
    char wanted[254] = "";
    fake->zone_calls++;
    bool paged = strstr(request->path, "byname") == NULL;
    (void)sscanf(request->query, "maxitems=100&marker=%63[^&]", marker);
    (void)sscanf(request->query, "maxitems=100&dnsname=%253[^&]", wanted);
    CHECK(paged == (wanted[0] == '\0'));
    CHECK(buf_append_text(reply, "<Z><HostedZones>"));
    bool begun = marker[0] == '\0';
    while (rest.data != NULL) {
        struct span name = span_trim(span_split(&rest, ','));
        struct span id = span_split(&name, ' ');
        begun = begun || span_is(id, marker);
        if (!begun || id.len == 0)
            continue;
        CHECK(buf_printf(reply,
                         "<HostedZone><Id>/hostedzone/%.*s</Id><Name>%.*s.</Name><Config>"
                         "<PrivateZone>%s</PrivateZone></Config></HostedZone>",
                         SPAN_PRINTF(id),
                         SPAN_PRINTF(span_starts(name, "!") ? span_from(name, 1) : name),
                         span_starts(name, "!") ? "true" : "false"));
        if (paged)
            break;
    }
    struct span next = span_trim(rest);
    struct span next_id = span_split(&next, ' ');
    CHECK(buf_append_text(reply, "</HostedZones>"));
    if (paged && next_id.len > 0)
        CHECK(buf_printf(reply, "<IsTruncated>true</IsTruncated><NextMarker>%.*s</NextMarker>",
                         SPAN_PRINTF(next_id)));
    CHECK(buf_append_text(reply, "</Z>"));
}

static inline void fake_wait(struct fake *fake, struct buf *reply)
{
    bool pending = fake->pending_polls > 0;
    fake->wait_calls++;
    fake->pending_polls -= pending;
    CHECK(buf_printf(reply,
                     "<G><ChangeInfo><Id>/change/C1</Id><Status>%s</Status></ChangeInfo></G>",
                     pending ? "PENDING" : "INSYNC"));
}

static inline enum aws_outcome fake_do(struct fake *fake, const struct fake_request *request,
                                       struct buf *reply)
{
    if (strstr(request->path, "/rrset/") != NULL)
        return fake_change(fake, request, reply);
    if (strstr(request->path, "/rrset") != NULL)
        fake_list(fake, request, reply);
    else if (strstr(request->path, "/change/") != NULL)
        fake_wait(fake, reply);
    else
        fake_zones(fake, request, reply);
    return AWS_OK;
}

static inline void fake_answer(struct fake *fake)
{
    struct fake_request request = fake->out[0];
    struct buf body;
    struct fake_fault *fault = NULL;
    struct aws_reply reply = {.id = request.id, .outcome = AWS_OK, .status = 200, .attempts = 1};
    buf_init(&body, (size_t)8 << 20);
    memmove(fake->out, fake->out + 1, --fake->out_count * sizeof fake->out[0]);
    for (size_t i = 0; i < FAKE_FAULTS && fault == NULL; i++)
        if (fake->faults[i].times > 0 && strstr(request.path, fake->faults[i].path) != NULL)
            fault = &fake->faults[i];
    if (fault == NULL || fault->acts)
        reply.outcome = fake_do(fake, &request, &body);
    reply.body = buf_span(&body);
    if (fault != NULL) {
        fault->times--;
        reply.outcome = fault->outcome;
        reply.body = span_of(fault->body);
    }
    if (reply.outcome != AWS_OK) {
        reply.status = 400;
        error_set(&reply.error, ERROR_NETWORK, "AWS said no to %s", request.path);
    }
    route53_work_reply(fake->work, &reply, fake->now_ms);
    buf_free(&body);
    buf_free(&request.body);
}

/* Answers what is out, else lets the time pass. False when nothing is to come. */
static inline bool fake_step(struct fake *fake)
{
    route53_work_tick(fake->work, fake->now_ms);
    size_t changes = 0;
    for (size_t i = 0; i < fake->out_count; i++)
        changes += strstr(fake->out[i].path, "/rrset/") != NULL;
    if (changes > fake->most_at_once)
        fake->most_at_once = changes;
    if (fake->out_count > 0) {
        fake_answer(fake);
        return true;
    }
    int64_t wait_ms = route53_work_wait_ms(fake->work, fake->now_ms);
    fake->now_ms += wait_ms > 0 ? wait_ms : 0;
    return wait_ms >= 0;
}

static inline void fake_run(struct fake *fake)
{
    for (size_t steps = 0; fake_step(fake); steps++)
        CHECK(steps < 1000000);
}

static inline void fake_begin(struct fake *fake, const struct manifest_route53 *manifest,
                              struct state *state)
{
    struct error error;
    struct route53_work_options options = {
        .manifest = manifest,
        .caller = {.send = fake_send,
                   .look_up = fake_look_up,
                   .random = fake_random,
                   .context = fake},
        .state = state,
        .timeout_ms = 300000,
    };
    fake->now_ms = 1000000;
    CHECK_OK(route53_work_new(&options, &fake->work, &error), error);
}

static inline void fake_end(struct fake *fake)
{
    CHECK(route53_work_is_idle(fake->work));
    for (size_t i = 0; i < fake->out_count; i++)
        buf_free(&fake->out[i].body);
    route53_work_free(fake->work);
    free(fake);
}

static inline void fake_fail(struct fake *fake, const char *path, enum aws_outcome outcome,
                             bool acts, unsigned times)
{
    for (size_t i = 0; i < FAKE_FAULTS; i++) {
        if (fake->faults[i].times > 0)
            continue;
        fake->faults[i] =
            (struct fake_fault){.path = path, .outcome = outcome, .acts = acts, .times = times};
        return;
    }
    CHECK(false);
}

#endif
