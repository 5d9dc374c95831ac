/* engine/config/manifest: solvers.dns-01.route53. What is refused is in tests/vectors/config. */
#include "check.h"
#include "scratch.h"

#include "config/manifest.h"
#include "io/file.h"

struct reading {
    struct scratch scratch;
    struct manifest manifest;
    struct accounts accounts;
    struct diagnostics diagnostics;
};

static const struct manifest_solvers *reading_make(struct reading *reading, const char *dns_01)
{
    char text[1024];
    struct error error;
    int len = snprintf(text, sizeof text,
                       "version: 1\nsolvers:\n  dns-01: %s\ncertificates:\n"
                       "  - {domains: a.test, challenge: dns-01}\n",
                       dns_01);
    CHECK(len > 0 && (size_t)len < sizeof text);
    scratch_make(&reading->scratch);
    diagnostics_init(&reading->diagnostics);
    const char *path = scratch_path(&reading->scratch, "fleet.yaml");
    CHECK_OK(file_write(path, span_of(text), 0600, &error), error);
    struct manifest_options options = {.file = path};
    CHECK_OK(manifest_read(&options, &reading->manifest, &reading->accounts, &reading->diagnostics,
                           &error),
             error);
    for (size_t i = 0; i < reading->diagnostics.count; i++)
        fprintf(stderr, "%s\n", reading->diagnostics.items[i].text);
    CHECK_INT(reading->diagnostics.errors, 0);
    return &reading->manifest.solvers;
}

static void reading_free(struct reading *reading)
{
    manifest_free(&reading->manifest);
    accounts_free(&reading->accounts);
    diagnostics_free(&reading->diagnostics);
    scratch_remove(&reading->scratch);
}

static void all_of_it_is_read(void)
{
    struct reading reading;
    const struct manifest_solvers *solvers =
        reading_make(&reading, "{route53: {profile: dns, resolver: \"127.0.0.1:5353\", zones: ["
                               "{name: Example.COM., id: /hostedzone/Z123, profile: other},"
                               "{name: \"b\\u00fccher.example\"}]}, timeout-seconds: 7}");
    CHECK(solvers->route53.given && solvers->dns_hook == NULL);
    CHECK_TEXT(solvers->route53.profile, "dns");
    CHECK_TEXT(solvers->route53.resolver, "127.0.0.1:5353");
    CHECK_INT(solvers->dns_propagation_s, 0);
    CHECK_INT(solvers->dns_timeout_s, 7);
    const struct route53_zone *zone = solvers->route53.zones;
    CHECK_TEXT(zone->name, "xn--bcher-kva.example");
    CHECK(zone->id == NULL && zone->profile == NULL);
    zone = zone->next;
    CHECK_TEXT(zone->name, "example.com");
    CHECK_TEXT(zone->id, "Z123");
    CHECK_TEXT(zone->profile, "other");
    CHECK(zone->next == NULL);
    reading_free(&reading);
}

static void nothing_of_it_is_needed(void)
{
    struct reading reading;
    const struct manifest_solvers *solvers =
        reading_make(&reading, "{propagation-seconds: 3, route53: {}}");
    CHECK(solvers->route53.given && solvers->route53.profile == NULL);
    CHECK(solvers->route53.zones == NULL && solvers->route53.resolver == NULL);
    CHECK_INT(solvers->dns_propagation_s, 3);
    reading_free(&reading);
}

static void hook_keeps_its_wait(void)
{
    struct reading reading;
    const struct manifest_solvers *solvers = reading_make(&reading, "{hook: /bin/true}");
    CHECK(!solvers->route53.given);
    CHECK_INT(solvers->dns_propagation_s, 10);
    reading_free(&reading);
}

static const struct test tests[] = {
    TEST(all_of_it_is_read),
    TEST(nothing_of_it_is_needed),
    TEST(hook_keeps_its_wait),
};
TESTS_MAIN(tests)
