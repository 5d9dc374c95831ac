/* engine/report: `certmill list` and `certmill status NAME`. */
#include "check.h"
#include "live_files.h"
#include "scratch.h"
#include "state_changes.h"

#include "base/clock.h"
#include "base/json.h"
#include "report/list.h"
#include "report/near_names.h"
#include "report/output.h"

#define DAY ((int64_t)SECONDS_PER_DAY)
#define NOW ((int64_t)1800000000) /* 2027-01-15T08:00:00Z */

struct place {
    struct scratch scratch;
    struct state *state;
    bool wants_deploy;
};

static struct state_change issued(const char *name, int64_t not_after)
{
    return (struct state_change){
        .kind = STATE_ISSUED,
        .certificate = {.name = name,
                        .digest = 11,
                        .sequence = 4,
                        .not_before = NOW - 10 * DAY,
                        .not_after = not_after,
                        .issued_at = NOW - 10 * DAY,
                        .serial = "2a",
                        .issuer = "Test CA",
                        .key = "ECDSA-P256",
                        .account = "demo",
                        .directory = "https://ca.test/dir",
                        .names = "a.test,b.test"},
    };
}

static void place_make(struct place *place)
{
    *place = (struct place){0};
    scratch_make(&place->scratch);
    place->state = state_started(place->scratch.path);
}

/* www is fine, old has expired, mail fails, api waits for the CA. */
static void place_fill(struct place *place)
{
    place_make(place);
    state_put_ok(place->state, issued("www", NOW + 80 * DAY));
    state_put_ok(place->state, issued("old", NOW - 3 * DAY));
    state_put_ok(place->state, issued("mail", NOW + 5 * DAY));
    state_put_ok(place->state, (struct state_change){
                                   .kind = STATE_FAILED,
                                   .certificate = {.name = "mail",
                                                   .attempted_at = NOW - 60,
                                                   .last_error = "CAA record\x1b[31m forbids"}});
    state_put_ok(place->state, (struct state_change){.kind = STATE_ORDER_PLACED,
                                                     .order = {.name = "api",
                                                               .digest = 3,
                                                               .sequence = 1,
                                                               .account = "demo",
                                                               .directory = "https://ca.test/dir",
                                                               .url = "https://ca.test/order/9",
                                                               .placed_at = NOW - DAY}});
    state_put_ok(place->state,
                 (struct state_change){.kind = STATE_PENDING,
                                       .certificate = {.name = "api", .attempted_at = NOW - 60}});
}

static void place_free(struct place *place)
{
    state_close(place->state);
    scratch_remove(&place->scratch);
}

static char *list_text(const struct place *place, const char *glob, bool json)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    struct error error;
    struct list_options options = {.glob = glob, .now = NOW, .json = json};
    CHECK_OK(list_print(out, place->state, &options, &error), error);
    CHECK(fclose(out) == 0);
    return text;
}

static bool status_try(const struct place *place, const char *name, bool json, char **ret_text,
                       struct error *error)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    struct status_options options = {.state_folder = place->scratch.path,
                                     .name = name,
                                     .now = NOW,
                                     .json = json,
                                     .wants_deploy = place->wants_deploy};
    bool ok = status_print(out, place->state, &options, error);
    CHECK(fclose(out) == 0);
    if (ok)
        *ret_text = text;
    else
        free(text);
    return ok;
}

static char *status_text(const struct place *place, const char *name)
{
    char *text = NULL;
    struct error error;
    CHECK_OK(status_try(place, name, false, &text, &error), error);
    return text;
}

static json_t *status_json(const struct place *place, const char *name)
{
    char *text = NULL;
    struct error error;
    CHECK_OK(status_try(place, name, true, &text, &error), error);
    json_t *json = NULL;
    CHECK_OK(json_parse(span_of(text), 1 << 16, &json, &error), error);
    free(text);
    return json;
}

static void put_live(const struct place *place, const char *name, unsigned sequence,
                     int64_t not_after, unsigned serial)
{
    live_sample_put(place->scratch.path, name, sequence,
                    &(struct live_sample){.not_before = NOW - 10 * DAY,
                                          .not_after = not_after,
                                          .names = "DNS:a.test,DNS:b.test",
                                          .key = {KEY_ECDSA, 256},
                                          .serial = serial});
}

static void cells_have_their_width(void)
{
    static const struct {
        const char *text;
        size_t width;
        const char *cell;
    } cases[] = {
        {"abc", 5, "abc  "},
        {"abcdefgh", 8, "abcdefgh"},
        {"abcdefghi", 8, "abcde..."},
        {"gr\xc3\xbc\xc3\x9f"
         "e aus K",
         7, "gr\xc3\xbc\xc3\x9f..."},
        {"a\nb\x1b", 4, "a?b?"},
        {"", 2, "  "},
        {"abcdef", 2, "ab"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);
        output_cell(out, cases[i].text, cases[i].width);
        CHECK(fclose(out) == 0);
        CHECK_TEXT(text, cases[i].cell);
        CHECK_INT(output_width(text), cases[i].width);
        free(text);
    }
    char date[OUTPUT_DATE_MAX];
    CHECK_TEXT(output_date(NOW + 8 * DAY, NOW, date), "2027-01-23 (8 d)");
    CHECK_TEXT(output_date(NOW - 3 * DAY, NOW, date), "2027-01-12 (3 d ago)");
    CHECK_TEXT(output_date(NOW + 7200, NOW, date), "2027-01-15 (2 h)");
    CHECK_TEXT(output_date(0, NOW, date), "-");
}

static void certificates_are_listed(void)
{
    struct place place;
    place_fill(&place);
    char *text = list_text(&place, NULL, false);
    CHECK_TEXT(
        text,
        "NAME  STATUS   EXPIRES               KEY         ISSUER   ACCOUNT  LAST ERROR\n"
        "api   pending  -                     -           -        -        -\n"
        "mail  failed   2027-01-20 (5 d)      ECDSA-P256  Test CA  demo     CAA record?[31m "
        "forbids\n"
        "old   issued   2027-01-12 (3 d ago)  ECDSA-P256  Test CA  demo     -\n"
        "www   issued   2027-04-05 (80 d)     ECDSA-P256  Test CA  demo     -\n"
        "\n"
        "4 certificates: 2 issued, 1 failed, 1 pending; 1 expired; 1 expires within 7 days\n");
    free(text);
    text = list_text(&place, "*w*", false);
    CHECK_CONTAINS(text, "www ");
    CHECK_CONTAINS(text, "\n1 certificate: 1 issued\n");
    CHECK(strstr(text, "mail") == NULL);
    free(text);
    text = list_text(&place, "x*", false);
    CHECK_TEXT(text, "no certificate has such a name\n");
    free(text);
    place_free(&place);
    place_make(&place);
    text = list_text(&place, NULL, false);
    CHECK_TEXT(text, "no certificates yet\n");
    free(text);
    text = list_text(&place, NULL, true);
    CHECK_TEXT(text, "[]\n");
    free(text);
    place_free(&place);
}

static void programs_get_an_array(void)
{
    struct place place;
    place_fill(&place);
    /* An issuer in Latin-1 must not break the JSON. */
    struct state_change latin = issued("latin", NOW + DAY);
    latin.certificate.issuer = "M\xfcller";
    state_put_ok(place.state, latin);
    char *text = list_text(&place, NULL, true);
    json_t *json = NULL;
    struct error error;
    CHECK_OK(json_parse(span_of(text), 1 << 16, &json, &error), error);
    free(text);
    CHECK_INT(json_array_size(json), 5);
    const json_t *api = json_array_get(json, 0);
    CHECK_TEXT(json_text(api, "name", 99), "api");
    CHECK_TEXT(json_text(api, "status", 99), "pending");
    CHECK(json_is_null(json_object_get(api, "not_after")));
    CHECK(json_is_null(json_object_get(api, "seconds_left")));
    CHECK_INT(json_array_size(json_object_get(api, "names")), 0);
    CHECK_TEXT(json_text(json_array_get(json, 1), "issuer", 99), "M?ller");
    const json_t *mail = json_array_get(json, 2);
    CHECK_TEXT(json_text(mail, "last_error", 99), "CAA record\x1b[31m forbids");
    CHECK_INT(json_number(mail, "failures", -1), 1);
    CHECK_TEXT(json_text(mail, "not_after", 99), "2027-01-20T08:00:00Z");
    CHECK_INT(json_number(mail, "seconds_left", -1), 5 * DAY);
    const json_t *names = json_list(mail, "names", 9);
    CHECK_INT(json_array_size(names), 2);
    CHECK_TEXT(json_string_value(json_array_get(names, 1)), "b.test");
    json_decref(json);
    text = list_text(&place, "ww?", true);
    CHECK_OK(json_parse(span_of(text), 1 << 16, &json, &error), error);
    free(text);
    CHECK_INT(json_array_size(json), 1);
    json_decref(json);
    FILE *full = fopen("/dev/full", "we");
    CHECK(full != NULL);
    CHECK(!list_print(full, place.state, &(struct list_options){.now = NOW}, &error));
    CHECK(!list_print(full, place.state, &(struct list_options){.now = NOW, .json = true}, &error));
    CHECK_CONTAINS(error.text, "writing the output");
    (void)fclose(full);
    place_free(&place);
}

static void status_tells_all(void)
{
    struct place place;
    place_fill(&place);
    put_live(&place, "www", 4, NOW + 80 * DAY, 0x2a);
    char *text = status_text(&place, "www");
    CHECK_CONTAINS(text, "Status:       issued\n");
    CHECK_CONTAINS(text, "Expires:      2027-04-05T08:00:00Z (80 d)\n");
    CHECK_CONTAINS(text, "Names:        a.test,b.test\n");
    CHECK_CONTAINS(text, "Serial:       2a\n");
    CHECK_CONTAINS(text, "Live files:   are what the state describes\n");
    CHECK_CONTAINS(text, "/live/www/{privkey,cert,chain,fullchain}.pem (number 4)\n");
    CHECK_CONTAINS(text, "Next:         nothing to do now");
    CHECK(strstr(text, "Open order") == NULL);
    free(text);
    text = status_text(&place, "mail");
    CHECK_CONTAINS(text, "Failures:     1 in a row\n");
    CHECK_CONTAINS(text, "Last error:   CAA record?[31m forbids\n");
    CHECK_CONTAINS(text, "are missing, though the state describes a certificate");
    CHECK_CONTAINS(text, "mend what the last error names");
    free(text);
    text = status_text(&place, "api");
    CHECK_CONTAINS(text, "Open order:   https://ca.test/order/9\n");
    CHECK_CONTAINS(text, "  placed:     2027-01-14T08:00:00Z (24 h ago)\n");
    CHECK_CONTAINS(text, "Live files:   there are none yet\n");
    CHECK_CONTAINS(text, "goes on with the open order");
    free(text);
    place_free(&place);
}

static void status_names_an_open_deploy(void)
{
    struct place place;
    place_fill(&place);
    put_live(&place, "www", 4, NOW + 80 * DAY, 0x2a);
    place.wants_deploy = true;
    char *text = status_text(&place, "www");
    CHECK_CONTAINS(text, "Deployed:     not yet\n");
    CHECK_CONTAINS(text,
                   "Next:         certmill run MANIFEST --only 'www' runs its deploy hooks\n");
    free(text);
    struct state_change deployed = {.kind = STATE_DEPLOYED,
                                    .certificate = {.name = "www", .deployed_sequence = 4}};
    state_put_ok(place.state, deployed);
    text = status_text(&place, "www");
    CHECK_CONTAINS(text, "Deployed:     number 4\n");
    CHECK_CONTAINS(text, "Next:         nothing to do now");
    free(text);
    place_free(&place);
}

static void dates_say_how_far_they_are(void)
{
    static const struct {
        int64_t away;
        const char *text;
    } rows[] = {
        {0, "2027-01-15 (0 min ago)"},
        {-59, "2027-01-15 (0 min ago)"},
        {7199, "2027-01-15 (119 min)"},
        {7200, "2027-01-15 (2 h)"},
        {-7200, "2027-01-15 (2 h ago)"},
        {(int64_t)48 * 3600 - 1, "2027-01-17 (47 h)"},
        {(int64_t)48 * 3600, "2027-01-17 (2 d)"},
        {-90 * DAY, "2026-10-17 (90 d ago)"},
    };
    char text[OUTPUT_DATE_MAX];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        CHECK_TEXT(output_date(NOW + rows[i].away, NOW, text), rows[i].text);
    CHECK_TEXT(output_date(0, NOW, text), "-");
}

static void live_is(const struct place *place, const char *name, const char *expected)
{
    json_t *json = status_json(place, name);
    CHECK_TEXT(json_text(json_object_get(json, "live"), "state", 99), expected);
    json_decref(json);
}

static void live_files_are_compared(void)
{
    struct place place;
    place_fill(&place);
    live_is(&place, "www", "missing");
    live_is(&place, "api", "none");
    put_live(&place, "www", 4, NOW + 80 * DAY, 0x2a);
    live_is(&place, "www", "matches");
    put_live(&place, "www", 4, NOW + 80 * DAY, 0x2b);
    live_is(&place, "www", "differs");
    put_live(&place, "www", 4, NOW + 81 * DAY, 0x2a);
    live_is(&place, "www", "differs");
    put_live(&place, "www", 5, NOW + 80 * DAY, 0x2a);
    live_is(&place, "www", "differs");
    live_file_put(place.scratch.path, "www", 4, "no PEM");
    live_is(&place, "www", "unreadable");
    CHECK(unlink(scratch_path(&place.scratch, "archive/www/4/cert.pem")) == 0);
    live_is(&place, "www", "unreadable");
    put_live(&place, "old", 4, NOW - 3 * DAY, 0x2a);
    char *text = status_text(&place, "old");
    CHECK_CONTAINS(text, "Next:         it has expired");
    free(text);
    put_live(&place, "lost", 2, NOW + 80 * DAY, 0x77);
    text = status_text(&place, "lost");
    CHECK_CONTAINS(text, "Status:       not in the state\n");
    CHECK_CONTAINS(text, "Live files:   are not noted in the state\n");
    CHECK_CONTAINS(text, "  serial:     77\n");
    free(text);
    json_t *json = status_json(&place, "lost");
    CHECK(json_is_false(json_object_get(json, "noted")));
    const json_t *live = json_object_get(json, "live");
    CHECK_TEXT(json_text(live, "state", 99), "unnoted");
    CHECK_TEXT(json_text(live, "serial", 99), "77");
    CHECK_TEXT(json_text(live, "not_after", 99), "2027-04-05T08:00:00Z");
    const char *path = json_text(json_object_get(live, "files"), "privkey", 999);
    CHECK(path != NULL);
    CHECK_CONTAINS(path, "/live/lost/privkey.pem");
    json_decref(json);
    json = status_json(&place, "api");
    CHECK_TEXT(json_text(json_object_get(json, "order"), "url", 99), "https://ca.test/order/9");
    CHECK_INT(json_number(json_object_get(json, "order"), "sequence", -1), 1);
    CHECK(json_text(json, "next", 999) != NULL);
    json_decref(json);
    /* The state is gone, the files are not. */
    state_close(place.state);
    place.state = NULL;
    live_is(&place, "old", "unnoted");
    place_free(&place);
}

static void expect_unknown(const struct place *place, const char *name, const char *message)
{
    struct error error;
    char *text;
    CHECK(!status_try(place, name, false, &text, &error));
    CHECK_INT(error.kind, ERROR_NOT_FOUND);
    CHECK_TEXT(error.text, message);
}

static void unknown_names_get_suggestions(void)
{
    struct place place;
    place_fill(&place);
    expect_unknown(&place, "wwww", "there is no certificate wwww; did you mean www?");
    expect_unknown(&place, "mial", "there is no certificate mial; did you mean mail?");
    expect_unknown(&place, "zzzzzzzz", "there is no certificate zzzzzzzz");
    expect_unknown(&place, "", "there is no certificate ");
    put_live(&place, "www", 4, NOW + 80 * DAY, 0x2a);
    expect_unknown(&place, "../live/www",
                   "there is no certificate ../live/www; did you mean "
                   "www?");
    state_close(place.state);
    place.state = NULL;
    char *text;
    struct error error;
    CHECK(!status_try(&place, "wwww", false, &text, &error));
    CHECK_CONTAINS(error.text, "there is no certificate wwww: no run has used the state folder ");
    place_free(&place);
}

static void the_nearest_names_win(void)
{
    static const char *const names[] = {"web-07", "web-10", "web-1",   "mail",
                                        "web-01", "web-12", "xweb-11x"};
    struct near_names near;
    near_names_init(&near, "web-11");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        near_names_offer(&near, names[i]);
    CHECK_INT(near.count, 3);
    CHECK_TEXT(near.found[0].name, "web-10");
    CHECK_TEXT(near.found[1].name, "web-1");
    CHECK_TEXT(near.found[2].name, "web-01");
    static char longer[1000];
    memset(longer, 'w', sizeof longer - 1);
    near_names_offer(&near, longer);
    near_names_init(&near, longer);
    near_names_offer(&near, longer);
    CHECK_INT(near.count, 0);
}

static const struct test tests[] = {
    TEST(status_names_an_open_deploy), TEST(dates_say_how_far_they_are),
    TEST(cells_have_their_width),      TEST(certificates_are_listed),
    TEST(programs_get_an_array),       TEST(status_tells_all),
    TEST(live_files_are_compared),     TEST(unknown_names_get_suggestions),
    TEST(the_nearest_names_win),
};

TESTS_MAIN(tests)
