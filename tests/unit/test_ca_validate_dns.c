/* bench/ca/validate: dns-01, and the addresses of http-01's hosts, by a scripted DNS server. */
#include "ca_validator.h"
#include "dns_server.h"
#include "scripted_server.h"

#define PATH "/.well-known/acme-challenge/"
#define NAME "_acme-challenge."
/* base64url(SHA-256("token.thumbprint")), by the openssl command */
#define GOOD "61rBZ_4knHblO0MNoxFsXZ_eTFUHum0B6IVRbhvUn5I"

static char long_text[400];

static const struct dns_entry texts[] = {
    {NAME "good.example", {{ns_t_txt, GOOD}}, 0, false, false},
    {NAME "several.example",
     {{ns_t_txt, "other"}, {ns_t_txt, "v=spf1 -all"}, {ns_t_txt, GOOD}, {ns_t_txt, "last"}},
     0,
     false,
     false},
    {NAME "wrong.example", {{ns_t_txt, "wrong\x1b[2Jvalue"}}, 0, false, false},
    {NAME "wrongs.example",
     {{ns_t_txt, "one"}, {ns_t_txt, "two"}, {ns_t_txt, ""}},
     0,
     false,
     false},
    {NAME "blank.example", {{ns_t_txt, GOOD " "}}, 0, false, false},
    {NAME "long.example", {{ns_t_txt, long_text}}, 0, false, false},
    {NAME "none.example", {{0}}, 0, false, false},
    {NAME "address.example", {{ns_t_a, "192.0.2.1"}}, 0, false, false},
    {NAME "alias.example", {{ns_t_cname, "target.example"}}, 0, false, false},
    {"target.example", {{ns_t_cname, "further.example"}}, 0, false, false},
    {"further.example", {{ns_t_txt, GOOD}}, 0, false, false},
    {NAME "both.example", {{ns_t_cname, "elsewhere.example"}, {ns_t_txt, GOOD}}, 0, false, false},
    {NAME "dangling.example", {{ns_t_cname, "nowhere.example"}}, 0, false, false},
    {NAME "ring.example", {{ns_t_cname, NAME "ring.example"}}, 0, false, false},
    {NAME "failing.example", {{0}}, ns_r_servfail, false, false},
    {NAME "refusing.example", {{0}}, ns_r_refused, false, false},
    {NAME "silent.example", {{0}}, 0, true, false},
    {NAME "garbage.example", {{0}}, 0, false, true},
};

static const struct {
    const char *identifier, *problem, *detail; /* NULL: valid */
} cases[] = {
    {"good.example", NULL, NULL},
    {"GOOD.example", NULL, NULL},
    {"several.example", NULL, NULL},
    {"alias.example", NULL, NULL},
    {"both.example", NULL, NULL},
    {"wrong.example", "unauthorized",
     "Incorrect TXT record \"wrong [2Jvalue\" found at " NAME "wrong.example"},
    {"wrongs.example", "unauthorized", "Incorrect TXT record \"one\" (and 2 more) found at"},
    {"blank.example", "unauthorized", "Incorrect TXT record"},
    {"long.example", "unauthorized", "Incorrect TXT record \"xxxxx"},
    {"none.example", "unauthorized", "No TXT record found at " NAME "none.example"},
    {"address.example", "unauthorized", "No TXT record found at"},
    {"missing.example", "dns", "DNS problem: NXDOMAIN looking up TXT for " NAME "missing.example"},
    {"dangling.example", "dns", "NXDOMAIN looking up TXT for nowhere.example"},
    {"ring.example", "dns", "too many CNAMEs"},
    {"failing.example", "dns", "SERVFAIL looking up TXT"},
    {"refusing.example", "dns", "looking up TXT"},
    {"silent.example", "dns", "timed out looking up TXT"},
    {"garbage.example", "dns", "looking up TXT"},
};
#define CASES (sizeof cases / sizeof cases[0])

static void texts_are_compared(void)
{
    memset(long_text, 'x', sizeof long_text - 1);
    struct dns_server *server = dns_server_start(texts, sizeof texts / sizeof texts[0]);
    struct watcher *watcher = watcher_start(
        &(struct validator_options){.dns_server = server->address, .timeout_ms = 1000});
    for (uint64_t i = 0; i < CASES; i++)
        watcher_submit(watcher, &(struct validation){.id = i,
                                                     .method = VALIDATE_DNS_01,
                                                     .identifier = cases[i].identifier});
    watcher_wait(watcher, CASES);
    for (size_t i = 0; i < CASES; i++) {
        const struct outcome *outcome = &watcher->outcomes[i];
        CHECK_TEXT(outcome->url, "");
        if (cases[i].problem == NULL)
            outcome_is_valid(outcome);
        else
            outcome_is(outcome, cases[i].problem, cases[i].detail);
    }
    outcome_is(watcher_ask(watcher, &(struct validation){.method = VALIDATE_DNS_01,
                                                         .identifier = "192.0.2.1",
                                                         .is_address = true}),
               "dns", "no TXT record for 192.0.2.1");
    outcome_is(watcher_ask(watcher, &(struct validation){.method = VALIDATE_DNS_01,
                                                         .identifier = "good.example",
                                                         .key_authorization = "token.other"}),
               "unauthorized", "Incorrect TXT record \"" GOOD "\"");
    watcher_stop(watcher);
    dns_server_stop(server);
}

static void a_thousand_at_once(void)
{
    struct dns_server *server = dns_server_start(texts, sizeof texts / sizeof texts[0]);
    struct watcher *watcher =
        watcher_start(&(struct validator_options){.dns_server = server->address});
    for (uint64_t i = 0; i < OUTCOMES_MAX; i++)
        watcher_submit(
            watcher, &(struct validation){.id = i,
                                          .method = VALIDATE_DNS_01,
                                          .identifier = i % 2 ? "alias.example" : "none.example"});
    watcher_wait(watcher, OUTCOMES_MAX);
    for (size_t i = 0; i < OUTCOMES_MAX; i++) {
        CHECK_INT(watcher->outcomes[i].times, 1);
        if (i % 2 == 1)
            outcome_is_valid(&watcher->outcomes[i]);
        else
            outcome_is(&watcher->outcomes[i], "unauthorized", "No TXT record");
    }
    watcher_stop(watcher);
    dns_server_stop(server);
}

static void hosts_are_looked_up(void)
{
    static const struct route routes[] = {
        {PATH "token", "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n" KEY_AUTH, THEN_KEEP, 0},
        {PATH "moved",
         "HTTP/1.1 302 Found\r\nLocation: http://four.example" PATH
         "token\r\nContent-Length: 0\r\n\r\n",
         THEN_KEEP, 0},
        {PATH "lost",
         "HTTP/1.1 302 Found\r\nLocation: http://missing.example/\r\nContent-Length: 0\r\n\r\n",
         THEN_KEEP, 0},
    };
    static const struct dns_entry hosts[] = {
        {"four.example", {{ns_t_a, "127.0.0.1"}}, 0, false, false},
        {"both.example", {{ns_t_a, "127.0.0.1"}, {ns_t_aaaa, "::1"}}, 0, false, false},
        {"two.example", {{ns_t_a, "127.0.0.2"}, {ns_t_a, "127.0.0.1"}}, 0, false, false},
        {"away.example", {{ns_t_a, "127.0.0.2"}}, 0, false, false},
        {"none.example", {{ns_t_txt, "text"}}, 0, false, false},
        {"silent.example", {{0}}, 0, true, false},
    };
    struct server *server = server_start(routes, 3, NULL);
    struct dns_server *dns = dns_server_start(hosts, sizeof hosts / sizeof hosts[0]);
    struct watcher *watcher = watcher_start(&(struct validator_options){
        .http_port = server->port, .dns_server = dns->address, .timeout_ms = 1000});
    static const struct {
        const char *identifier, *token, *problem, *detail;
    } asked[] = {
        {"four.example", "token", NULL, NULL},
        {"both.example", "token", NULL, NULL}, /* nobody listens at ::1 */
        {"two.example", "token", NULL, NULL},
        {"four.example", "moved", NULL, NULL},
        {"away.example", "token", "connection", "127.0.0.2: Fetching http://away.example:"},
        {"missing.example", "token", "dns", "NXDOMAIN looking up A for missing.example"},
        {"four.example", "lost", "dns", "NXDOMAIN looking up A for missing.example"},
        {"none.example", "token", "dns", "looking up A for none.example"},
        {"silent.example", "token", "dns", "timed out looking up A for silent.example"},
    };
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        const struct outcome *outcome =
            watcher_ask(watcher, &(struct validation){.identifier = asked[i].identifier,
                                                      .token = asked[i].token});
        if (asked[i].problem == NULL)
            outcome_is_valid(outcome);
        else
            outcome_is(outcome, asked[i].problem, asked[i].detail);
    }
    watcher_stop(watcher);
    dns_server_stop(dns);
    server_stop(server);
}

static void the_end_comes_first(void)
{
    struct dns_server *server = dns_server_start(texts, sizeof texts / sizeof texts[0]);
    struct watcher *watcher =
        watcher_start(&(struct validator_options){.dns_server = server->address});
    for (uint64_t i = 0; i < 20; i++)
        watcher_submit(watcher,
                       &(struct validation){.id = i,
                                            .method = i % 2 ? VALIDATE_DNS_01 : VALIDATE_HTTP_01,
                                            .identifier = "silent.example"});
    while (atomic_load(&server->questions) == 0)
        sched_yield();
    watcher_stop(watcher);
    dns_server_stop(server);
}

static const struct test tests[] = {
    TEST(texts_are_compared),
    TEST(a_thousand_at_once),
    TEST(hosts_are_looked_up),
    TEST(the_end_comes_first),
};

TESTS_MAIN(tests)
