/* engine/aws/route53: requests and replies, without the network. */
#include "check.h"

#include "aws/route53.h"

#define XMLNS "xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\""

static void batch_is_a_change_request(void)
{
    const char *values[] = {"\"a<&>\"", "\"b\""};
    const struct route53_set set = {"_acme-challenge.example.com", 10, values, 2};
    struct route53_batch batch;
    route53_batch_init(&batch);
    CHECK(route53_batch_add(&batch, ROUTE53_CREATE, &set));
    CHECK(route53_batch_add(&batch, ROUTE53_DELETE,
                            &(struct route53_set){"a.example.com", 300, values + 1, 1}));
    CHECK(route53_batch_end(&batch));
    CHECK_TEXT(buf_text(&batch.body),
               "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
               "<ChangeResourceRecordSetsRequest " XMLNS "><ChangeBatch><Changes>"
               "<Change><Action>CREATE</Action><ResourceRecordSet>"
               "<Name>_acme-challenge.example.com.</Name><Type>TXT</Type><TTL>10</TTL>"
               "<ResourceRecords><ResourceRecord><Value>&#x22;a&#x3C;&#x26;&#x3E;&#x22;</Value>"
               "</ResourceRecord><ResourceRecord><Value>&#x22;b&#x22;</Value></ResourceRecord>"
               "</ResourceRecords></ResourceRecordSet></Change>"
               "<Change><Action>DELETE</Action><ResourceRecordSet><Name>a.example.com.</Name>"
               "<Type>TXT</Type><TTL>300</TTL><ResourceRecords><ResourceRecord>"
               "<Value>&#x22;b&#x22;</Value></ResourceRecord></ResourceRecords>"
               "</ResourceRecordSet></Change></Changes></ChangeBatch>"
               "</ChangeResourceRecordSetsRequest>");
    CHECK_INT(batch.changes, 2);
    CHECK_INT(batch.records, 3);
    CHECK_INT(batch.characters, 6 + 3 + 3);
    route53_batch_free(&batch);
}

static void upsert_counts_twice(void)
{
    const char *values[] = {"\"abc\""};
    const struct route53_set set = {"a.example.com", 10, values, 1};
    size_t records = 0;
    size_t characters = 0;
    route53_change_size(ROUTE53_UPSERT, &set, &records, &characters);
    CHECK_INT(records, 2);
    CHECK_INT(characters, 10);
    route53_change_size(ROUTE53_CREATE, &set, &records, &characters);
    CHECK_INT(records, 3);
    CHECK_INT(characters, 15);
    const struct route53_batch batch = {.records = 999, .characters = 31990};
    CHECK(route53_batch_has_room(&batch, 1, 10));
    CHECK(!route53_batch_has_room(&batch, 2, 10));
    CHECK(!route53_batch_has_room(&batch, 1, 11));
}

static const char *quoted(struct span value, struct buf *out)
{
    buf_clear(out);
    CHECK(route53_quote(out, value));
    return buf_text(out);
}

static void values_are_quoted(void)
{
    struct buf out;
    char text[256];
    buf_init(&out, 4096);
    CHECK_TEXT(quoted(span_of(""), &out), "\"\"");
    CHECK_TEXT(quoted(span_of("plain value-_="), &out), "\"plain value-_=\"");
    CHECK_TEXT(quoted(span_of("say \"hi\" \\ \xc3\xa9\n"), &out),
               "\"say \\\"hi\\\" \\\\ \\303\\251\\012\"");
    memset(text, 'x', sizeof text);
    quoted(span_make(text, 255), &out);
    CHECK_INT(out.len, 257);
    CHECK(strstr(buf_text(&out), "\" \"") == NULL);
    quoted(span_make(text, 256), &out);
    CHECK_INT(out.len, 256 + 5);
    CHECK_TEXT(buf_text(&out) + 256, "\" \"x\"");
    buf_free(&out);
}

static void names_are_read_and_reversed(void)
{
    char name[ROUTE53_NAME_MAX];
    char reversed[ROUTE53_NAME_MAX + 1];
    char longest[300];
    CHECK(route53_name_read(span_of("\\052.Example.COM."), name));
    CHECK_TEXT(name, "*.example.com");
    CHECK(route53_name_read(span_of("a\\4.b"), name));
    CHECK_TEXT(name, "a\\4.b");
    CHECK(!route53_name_read(span_of("a\\000b"), name));
    memset(longest, 'a', sizeof longest);
    CHECK(route53_name_read(span_make(longest, 253), name));
    route53_name_reverse(name, reversed);
    CHECK_INT(strlen(reversed), 254);
    CHECK(!route53_name_read(span_make(longest, 254), name));
    route53_name_reverse("_acme-challenge.www.example.com", reversed);
    CHECK_TEXT(reversed, "com.example.www._acme-challenge.");
    route53_name_reverse("com", reversed);
    CHECK_TEXT(reversed, "com.");
}

static void zones_are_read(void)
{
    struct arena arena;
    struct route53_zone_row *zones;
    size_t count;
    const char *marker;
    struct error error;
    arena_init(&arena);
    const char *body =
        "<?xml version=\"1.0\"?>\n<ListHostedZonesResponse " XMLNS "><HostedZones>"
        "<HostedZone><Id>/hostedzone/Z1</Id><Name>example.com.</Name><CallerReference>x"
        "</CallerReference><Config><PrivateZone>false</PrivateZone></Config></HostedZone>"
        "<HostedZone><Id>Z2</Id><Name>Example.ORG</Name><Config><Comment>c</Comment>"
        "<PrivateZone>true</PrivateZone></Config></HostedZone></HostedZones>"
        "<IsTruncated>true</IsTruncated><NextMarker>Z3</NextMarker><MaxItems>100</MaxItems>"
        "</ListHostedZonesResponse>";
    CHECK_OK(route53_zones_read(span_of(body), &arena, &zones, &count, &marker, &error), error);
    CHECK_INT(count, 2);
    CHECK_TEXT(zones[0].id, "Z1");
    CHECK_TEXT(zones[0].name, "example.com");
    CHECK(!zones[0].is_private && zones[1].is_private);
    CHECK_TEXT(zones[1].name, "example.org");
    CHECK_TEXT(marker, "Z3");
    CHECK(!route53_zones_read(span_of("<a/>"), &arena, &zones, &count, &marker, &error));
    CHECK(!route53_zones_read(span_of("<a><HostedZones><HostedZone><Id>Z?1</Id><Name>a</Name>"
                                      "</HostedZone></HostedZones></a>"),
                              &arena, &zones, &count, &marker, &error));
    arena_free(&arena);
}

static void changes_are_read(void)
{
    char id[ROUTE53_CHANGE_ID_MAX];
    bool in_sync;
    struct error error;
    CHECK_OK(route53_change_read(span_of("<ChangeResourceRecordSetsResponse " XMLNS "><ChangeInfo>"
                                         "<Id>/change/C2682N5HXP0BZ4</Id><Status>PENDING</Status>"
                                         "<SubmittedAt>2026-11-23T12:00:00Z</SubmittedAt>"
                                         "</ChangeInfo></ChangeResourceRecordSetsResponse>"),
                                 id, &in_sync, &error),
             error);
    CHECK_TEXT(id, "C2682N5HXP0BZ4");
    CHECK(!in_sync);
    CHECK_OK(route53_change_read(span_of("<GetChangeResponse><ChangeInfo><Status>INSYNC</Status>"
                                         "<Id>C1</Id></ChangeInfo></GetChangeResponse>"),
                                 id, &in_sync, &error),
             error);
    CHECK_TEXT(id, "C1");
    CHECK(in_sync);
    CHECK(!route53_change_read(span_of("<GetChangeResponse/>"), id, &in_sync, &error));
    CHECK(!route53_change_read(span_of("busy"), id, &in_sync, &error));
}

static void record_sets_are_read(void)
{
    struct arena arena;
    struct route53_set_row *sets;
    size_t count;
    bool more;
    struct error error;
    arena_init(&arena);
    const char *body =
        "<ListResourceRecordSetsResponse " XMLNS "><ResourceRecordSets>"
        "<ResourceRecordSet><Name>example.com.</Name><Type>TXT</Type><TTL>300</TTL>"
        "<ResourceRecords><ResourceRecord><Value>\"v=spf1 &amp;\" \"x\"</Value></ResourceRecord>"
        "<ResourceRecord><Value>\"2\"</Value></ResourceRecord></ResourceRecords>"
        "</ResourceRecordSet>"
        "<ResourceRecordSet><Name>\\052.example.com.</Name><Type>A</Type><AliasTarget><DNSName>x"
        "</DNSName></AliasTarget></ResourceRecordSet>"
        "<ResourceRecordSet><Name>w.example.com.</Name><Type>TXT</Type><SetIdentifier>1"
        "</SetIdentifier><TTL>5</TTL></ResourceRecordSet>"
        "</ResourceRecordSets><IsTruncated>true</IsTruncated></ListResourceRecordSetsResponse>";
    CHECK_OK(route53_sets_read(span_of(body), &arena, &sets, &count, &more, &error), error);
    CHECK_INT(count, 3);
    CHECK(more);
    CHECK(sets[0].is_txt && sets[0].is_plain);
    CHECK_INT(sets[0].set.ttl, 300);
    CHECK_INT(sets[0].set.value_count, 2);
    CHECK_TEXT(sets[0].set.values[0], "\"v=spf1 &\" \"x\"");
    CHECK(!sets[1].is_txt && !sets[1].is_plain);
    CHECK_TEXT(sets[1].set.name, "*.example.com");
    CHECK(sets[2].is_txt && !sets[2].is_plain);
    arena_free(&arena);
}

static struct route53_refusals refusals_of(const char *body, struct arena *arena)
{
    struct route53_refusals refusals;
    struct error error;
    CHECK_OK(route53_refusals_read(span_of(body), arena, &refusals, &error), error);
    return refusals;
}

static void refusals_name_their_changes(void)
{
    struct arena arena;
    arena_init(&arena);
    const char *const bodies[] = {
        "<InvalidChangeBatch " XMLNS "><Messages>"
        "<Message>Tried to create resource record set [name='_acme-challenge.a.test.', "
        "type='TXT'] but it already exists</Message>"
        "<Message>Tried to delete resource record set [name='_acme-challenge.b.test.', "
        "type='TXT'] but it was not found</Message></Messages><RequestId>r</RequestId>"
        "</InvalidChangeBatch>",
        "<ErrorResponse " XMLNS "><Error><Type>Sender</Type><Code>InvalidChangeBatch</Code>"
        "<Message>[Tried to create resource record set [name='_acme-challenge.a.test.', "
        "type='TXT'] but it already exists, Tried to delete resource record set "
        "[name='_acme-challenge.b.test.', type='TXT'] but it was not found]</Message></Error>"
        "<RequestId>r</RequestId></ErrorResponse>",
    };
    for (size_t i = 0; i < 2; i++) {
        struct route53_refusals refusals = refusals_of(bodies[i], &arena);
        CHECK_INT(refusals.count, 2);
        CHECK(span_ends(route53_refusal_of(&refusals, "_acme-challenge.a.test"),
                        "but it already exists"));
        CHECK(span_starts(route53_refusal_of(&refusals, "_acme-challenge.b.test"),
                          "Tried to delete"));
        /* parts of names are other names */
        CHECK_INT(route53_refusal_of(&refusals, "a.test").len, 0);
        CHECK_INT(route53_refusal_of(&refusals, "_acme-challenge.a.tes").len, 0);
        CHECK_INT(route53_refusal_of(&refusals, "_acme-challenge.a").len, 0);
        CHECK_INT(route53_refusal_of(&refusals, "_acme-challenge.c.test").len, 0);
    }
    struct route53_refusals bare =
        refusals_of("<ErrorResponse><Error><Message>found none in Change with [Action=DELETE, "
                    "Name=_acme-challenge.a.test, Type=TXT, SetIdentifier=null]</Message></Error>"
                    "</ErrorResponse>",
                    &arena);
    CHECK(route53_refusal_of(&bare, "_acme-challenge.a.test").len > 0);
    bare = refusals_of("<x/>", &arena);
    CHECK_INT(bare.count, 0);
    arena_free(&arena);
}

static const struct test tests[] = {
    TEST(batch_is_a_change_request),
    TEST(upsert_counts_twice),
    TEST(values_are_quoted),
    TEST(names_are_read_and_reversed),
    TEST(zones_are_read),
    TEST(changes_are_read),
    TEST(record_sets_are_read),
    TEST(refusals_name_their_changes),
};
TESTS_MAIN(tests)
