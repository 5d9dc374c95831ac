/* engine/acme: every document of a CA. Each body is read as each kind of document. */
#include "fuzz.h"

#include "acme/objects.h"

#include <string.h>

void fuzz_prepare(void)
{
}

static void url_is_safe(const char *url)
{
    REQUIRE(url == NULL || acme_url_check(span_of(url), NULL));
}

static void problem_is_shown(const struct problem *problem)
{
    fuzz_require_line(problem->type);
    fuzz_require_line(problem->text);
    REQUIRE(problem->text[0] != '\0');
    fuzz_require_line(problem_advice(problem));
}

static void read_directory(struct span body)
{
    struct directory directory = {0};
    struct error error = {0};
    if (!directory_parse(body, &directory, &error)) {
        fuzz_require_error(&error);
        REQUIRE(directory.new_nonce == NULL);
        return;
    }
    REQUIRE(directory.new_nonce != NULL && directory.new_account != NULL &&
            directory.new_order != NULL);
    const char *const urls[] = {directory.new_nonce,   directory.new_account, directory.new_order,
                                directory.new_authz,   directory.revoke_cert, directory.key_change,
                                directory.renewal_info};
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++)
        url_is_safe(urls[i]);
    directory_free(&directory);
}

static void read_account(struct span body)
{
    struct account_object account = {0};
    struct error error = {0};
    if (!account_object_parse(body, &account, &error)) {
        fuzz_require_error(&error);
        return;
    }
    url_is_safe(account.orders);
    account_object_free(&account);
}

static void read_order(struct span body)
{
    struct order_object order = {0};
    struct error error = {0};
    if (!order_object_parse(body, &order, &error)) {
        fuzz_require_error(&error);
        REQUIRE(order.authorizations == NULL && order.identifiers == NULL);
        return;
    }
    REQUIRE(order_status_name(order.status)[0] != '\0');
    REQUIRE(order.authorization_count <= ACME_AUTHORIZATIONS_MAX);
    for (size_t i = 0; i < order.authorization_count; i++)
        url_is_safe(order.authorizations[i]);
    for (size_t i = 0; i < order.identifier_count; i++)
        fuzz_require_line(order.identifiers[i]);
    url_is_safe(order.finalize);
    url_is_safe(order.certificate);
    REQUIRE(order.finalize != NULL || order.status == ORDER_INVALID);
    REQUIRE(order.certificate != NULL || order.status != ORDER_VALID);
    if (order.has_error)
        problem_is_shown(&order.error);
    order_object_free(&order);
}

static void read_authorization(struct span body, enum challenge_type wanted)
{
    struct authorization_object authorization = {0};
    struct error error = {0};
    if (!authorization_object_parse(body, wanted, &authorization, &error)) {
        fuzz_require_error(&error);
        REQUIRE(authorization.identifier == NULL);
        return;
    }
    fuzz_require_line(authorization.identifier);
    fuzz_require_line(authorization.offered);
    if (authorization.has_challenge) {
        REQUIRE(authorization.challenge_url != NULL);
        url_is_safe(authorization.challenge_url);
        REQUIRE(acme_token_check(span_of(authorization.token), NULL));
    }
    if (authorization.has_error)
        problem_is_shown(&authorization.error);
    authorization_object_free(&authorization);
}

static void read_order_list(struct span body)
{
    struct order_list list = {0};
    struct error error = {0};
    if (!order_list_parse(body, &list, &error)) {
        fuzz_require_error(&error);
        return;
    }
    for (size_t i = 0; i < list.count; i++)
        url_is_safe(list.urls[i]);
    order_list_free(&list);
}

void fuzz_input(struct span input)
{
    static const long statuses[] = {400, 429, 503};
    struct problem problem;
    read_directory(input);
    read_account(input);
    read_order(input);
    for (unsigned wanted = CHALLENGE_NONE; wanted <= CHALLENGE_TLS_ALPN_01; wanted++)
        read_authorization(input, (enum challenge_type)wanted);
    read_order_list(input);
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        problem_read(statuses[i], SPAN_LITERAL("application/problem+json"), input, &problem);
        REQUIRE(problem.status == statuses[i]);
        problem_is_shown(&problem);
    }
    /* The content type is a stranger's word, too. */
    problem_read(502, input, SPAN_LITERAL("<html>"), &problem);
    problem_is_shown(&problem);
}
