/* How many streams the HTTP client gives a connection: the load CA's server answers quickly or
 * slowly, as the path says. */
#include "ca_tls.h"

static void many_streams_only_while_answers_are_slow(void)
{
    struct ca_identity identity;
    struct ca ca;
    struct fixture fixture;
    ca_identity_make(&identity);
    struct http_options options = {.ca_file = identity.file, .connections = 2, .streams = 100};
    ca_open_tls(&ca, &identity, (struct server_options){0});
    fixture_open(&fixture, &options);
    CHECK_INT(http_room(fixture.client), 2);
    CHECK_INT(fixture_get(&fixture, "https", ca.port, "/1/0/0")->status, 200);
    CHECK_INT(http_room(fixture.client), 50);
    uint64_t id = 1;
    for (; id <= 20; id++)
        ca_send(&fixture, &ca, id, "/1/600/0");
    CHECK_INT(http_room(fixture.client), 30);
    fixture_run(&fixture);
    CHECK_INT(http_room(fixture.client), 200);
    for (; id <= 80; id++)
        ca_send(&fixture, &ca, id, "/1/0/0");
    CHECK_INT(http_room(fixture.client), 140);
    fixture_run(&fixture);
    CHECK_INT(http_room(fixture.client), 50);
    fixture_close(&fixture);
    ca_close(&ca);
    ca_identity_free(&identity);
}

static const struct test tests[] = {
    TEST(many_streams_only_while_answers_are_slow),
};

TESTS_MAIN(tests)
