/* bench/ca/weather: a document is taken or refused with words fit to show; one that is taken holds,
 * is written as it was read, and no fate or limit goes out of its bounds. */
#include "fuzz.h"

#include "ca/weather.h"

#include <string.h>

#define DOCUMENT_MAX ((size_t)64 * 1024)
#define NOW_US       INT64_C(1800000000000000)
#define DAYS_30_US   (INT64_C(30) * 86400 * 1000000)

void fuzz_prepare(void)
{
}

static void fates_are_sound(struct weather *weather)
{
    for (unsigned i = 0; i < 2 * CA_ENDPOINTS; i++) {
        const struct weather_question question = {
            .endpoint = (enum ca_endpoint)(i % CA_ENDPOINTS), .address = "::1", .now_us = NOW_US};
        struct fate fate;
        weather_ask(weather, &question, &fate);
        REQUIRE(fate.delay_us >= 0 && fate.delay_us <= DAYS_30_US);
        REQUIRE(fate.mood.processing_us >= 0 && fate.mood.processing_us <= DAYS_30_US);
        REQUIRE(fate.mood.validation_us >= 0 && fate.mood.validation_us <= DAYS_30_US);
        REQUIRE(!fate.answered || (fate.status >= 429 && fate.problem != NULL));
        REQUIRE(memchr(fate.retry_after, '\0', sizeof fate.retry_after) != NULL);
        REQUIRE(fate.mood.retry_after == NULL || fate.mood.retry_after[0] != '\0');
    }
}

static void orders_are_asked(struct weather *weather)
{
    const char *names[] = {"www.example.co.uk", "*.example.com"};
    const struct acme_wish wish = {.account = 1, .names = names, .name_count = 2, .now_us = NOW_US};
    for (int i = 0; i < 4; i++) {
        struct acme_refusal refusal = {0};
        if (!weather_may_order(weather, &wish, &refusal))
            fuzz_require_line(refusal.detail);
    }
}

void fuzz_input(struct span input)
{
    CLEANUP(json_release) json_t *document = NULL;
    struct weather *weather = NULL;
    struct error error = {0};
    if (!json_parse(input, DOCUMENT_MAX, &document, &error))
        return;
    REQUIRE(weather_new(1, &weather, &error));
    if (!weather_read(weather, document, &error)) {
        fuzz_require_error(&error);
    } else {
        CLEANUP(json_release) json_t *written = weather_write(weather);
        REQUIRE(written != NULL && weather_read(weather, written, &error));
        CLEANUP(json_release) json_t *again = weather_write(weather);
        REQUIRE(json_equal(written, again));
    }
    fates_are_sound(weather);
    orders_are_asked(weather);
    weather_free(weather);
}
