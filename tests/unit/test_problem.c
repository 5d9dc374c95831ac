/* engine/acme: problem documents, and what each type makes certmill do. */
#include "check.h"

#include "acme/problem.h"
#include "base/printable.h"

static struct problem read_problem(long status, const char *body)
{
    struct problem problem;
    problem_read(status, SPAN_LITERAL("application/problem+json"), span_of(body), &problem);
    return problem;
}

static void every_type_has_its_reaction(void)
{
    static const struct {
        const char *type;
        long status;
        enum reaction reaction;
        const char *advice_part;
    } rows[] = {
        {"accountDoesNotExist", 400, REACT_REGISTER, "register again"},
        {"alreadyReplaced", 409, REACT_RENEW_PLAIN, ""},
        {"alreadyRevoked", 400, REACT_GIVE_UP, "revoked already"},
        {"badCSR", 400, REACT_GIVE_UP, "key type"},
        {"badNonce", 400, REACT_FRESH_NONCE, "proxy"},
        {"badPublicKey", 400, REACT_GIVE_UP, "key type or size"},
        {"badRevocationReason", 400, REACT_GIVE_UP, "reason"},
        {"badSignatureAlgorithm", 400, REACT_CONFIGURATION, "account key"},
        {"caa", 403, REACT_GIVE_UP, "CAA record"},
        {"compound", 403, REACT_GIVE_UP, "each name"},
        {"connection", 400, REACT_GIVE_UP, "port 80"},
        {"dns", 400, REACT_GIVE_UP, "name servers"},
        {"externalAccountRequired", 401, REACT_CONFIGURATION, "eab-hmac-key"},
        {"incorrectResponse", 403, REACT_GIVE_UP, "another answer"},
        {"invalidContact", 400, REACT_CONFIGURATION, "email"},
        {"malformed", 400, REACT_GIVE_UP, "acme-endpoint"},
        {"orderNotReady", 403, REACT_POLL, "authorizations"},
        {"rateLimited", 429, REACT_WAIT, "limit"},
        {"rejectedIdentifier", 400, REACT_GIVE_UP, "name"},
        {"serverInternal", 500, REACT_BACK_OFF, "later"},
        {"tls", 400, REACT_GIVE_UP, "443"},
        {"unauthorized", 403, REACT_GIVE_UP, "EAB credentials and that it is active"},
        {"unsupportedContact", 400, REACT_CONFIGURATION, "email"},
        {"unsupportedIdentifier", 400, REACT_GIVE_UP, "wildcards"},
        {"userActionRequired", 403, REACT_CONFIGURATION, "terms of service"},
        {"somethingNew", 400, REACT_GIVE_UP, ""},
        {"somethingNew", 403, REACT_GIVE_UP, ""},
        {"somethingNew", 408, REACT_BACK_OFF, "later"},
        {"somethingNew", 429, REACT_WAIT, "requests-per-second"},
        {"somethingNew", 500, REACT_BACK_OFF, "later"},
        {"somethingNew", 503, REACT_BACK_OFF, "later"},
        {"somethingNew", 599, REACT_BACK_OFF, "later"},
        {"somethingNew", 600, REACT_GIVE_UP, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char body[256];
        snprintf(body, sizeof body,
                 "{\"type\":\"urn:ietf:params:acme:error:%s\",\"detail\":\"row %zu\"}",
                 rows[i].type, i);
        struct problem problem = read_problem(rows[i].status, body);
        CHECK_TEXT(problem.type, rows[i].type);
        CHECK_INT(problem.status, rows[i].status);
        if (problem.reaction != rows[i].reaction)
            fprintf(stderr, "%s\n", rows[i].type);
        CHECK_INT(problem.reaction, rows[i].reaction);
        CHECK_CONTAINS(problem_advice(&problem), rows[i].advice_part);
        CHECK_INT(problem_advice(&problem)[0] == '\0', rows[i].advice_part[0] == '\0');
    }
}

static void answers_without_a_document_are_described(void)
{
    static const struct {
        long status;
        const char *content_type, *body, *text;
        enum reaction reaction;
    } rows[] = {
        {502, "text/html", "<html>Bad gateway</html>", "HTTP 502 with text/html, 24 bytes",
         REACT_BACK_OFF},
        {503, "text/plain", "", "HTTP 503 without a body", REACT_BACK_OFF},
        {429, "", "slow down", "HTTP 429 with no content type, 9 bytes", REACT_WAIT},
        {403, "application/problem+json", "{\"type\":", "with application/problem+json, 8 bytes",
         REACT_GIVE_UP},
        {403, "application/json", "[]", "HTTP 403 with application/json, 2 bytes", REACT_GIVE_UP},
        {404, "application/json", "{}", "HTTP 404 with application/json, 2 bytes", REACT_GIVE_UP},
        {400, "application/json", "{\"type\":7,\"detail\":[1]}", "HTTP 400 with application/json",
         REACT_GIVE_UP},
        {400, "x\x1b[31m/y", "?", "HTTP 400 with x [31m/y, 1 bytes", REACT_GIVE_UP},
        {400, "application/problem+json", "{\"type\":\"a\",\"type\":\"b\"}",
         "HTTP 400 with application/problem+json", REACT_GIVE_UP},
        {400, "application/problem+json", "{\"detail\":\"\xff\xfe\"}",
         "HTTP 400 with application/problem+json", REACT_GIVE_UP},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct problem problem;
        problem_read(rows[i].status, span_of(rows[i].content_type), span_of(rows[i].body),
                     &problem);
        CHECK_TEXT(problem.type, "");
        CHECK_INT(problem.status, rows[i].status);
        CHECK_INT(problem.reaction, rows[i].reaction);
        CHECK_CONTAINS(problem.text, rows[i].text);
    }
}

static void words_of_the_ca_are_kept_with_each_name(void)
{
    struct problem problem = read_problem(
        403, "{\"type\":\"urn:ietf:params:acme:error:compound\",\"detail\":\"Two failed\","
             "\"subproblems\":[{\"type\":\"urn:ietf:params:acme:error:caa\",\"detail\":\"CAA "
             "forbids\",\"identifier\":{\"type\":\"dns\",\"value\":\"a.example\"}},"
             "{\"type\":\"urn:ietf:params:acme:error:dns\",\"identifier\":{\"value\":\"b.example\"}"
             "},7,{},{\"detail\":\"of no name\"}]}");
    CHECK_TEXT(problem.text, "Two failed; a.example: CAA forbids; b.example: "
                             "urn:ietf:params:acme:error:dns; of no name");
    problem = read_problem(400, "{\"type\":\"urn:ietf:params:acme:error:caa\"}");
    CHECK_TEXT(problem.text, "caa, no detail given");
    problem = read_problem(400, "{\"detail\":\"only words\"}");
    CHECK_TEXT(problem.text, "only words");
    CHECK_TEXT(problem.type, "");
    problem = read_problem(400, "{\"type\":\"about:blank\",\"title\":\"Bad Request\"}");
    CHECK_TEXT(problem.text, "Bad Request");
    CHECK_TEXT(problem.type, "");
    problem = read_problem(400, "{\"type\":\"https://ca.example/errors/"
                                "a-type-that-is-much-longer-than-there-is-room-for-it\"}");
    CHECK_INT(strlen(problem.type), sizeof problem.type - 1);
    CHECK(span_ends(span_of(problem.type), "..."));
}

static void refused_accounts_are_recognised_by_words(void)
{
    static const char *const types[] = {"unauthorized", "malformed", "externalAccountRequired"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        char body[256];
        snprintf(body, sizeof body,
                 "{\"type\":\"urn:ietf:params:acme:error:%s\",\"detail\":\"The account is not "
                 "awaiting External Account Binding\"}",
                 types[i]);
        struct problem problem = read_problem(403, body);
        CHECK_INT(problem.reaction, REACT_CONFIGURATION);
        CHECK_CONTAINS(problem_advice(&problem), "key.pem");
        CHECK_CONTAINS(problem_advice(&problem), "make new ones");
    }
    struct problem problem = read_problem(
        403, "{\"type\":\"urn:ietf:params:acme:error:unauthorized\",\"detail\":\"Account is not "
             "valid, has status \\\"deactivated\\\"\"}");
    CHECK_INT(problem.reaction, REACT_CONFIGURATION);
    CHECK_CONTAINS(problem_advice(&problem), "register a new one");
}

static void hostile_words_are_made_printable_and_cut(void)
{
    struct problem problem = read_problem(
        400, "{\"type\":\"urn:ietf:params:acme:error:caa\\u001b]0;x\\u0007\",\"detail\":"
             "\"a\\u001b[2Jb\\r\\nc\\u0085d\\u202ee\\u2028f\\tg  h \"}");
    CHECK_TEXT(problem.text, "a [2Jb c d e f g h");
    CHECK_TEXT(problem.type, "caa ]0;x");
    struct buf body;
    buf_init(&body, 4096);
    CHECK(buf_append_text(&body, "{\"detail\":\""));
    for (int i = 0; i < 300; i++)
        CHECK(buf_append_text(&body, "\xc3\xa4\xe2\x82\xac"));
    CHECK(buf_append_text(&body, "\"}"));
    problem = read_problem(400, buf_text(&body));
    buf_free(&body);
    CHECK(strlen(problem.text) < PROBLEM_TEXT_MAX && strlen(problem.text) > PROBLEM_TEXT_MAX - 8);
    CHECK(span_is_utf8(span_of(problem.text)));
    CHECK(span_ends(span_of(problem.text), "..."));
}

static void many_subproblems_are_cut_too(void)
{
    struct buf body;
    buf_init(&body, (size_t)1 << 20);
    CHECK(buf_append_text(&body, "{\"detail\":\"many\",\"subproblems\":["));
    for (int i = 0; i < 900; i++)
        CHECK(buf_printf(&body, "%s{\"detail\":\"no\",\"identifier\":{\"value\":\"n%d\"}}",
                         i > 0 ? "," : "", i));
    CHECK(buf_append_text(&body, "]}"));
    struct problem problem = read_problem(400, buf_text(&body));
    CHECK(span_starts(span_of(problem.text), "many; n0: no; n1: no"));
    CHECK(span_ends(span_of(problem.text), "..."));
    buf_free(&body);
}

static void problem_inside_another_document_brings_its_own_status(void)
{
    CLEANUP(json_release)
    json_t *object = json_pack("{s:s, s:s, s:i}", "type", "urn:ietf:params:acme:error:unknownToUs",
                               "detail", "no", "status", 503);
    struct problem problem;
    problem_from_json(object, &problem);
    CHECK_INT(problem.status, 503);
    CHECK_INT(problem.reaction, REACT_BACK_OFF);
    CHECK_TEXT(problem.type, "unknownToUs");
    /* but an answer's own status is the one that counts */
    problem = read_problem(403, "{\"type\":\"urn:x\",\"detail\":\"no\",\"status\":503}");
    CHECK_INT(problem.status, 403);
    CHECK_INT(problem.reaction, REACT_GIVE_UP);
    CLEANUP(json_release) json_t *empty = json_object();
    problem_from_json(empty, &problem);
    CHECK_TEXT(problem.text, "a problem without a type, no detail given");
    problem_from_json(NULL, &problem);
    CHECK_TEXT(problem.text, "a problem without a type, no detail given");
}

static void printable_text_always_fits(void)
{
    char out[16];
    CHECK_INT(printable_copy(SPAN_LITERAL("fifteen letters"), out, sizeof out), 15);
    CHECK_TEXT(out, "fifteen letters");
    CHECK_INT(printable_copy(SPAN_LITERAL("sixteen letters!"), out, sizeof out), 15);
    CHECK_TEXT(out, "sixteen lett...");
    CHECK_INT(printable_copy(span_make("a\0b\xff\xc0", 5), out, sizeof out), 5);
    CHECK_TEXT(out, "a?b??");
    CHECK_INT(printable_copy((struct span){0}, out, sizeof out), 0);
    CHECK_TEXT(out, "");
    CHECK_INT(printable_copy(SPAN_LITERAL("\n\t "), out, sizeof out), 0);
    CHECK_INT(printable_copy(SPAN_LITERAL("\xf0\x9f\x94\x91\xf0\x9f\x94\x91"), out, 8), 7);
    CHECK_TEXT(out, "\xf0\x9f\x94\x91...");
    CHECK_INT(printable_copy(SPAN_LITERAL("abcdef"), out, 4), 3);
    CHECK_TEXT(out, "...");
    struct error error;
    error_set(&error, ERROR_CA, "near '\x1b[1m'");
    CHECK(!printable_error(&error));
    CHECK_TEXT(error.text, "near ' [1m'");
    CHECK_INT(error.kind, ERROR_CA);
    CHECK(!printable_error(NULL));
}

static const struct test tests[] = {
    TEST(every_type_has_its_reaction),
    TEST(answers_without_a_document_are_described),
    TEST(words_of_the_ca_are_kept_with_each_name),
    TEST(refused_accounts_are_recognised_by_words),
    TEST(hostile_words_are_made_printable_and_cut),
    TEST(many_subproblems_are_cut_too),
    TEST(problem_inside_another_document_brings_its_own_status),
    TEST(printable_text_always_fits),
};
TESTS_MAIN(tests)
