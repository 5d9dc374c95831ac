/* io/base/json: what is read can be written, and is then the same; the getters keep their
 * ceilings. */
#include "fuzz.h"

#include "base/json.h"

#include <string.h>

#define BODY_MAX ((size_t)64 * 1024)

void fuzz_prepare(void)
{
}

static void getters_keep_ceilings(const json_t *json)
{
    static const char *const keys[] = {"status", "type", "url", "a", ""};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const char *text = json_text(json, keys[i], 16);
        REQUIRE(text == NULL || strlen(text) <= 16);
        const json_t *list = json_list(json, keys[i], 4);
        REQUIRE(list == NULL || json_array_size(list) <= 4);
        (void)json_flag(json, keys[i], false);
        (void)json_number(json, keys[i], 0);
    }
}

void fuzz_input(struct span input)
{
    CLEANUP(json_release) json_t *json = NULL;
    CLEANUP(json_release) json_t *again = NULL;
    struct buf text CLEANUP(buf_free);
    struct error error = {0};
    buf_init(&text, 8 * BODY_MAX);
    if (!json_parse(input, BODY_MAX, &json, &error)) {
        REQUIRE(json == NULL && error.kind != ERROR_NONE);
        return;
    }
    REQUIRE(json_is_object(json) || json_is_array(json));
    getters_keep_ceilings(json);
    REQUIRE(json_append(&text, json));
    REQUIRE(json_parse(buf_span(&text), text.limit, &again, &error));
    REQUIRE(json_equal(json, again));
}
