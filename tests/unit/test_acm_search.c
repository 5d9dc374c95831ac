/* engine/aws/acm_search: certificates in ACM found by their names. */
#include "acm_server.h"

#include "aws/acm_search.h"

static struct fake_acm acm;
static struct aws_profiles *profiles;
static char endpoint[64];

static const char *env_get(void *context, const char *name)
{
    (void)context;
    if (strcmp(name, "AWS_ENDPOINT_URL") == 0)
        return endpoint;
    if (strcmp(name, "AWS_ACCESS_KEY_ID") == 0)
        return "AKIA111111111111";
    if (strcmp(name, "AWS_SECRET_ACCESS_KEY") == 0)
        return "secret";
    if (strcmp(name, "AWS_CONFIG_FILE") == 0 || strcmp(name, "AWS_SHARED_CREDENTIALS_FILE") == 0)
        return "/nonexistent";
    return strcmp(name, "AWS_EC2_METADATA_DISABLED") == 0 ? "true" : NULL;
}

/* What was found, one line each, in the order in which it came. */
static char lines[4096];
static size_t most;

static void line_add(const char *text)
{
    strncat(lines, text, sizeof lines - strlen(lines) - 1);
}

static bool on_found(void *context, const struct acm_found *found)
{
    char line[600];
    CHECK(context == &acm);
    snprintf(line, sizeof line, "%zu in %zu: %.64s %s %s%s\n", found->wanted, found->place,
             found->detail->summary.arn + strlen("arn:aws:acm:"), found->detail->summary.type,
             found->detail->serial, found->detail->summary.in_use ? " used" : "");
    line_add(line);
    return --most > 0;
}

static void on_failed(void *context, size_t place, const struct error *error)
{
    char line[600];
    CHECK(context == &acm);
    snprintf(line, sizeof line, "%zu failed: %s\n", place,
             strstr(error->text, "acm:ListCertificates") != NULL ? "list" : error->text);
    line_add(line);
}

static struct fake_held *put(const char *region, const char *names, const char *serial)
{
    struct fake_held *held = fake_new(&acm, "111111111111", region);
    snprintf(held->names, sizeof held->names, "%s", names);
    snprintf(held->serial, sizeof held->serial, "%s", serial);
    return held;
}

static const char *const both[] = {"b.example", "A.example"};
static const char *const single[] = {"c.example"};
static const struct acm_wanted wanted[] = {{both, 2}, {single, 1}};
static const struct acm_place places[] = {{.region = "us-east-1"}, {.region = "eu-west-1"}};

static void search(void)
{
    struct aws_client_options client = {.profiles = profiles, .user_agent = "test", .attempts = 1};
    struct acm_search options = {.client = &client,
                                 .wanted = wanted,
                                 .wanted_count = 2,
                                 .places = places,
                                 .place_count = 2,
                                 .cancel_fd = -1,
                                 .found = on_found,
                                 .failed = on_failed,
                                 .context = &acm};
    struct error error;
    lines[0] = '\0';
    CHECK_OK(acm_search_run(&options, &error), error);
}

static void names_are_found_in_every_place(void)
{
    put("us-east-1", "\"a.example\",\"b.example\"", "0a:01");
    put("us-east-1", "\"a.example\"", "0a:02");
    put("eu-west-1", "\"c.example\"", "0a:03");
    struct fake_held *used = put("us-east-1", "\"B.EXAMPLE\",\"a.example\"", "0a:04");
    snprintf(used->in_use_by, sizeof used->in_use_by, "\"arn:aws:elb:x\"");
    snprintf(used->type, sizeof used->type, "AMAZON_ISSUED");
    search();
    CHECK_TEXT(lines, "0 in 0: us-east-1:111111111111:certificate/00000001 IMPORTED 0a01\n"
                      "0 in 0: us-east-1:111111111111:certificate/00000004 AMAZON_ISSUED 0a04 "
                      "used\n"
                      "1 in 1: eu-west-1:111111111111:certificate/00000003 IMPORTED 0a03\n");
    CHECK_INT(acm.describes, 3);
}

static void names_that_the_list_leaves_out_are_asked_for(void)
{
    struct fake_held *cut = put("us-east-1", "\"a.example\",\"b.example\"", "0a:01");
    cut->cut_names = true;
    put("us-east-1", "\"a.example\",\"x.example\"", "0a:02")->cut_names = true;
    search();
    CHECK_TEXT(lines, "0 in 0: us-east-1:111111111111:certificate/00000001 IMPORTED 0a01\n");
    CHECK_INT(acm.describes, 2);
}

static void place_that_fails_stops_no_other(void)
{
    put("eu-west-1", "\"c.example\"", "0a:03");
    fake_fail(&acm, "ListCertificates", FAKE_DENY, 0, 1);
    search();
    CHECK_TEXT(lines, "0 failed: list\n"
                      "1 in 1: eu-west-1:111111111111:certificate/00000001 IMPORTED 0a03\n");
}

static void search_ends_when_enough_was_found(void)
{
    put("us-east-1", "\"a.example\",\"b.example\"", "0a:01");
    put("us-east-1", "\"a.example\",\"b.example\"", "0a:02");
    most = 1;
    search();
    CHECK_TEXT(lines, "0 in 0: us-east-1:111111111111:certificate/00000001 IMPORTED 0a01\n");
    CHECK_INT(acm.describes, 1);
}

static const struct test tests[] = {
    TEST(names_are_found_in_every_place),
    TEST(names_that_the_list_leaves_out_are_asked_for),
    TEST(place_that_fails_stops_no_other),
    TEST(search_ends_when_enough_was_found),
};

static void before(void *context)
{
    struct error error;
    (void)context;
    alarm(30);
    fake_start(&acm, 1790000000);
    most = 99;
    snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%d", acm.server->port);
    CHECK_OK(aws_profiles_new(&(struct aws_environment){.get = env_get}, &profiles, &error), error);
}

static void after(void *context)
{
    (void)context;
    aws_profiles_free(profiles);
    fake_stop(&acm);
}

int main(int argc, char **argv)
{
    return tests_run_around(tests, sizeof tests / sizeof tests[0], argc, argv, before, after, NULL);
}
