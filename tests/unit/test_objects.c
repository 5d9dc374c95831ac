/* engine/acme: the CA's objects, well-formed and hostile, and the request payloads. */
#include "check.h"

#include "acme/objects.h"

#include <dirent.h>
#include <time.h>

#define URL "https://ca.example/"

static bool any_parse(struct span kind, struct span body, struct error *error)
{
    struct directory directory;
    struct account_object account;
    struct order_object order;
    struct authorization_object authorization;
    struct order_list list;
    if (span_is(kind, "directory")) {
        TRY(directory_parse(body, &directory, error));
        directory_free(&directory);
    } else if (span_is(kind, "account")) {
        TRY(account_object_parse(body, &account, error));
        account_object_free(&account);
    } else if (span_is(kind, "order")) {
        TRY(order_object_parse(body, &order, error));
        order_object_free(&order);
    } else if (span_is(kind, "authorization")) {
        TRY(authorization_object_parse(body, CHALLENGE_HTTP_01, &authorization, error));
        authorization_object_free(&authorization);
    } else {
        CHECK(span_is(kind, "orders"));
        TRY(order_list_parse(body, &list, error));
        order_list_free(&list);
    }
    return true;
}

static void vector_read(const char *name, struct buf *out)
{
    char path[512];
    snprintf(path, sizeof path, "%s/ca/%s", TEST_VECTORS, name);
    FILE *file = fopen(path, "rb");
    CHECK(file != NULL);
    buf_clear(out);
    char piece[4096];
    size_t len;
    while ((len = fread(piece, 1, sizeof piece, file)) > 0)
        CHECK(buf_append(out, piece, len));
    fclose(file);
}

static size_t vector_file_count(void)
{
    DIR *folder = opendir(TEST_VECTORS "/ca");
    CHECK(folder != NULL);
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        count += entry->d_name[0] != '.' && strcmp(entry->d_name, "expected.txt") != 0;
    closedir(folder);
    return count;
}

static bool has_control_characters(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return true;
    return false;
}

static void malformed_answers_give_a_clear_error(void)
{
    struct buf table;
    struct buf body;
    buf_init(&table, 65536);
    buf_init(&body, ACME_BODY_MAX * 2);
    vector_read("expected.txt", &table);
    struct span rest = buf_span(&table);
    size_t count = 0;
    while (rest.data != NULL) {
        struct span line = span_split(&rest, '\n');
        if (line.len == 0 || line.data[0] == '#')
            continue;
        char name[128];
        char part[256];
        struct span file = span_split(&line, '\t');
        snprintf(name, sizeof name, "%.*s", SPAN_PRINTF(file));
        struct span kind = span_split(&line, '\t');
        snprintf(part, sizeof part, "%.*s", SPAN_PRINTF(line));
        vector_read(name, &body);
        /* A copy of exact size, so that the sanitizer sees a read past the end. */
        char *exact = malloc(body.len > 0 ? body.len : 1);
        CHECK(exact != NULL);
        memcpy(exact, buf_text(&body), body.len);
        struct error error = {0};
        if (any_parse(kind, span_make(exact, body.len), &error)) {
            fprintf(stderr, "%s was taken\n", name);
            exit(1);
        }
        free(exact);
        if (part[0] == '\0' || strstr(error.text, part) == NULL)
            fprintf(stderr, "%s:\n", name);
        CHECK_CONTAINS(error.text, part);
        CHECK(span_is_utf8(span_of(error.text)) && !has_control_characters(error.text));
        CHECK(error.kind == ERROR_PROTOCOL || error.kind == ERROR_LIMIT);
        count++;
    }
    CHECK_INT(count, vector_file_count());
    CHECK(count >= 25);
    buf_free(&table);
    buf_free(&body);
}

static void huge_answers_are_refused(void)
{
    struct buf body;
    buf_init(&body, ACME_BODY_MAX * 2);
    CHECK(buf_append_text(&body, "{\"status\":\"valid\"}"));
    char *blanks = buf_reserve(&body, ACME_BODY_MAX);
    CHECK(blanks != NULL);
    memset(blanks, ' ', ACME_BODY_MAX);
    body.len += ACME_BODY_MAX;
    struct error error;
    struct account_object account;
    CHECK(!account_object_parse(buf_span(&body), &account, &error));
    CHECK_INT(error.kind, ERROR_LIMIT);
    CHECK_CONTAINS(error.text, "the limit is 1048576");
    body.len = ACME_BODY_MAX;
    CHECK_OK(account_object_parse(buf_span(&body), &account, &error), error);
    account_object_free(&account);
    buf_free(&body);
}

static void directory_of_a_common_ca(void)
{
    struct directory directory;
    struct error error;
    CHECK_OK(
        directory_parse(
            SPAN_LITERAL("{\"kmVeo8Qd\":\"https://community.example/t/417\",\"meta\":{"
                         "\"caaIdentities\":[\"ca.example\"],\"termsOfService\":\"" URL
                         "tos\",\"website\":\"ftp://ca.example\",\"profiles\":{\"classic\":\"x"
                         "\"},\"externalAccountRequired\":true},\"newAccount\":\"" URL
                         "a\",\"newNonce\":\"" URL "n\",\"newOrder\":\"HTTPS://ca.example:14000"
                         "/o?x=1#y\",\"newAuthz\":null,\"keyChange\":\"" URL
                         "k\",\"renewalInfo\":\"" URL "i\",\"revokeCert\":\"" URL "r\"}"),
            &directory, &error),
        error);
    CHECK_TEXT(directory.new_nonce, URL "n");
    CHECK_TEXT(directory.new_account, URL "a");
    CHECK_TEXT(directory.new_order, "HTTPS://ca.example:14000/o?x=1#y");
    CHECK(directory.new_authz == NULL);
    CHECK_TEXT(directory.revoke_cert, URL "r");
    CHECK_TEXT(directory.key_change, URL "k");
    CHECK_TEXT(directory.renewal_info, URL "i");
    CHECK_TEXT(directory.terms_of_service, URL "tos");
    CHECK(directory.website == NULL);
    CHECK(directory.external_account_required);
    directory_free(&directory);
    CHECK(directory.new_nonce == NULL);
    directory_free(&directory);
    CHECK_OK(directory_parse(SPAN_LITERAL("{\"newNonce\":\"http://[::1]:1/n\",\"newAccount\":\"" URL
                                          "\",\"newOrder\":\"" URL "\",\"meta\":[]}"),
                             &directory, &error),
             error);
    CHECK(!directory.external_account_required);
    directory_free(&directory);
}

static void failed_parse_leaves_the_result_alone(void)
{
    struct error error;
    struct order_object order = {.status = ORDER_VALID, .identifier_count = 77};
    CHECK(!order_object_parse(SPAN_LITERAL("{\"status\":\"ready\"}"), &order, &error));
    CHECK_INT(order.status, ORDER_VALID);
    CHECK_INT(order.identifier_count, 77);
    struct directory directory = {.external_account_required = true};
    CHECK(!directory_parse(SPAN_LITERAL("{\"newNonce\":\"" URL "\"}"), &directory, &error));
    CHECK(directory.new_nonce == NULL && directory.external_account_required);
}

static void accounts_with_and_without_status(void)
{
    struct account_object account;
    struct error error;
    CHECK_OK(account_object_parse(SPAN_LITERAL("{\"key\":{},\"contact\":[]}"), &account, &error),
             error);
    CHECK_INT(account.status, ACCOUNT_VALID);
    CHECK(account.orders == NULL);
    account_object_free(&account);
    CHECK_OK(
        account_object_parse(SPAN_LITERAL("{\"status\":\"deactivated\",\"orders\":\"" URL "l\"}"),
                             &account, &error),
        error);
    CHECK_INT(account.status, ACCOUNT_DEACTIVATED);
    CHECK_TEXT(account.orders, URL "l");
    account_object_free(&account);
    CHECK_OK(account_object_parse(SPAN_LITERAL("{\"status\":\"revoked\"}"), &account, &error),
             error);
    CHECK_INT(account.status, ACCOUNT_REVOKED);
    account_object_free(&account);
}

#define IDENTIFIERS "\"identifiers\":[{\"type\":\"dns\",\"value\":\"WWW.Example.com\"}]"
#define FINALIZE    "\"finalize\":\"" URL "f\""

static struct order_object order_of(const char *body)
{
    struct order_object order;
    struct error error;
    CHECK_OK(order_object_parse(span_of(body), &order, &error), error);
    return order;
}

static void order_in_each_state(void)
{
    struct order_object order = order_of(
        "{\"status\":\"pending\",\"expires\":\"2026-11-23T12:00:00Z\",\"identifiers\":[{\"type\":"
        "\"dns\",\"value\":\"*.Example.COM\"},{\"type\":\"ip\",\"value\":\"2001:DB8::1\"}],"
        "\"authorizations\":[\"" URL "1\",\"" URL "2\"]," FINALIZE ",\"replaces\":\"x.y\"}");
    CHECK_INT(order.status, ORDER_PENDING);
    CHECK_INT(order.identifier_count, 2);
    CHECK_TEXT(order.identifiers[0], "*.example.com");
    CHECK_TEXT(order.identifiers[1], "2001:db8::1");
    CHECK_INT(order.authorization_count, 2);
    CHECK_TEXT(order.authorizations[1], URL "2");
    CHECK_TEXT(order.finalize, URL "f");
    CHECK(order.certificate == NULL && !order.has_error);
    CHECK_INT(order.expires, 1795435200);
    order_object_free(&order);
    order_object_free(&order);

    order = order_of("{\"status\":\"pending\"," IDENTIFIERS ",\"authorizations\":[]," FINALIZE "}");
    CHECK_INT(order.authorization_count, 0);
    CHECK_INT(order.expires, 0);
    order_object_free(&order);

    order = order_of("{\"status\":\"ready\"," IDENTIFIERS "," FINALIZE
                     ",\"expires\":\"soon\",\"error\":null}");
    CHECK_INT(order.status, ORDER_READY);
    CHECK_INT(order.authorization_count, 0);
    CHECK_TEXT(order.identifiers[0], "www.example.com");
    CHECK_INT(order.expires, 0);
    CHECK(!order.has_error);
    order_object_free(&order);

    order = order_of("{\"status\":\"processing\"," IDENTIFIERS "," FINALIZE ",\"expires\":5}");
    CHECK_INT(order.status, ORDER_PROCESSING);
    order_object_free(&order);

    order = order_of("{\"status\":\"valid\"," IDENTIFIERS "," FINALIZE ",\"certificate\":\"" URL
                     "cert/1\"}");
    CHECK_INT(order.status, ORDER_VALID);
    CHECK_TEXT(order.certificate, URL "cert/1");
    order_object_free(&order);

    order = order_of("{\"status\":\"invalid\"," IDENTIFIERS
                     ",\"error\":{\"type\":\"urn:ietf:params:acme:error:caa\",\"detail\":\"CAA "
                     "record\",\"status\":403}}");
    CHECK_INT(order.status, ORDER_INVALID);
    CHECK(order.has_error && order.finalize == NULL);
    CHECK_TEXT(order.error.type, "caa");
    CHECK_TEXT(order.error.text, "CAA record");
    CHECK_INT(order.error.reaction, REACT_GIVE_UP);
    order_object_free(&order);
    CHECK_TEXT(order_status_name(ORDER_PROCESSING), "processing");
    CHECK_TEXT(order_status_name((enum order_status)99), "unknown");
}

static void most_authorizations_that_are_allowed(void)
{
    struct buf body;
    buf_init(&body, ACME_BODY_MAX);
    CHECK(buf_append_text(&body, "{\"status\":\"pending\"," IDENTIFIERS "," FINALIZE
                                 ",\"authorizations\":["));
    for (int i = 0; i < ACME_AUTHORIZATIONS_MAX; i++)
        CHECK(buf_printf(&body, "%s\"" URL "%d\"", i > 0 ? "," : "", i));
    CHECK(buf_append_text(&body, "]}"));
    struct order_object order = order_of(buf_text(&body));
    CHECK_INT(order.authorization_count, ACME_AUTHORIZATIONS_MAX);
    CHECK_TEXT(order.authorizations[999], URL "999");
    order_object_free(&order);
    buf_free(&body);
}

#define CHALLENGE(type, token, status)                                                        \
    "{\"type\":\"" type "\",\"token\":\"" token "\",\"status\":\"" status "\",\"url\":\"" URL \
    "c/" type "\"}"

static struct authorization_object authorization_of(const char *body, enum challenge_type wanted)
{
    struct authorization_object authorization;
    struct error error;
    CHECK_OK(authorization_object_parse(span_of(body), wanted, &authorization, &error), error);
    return authorization;
}

static void wanted_challenge_is_found(void)
{
    static const char body[] =
        "{\"status\":\"pending\",\"identifier\":{\"type\":\"dns\",\"value\":\"Example.com\"},"
        "\"wildcard\":true,\"challenges\":[{\"type\":\"dns-account-01\"},7,{\"url\":\"" URL
        "\"}," CHALLENGE("http-01", "tok_http", "pending") "," CHALLENGE(
            "dns-01", "tok-dns", "processing") "," CHALLENGE("tls-alpn-01", "t", "valid") "]}";
    struct authorization_object authorization = authorization_of(body, CHALLENGE_DNS_01);
    CHECK_TEXT(authorization.identifier, "example.com");
    CHECK(authorization.wildcard && authorization.has_challenge && !authorization.has_error);
    CHECK_TEXT(authorization.token, "tok-dns");
    CHECK_TEXT(authorization.challenge_url, URL "c/dns-01");
    CHECK_INT(authorization.challenge_status, CHALLENGE_PROCESSING);
    CHECK_TEXT(authorization.offered, "dns-account-01, http-01, dns-01, tls-alpn-01");
    authorization_object_free(&authorization);
    authorization = authorization_of(body, CHALLENGE_HTTP_01);
    CHECK_TEXT(authorization.token, "tok_http");
    authorization_object_free(&authorization);
    authorization = authorization_of(body, CHALLENGE_TLS_ALPN_01);
    CHECK_TEXT(authorization.token, "t");
    CHECK_INT(authorization.challenge_status, CHALLENGE_VALID);
    authorization_object_free(&authorization);
    authorization = authorization_of(body, CHALLENGE_NONE);
    CHECK(!authorization.has_challenge && authorization.challenge_url == NULL);
    authorization_object_free(&authorization);
    authorization_object_free(&authorization);
}

static void authorization_without_a_wanted_challenge(void)
{
    /* a name validated by other means: no challenge, or one without a token */
    struct authorization_object authorization = authorization_of(
        "{\"status\":\"valid\",\"identifier\":{\"type\":\"dns\",\"value\":\"*.example.com\"}}",
        CHALLENGE_HTTP_01);
    CHECK_INT(authorization.status, AUTHORIZATION_VALID);
    CHECK_TEXT(authorization.identifier, "example.com");
    CHECK(authorization.wildcard && !authorization.has_challenge);
    authorization_object_free(&authorization);
    authorization =
        authorization_of("{\"status\":\"valid\",\"identifier\":{\"type\":\"ip\",\"value\":"
                         "\"192.0.2.1\"},\"challenges\":[{\"type\":\"http-01\"}]}",
                         CHALLENGE_HTTP_01);
    CHECK(!authorization.has_challenge);
    CHECK_TEXT(authorization.offered, "http-01");
    authorization_object_free(&authorization);
    authorization = authorization_of(
        "{\"status\":\"pending\",\"identifier\":{\"type\":\"dns\",\"value\":\"a.example\"},"
        "\"challenges\":[" CHALLENGE("dns-01", "t", "pending") "]}",
        CHALLENGE_HTTP_01);
    CHECK(!authorization.has_challenge);
    CHECK_TEXT(authorization.offered, "dns-01");
    authorization_object_free(&authorization);
    CHECK_TEXT(authorization_status_name(AUTHORIZATION_EXPIRED), "expired");
    CHECK_TEXT(authorization_status_name((enum authorization_status)99), "unknown");
}

static void error_of_the_failed_challenge_is_kept(void)
{
    struct authorization_object authorization = authorization_of(
        "{\"status\":\"invalid\",\"identifier\":{\"type\":\"dns\",\"value\":\"a.example\"},"
        "\"challenges\":[{\"type\":\"dns-01\",\"status\":\"pending\",\"error\":{\"type\":"
        "\"urn:ietf:params:acme:error:dns\",\"detail\":\"tried again\"}},{\"type\":\"http-01\","
        "\"status\":\"invalid\",\"error\":{\"type\":\"urn:ietf:params:acme:error:connection\","
        "\"detail\":\"Timeout\"}},{\"type\":\"x\",\"status\":\"pending\",\"error\":{\"detail\":"
        "\"y\"}}]}",
        CHALLENGE_DNS_01);
    CHECK_INT(authorization.status, AUTHORIZATION_INVALID);
    CHECK(authorization.has_error);
    CHECK_TEXT(authorization.error.type, "connection");
    CHECK_TEXT(authorization.error.text, "Timeout");
    authorization_object_free(&authorization);
}

static void offered_types_never_overflow(void)
{
    struct buf body;
    buf_init(&body, ACME_BODY_MAX);
    CHECK(buf_append_text(&body, "{\"status\":\"pending\",\"identifier\":{\"type\":\"dns\","
                                 "\"value\":\"a.example\"},\"challenges\":["));
    for (int i = 0; i < 100; i++)
        CHECK(buf_printf(&body, "%s{\"type\":\"type-%d-with-a-name-of-more-than-32-bytes\"}",
                         i > 0 ? "," : "", i));
    CHECK(buf_append_text(&body, "]}"));
    struct authorization_object authorization =
        authorization_of(buf_text(&body), CHALLENGE_HTTP_01);
    CHECK(strlen(authorization.offered) < sizeof authorization.offered);
    CHECK(span_starts(span_of(authorization.offered), "type-0-with-a-name-of-more-t..., type-1-"));
    authorization_object_free(&authorization);
    buf_free(&body);
}

static void lists_of_orders(void)
{
    struct order_list list;
    struct error error;
    CHECK_OK(
        order_list_parse(SPAN_LITERAL("{\"orders\":[\"" URL "1\",\"" URL "2\"]}"), &list, &error),
        error);
    CHECK_INT(list.count, 2);
    CHECK_TEXT(list.urls[1], URL "2");
    order_list_free(&list);
    CHECK_OK(order_list_parse(SPAN_LITERAL("{\"orders\":[]}"), &list, &error), error);
    CHECK_INT(list.count, 0);
    order_list_free(&list);
    order_list_free(&list);
}

static void urls_and_tokens_are_checked_alone_too(void)
{
    struct error error;
    CHECK(acme_url_check(SPAN_LITERAL("http://127.0.0.1:5000/x"), &error));
    CHECK(!acme_url_check(SPAN_LITERAL(""), &error));
    CHECK(!acme_url_check(SPAN_LITERAL("https"), &error));
    CHECK(!acme_url_check(SPAN_LITERAL("https:/x"), &error));
    CHECK(!acme_url_check(SPAN_LITERAL("https://"), &error));
    CHECK(!acme_url_check(SPAN_LITERAL("https://:80/"), &error));
    CHECK(!acme_url_check(SPAN_LITERAL("https://?x"), &error));
    CHECK(!acme_url_check(span_make("https://a\0b", 11), &error));
    CHECK(acme_url_check(SPAN_LITERAL("https://ca.example/a@b"), &error));
    CHECK(acme_token_check(SPAN_LITERAL("Az09-_"), &error));
    CHECK(!acme_token_check(SPAN_LITERAL("a.b"), &error));
    CHECK(!acme_token_check(span_make("a\0b", 3), &error));
}

static void payloads_are_what_the_rfc_says(void)
{
    struct buf out;
    buf_init(&out, 4096);
    CHECK(payload_new_account("ops@example.com", true, false, (struct span){0}, &out));
    CHECK_TEXT(buf_text(&out),
               "{\"contact\":[\"mailto:ops@example.com\"],\"termsOfServiceAgreed\":true}");
    buf_clear(&out);
    CHECK(payload_new_account(NULL, false, false, (struct span){0}, &out));
    CHECK_TEXT(buf_text(&out), "{}");
    buf_clear(&out);
    CHECK(payload_new_account("ops@example.com", true, true, (struct span){0}, &out));
    CHECK_TEXT(buf_text(&out), "{\"onlyReturnExisting\":true}");
    buf_clear(&out);
    CHECK(payload_new_account("", true, false,
                              SPAN_LITERAL("{\"protected\":\"p\",\"payload\":\"\"}"), &out));
    CHECK_TEXT(buf_text(&out), "{\"termsOfServiceAgreed\":true,\"externalAccountBinding\":{"
                               "\"protected\":\"p\",\"payload\":\"\"}}");
    buf_clear(&out);
    static const char *const names[] = {"www.example.com", "*.example.com", "192.0.2.1",
                                        "2001:db8::1", "1.2.3.4.example"};
    CHECK(payload_new_order(names, 5, &out));
    CHECK_TEXT(buf_text(&out), "{\"identifiers\":[{\"type\":\"dns\",\"value\":\"www.example.com\"},"
                               "{\"type\":\"dns\",\"value\":\"*.example.com\"},"
                               "{\"type\":\"ip\",\"value\":\"192.0.2.1\"},"
                               "{\"type\":\"ip\",\"value\":\"2001:db8::1\"},"
                               "{\"type\":\"dns\",\"value\":\"1.2.3.4.example\"}]}");
    buf_clear(&out);
    CHECK(payload_finalize(span_make("\xff\xfe\x30\x82", 4), &out));
    CHECK_TEXT(buf_text(&out), "{\"csr\":\"__4wgg\"}");
    buf_free(&out);
}

static void payloads_fail_past_the_limit(void)
{
    struct buf out;
    buf_init(&out, 20);
    static const char *const names[] = {"www.example.com"};
    CHECK(!payload_new_order(names, 1, &out));
    CHECK(!payload_new_account("ops@example.com", true, false, (struct span){0}, &out));
    CHECK(!payload_finalize(SPAN_LITERAL("0123456789012345"), &out));
    buf_free(&out);
}

static const struct test tests[] = {
    TEST(malformed_answers_give_a_clear_error),
    TEST(huge_answers_are_refused),
    TEST(directory_of_a_common_ca),
    TEST(failed_parse_leaves_the_result_alone),
    TEST(accounts_with_and_without_status),
    TEST(order_in_each_state),
    TEST(most_authorizations_that_are_allowed),
    TEST(wanted_challenge_is_found),
    TEST(authorization_without_a_wanted_challenge),
    TEST(error_of_the_failed_challenge_is_kept),
    TEST(offered_types_never_overflow),
    TEST(lists_of_orders),
    TEST(urls_and_tokens_are_checked_alone_too),
    TEST(payloads_are_what_the_rfc_says),
    TEST(payloads_fail_past_the_limit),
};
TESTS_MAIN(tests)
