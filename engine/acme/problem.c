#include "acme/problem.h"

#include "base/printable.h"

#include <stdio.h>
#include <string.h>

#define PROBLEM_BODY_MAX ((size_t)256 * 1024)
#define SUBPROBLEMS_MAX  1000
#define URN              "urn:ietf:params:acme:error:"

struct rule {
    const char *type;
    enum reaction reaction;
    const char *advice;
};

/* RFC 8555 section 6.7 and RFC 9773 section 7.4. */
static const struct rule type_rules[] = {
    {"accountDoesNotExist", REACT_REGISTER,
     "the CA does not know this account key: register again, with new EAB credentials if the CA "
     "asks for them, or restore the account's key.pem"},
    {"alreadyReplaced", REACT_RENEW_PLAIN, ""},
    {"alreadyRevoked", REACT_GIVE_UP, "the certificate is revoked already: nothing is left to do"},
    {"badCSR", REACT_GIVE_UP,
     "the CA does not take this key or these names: try another key type or size, and compare the "
     "names with what the account may request"},
    {"badNonce", REACT_FRESH_NONCE,
     "the CA refused every nonce: check that no proxy in between caches its answers"},
    /* Only requests signed before there is an account meet it, or a finalize at CAs that use it for
     * the certificate's key: it must not fail the account's other orders. */
    {"badPublicKey", REACT_GIVE_UP,
     "the CA does not take this kind or size of key: choose another key type or size"},
    {"badRevocationReason", REACT_GIVE_UP,
     "the CA does not take this reason: revoke with another one, or with none"},
    {"badSignatureAlgorithm", REACT_CONFIGURATION,
     "the CA does not take signatures by this account key: make a new account with another kind "
     "of key"},
    {"caa", REACT_GIVE_UP,
     "allow this CA in the domain's CAA record, or remove the record that forbids it"},
    {"compound", REACT_GIVE_UP,
     "put right what the CA says of each name, or take those names out of the certificate"},
    {"connection", REACT_GIVE_UP,
     "the CA could not reach the name on port 80 (http-01) or 443 (tls-alpn-01): check its address "
     "records, the firewall, and that the responder or web server listens there"},
    {"dns", REACT_GIVE_UP,
     "the CA's look-up of the name failed: check that the name exists, that its name servers "
     "answer from the Internet and that DNSSEC is sound; for dns-01 raise the propagation time"},
    {"externalAccountRequired", REACT_CONFIGURATION,
     "the CA asks for external account binding: put eab-key and eab-hmac-key into the accounts "
     "file"},
    {"incorrectResponse", REACT_GIVE_UP,
     "the CA found another answer than the challenge asks for: check that the name leads to this "
     "machine, and that no older TXT record or file is in the way"},
    {"invalidContact", REACT_CONFIGURATION, "correct the account's email in the accounts file"},
    {"malformed", REACT_GIVE_UP,
     "the CA could not make sense of the request: check the names of the certificate and the "
     "acme-endpoint of the account"},
    {"orderNotReady", REACT_POLL, "the CA is not done with the order's authorizations: run again"},
    {"rateLimited", REACT_WAIT,
     "the CA's limit is reached: run again after the time it names, or ask the CA for a higher "
     "limit"},
    {"rejectedIdentifier", REACT_GIVE_UP,
     "the CA will not issue for this name: check its spelling, and that the account may request "
     "it"},
    {"serverInternal", REACT_BACK_OFF, "the CA has trouble of its own: run again later"},
    {"tls", REACT_GIVE_UP,
     "the CA could not make a TLS connection to the name: check what answers on its port 443, and "
     "redirects from port 80 to it"},
    {"unauthorized", REACT_GIVE_UP,
     "check the account's EAB credentials and that it is active, that the name is validated and "
     "allowed for it at the CA, and that the CA can reach the challenge's answer"},
    {"unsupportedContact", REACT_CONFIGURATION,
     "the CA does not take this kind of contact: correct the account's email in the accounts file, "
     "or leave it out"},
    {"unsupportedIdentifier", REACT_GIVE_UP,
     "the CA does not issue for this kind of name: remove IP addresses or wildcards that it does "
     "not offer"},
    {"userActionRequired", REACT_CONFIGURATION,
     "the CA waits for the account's owner: open the page that it names, usually to agree to new "
     "terms of service"},
};

/* Words by which a CA says more than by its type. Looked up first, without regard to case. */
static const struct rule word_rules[] = {
    {"not awaiting external account binding", REACT_CONFIGURATION,
     "the EAB credentials are used up: make new ones at the CA and put them into the accounts "
     "file, or restore the key.pem of the account that used them"},
    /* Sent as "unauthorized": without this every order of the account would be tried. */
    {"account is not valid, has status", REACT_CONFIGURATION,
     "the account was deactivated or revoked: register a new one"},
};

/* By HTTP status, for types that are not in the table and answers without a problem document. */
static const struct status_rule {
    long from, to;
    enum reaction reaction;
    const char *advice;
} status_rules[] = {
    {408, 408, REACT_BACK_OFF, "the CA was too slow to read the request: run again later"},
    {429, 429, REACT_WAIT,
     "the CA's limit is reached: run again later, or lower limits.requests-per-second and "
     "limits.in-flight in the manifest"},
    {500, 599, REACT_BACK_OFF, "the CA has trouble of its own: run again later"},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct rule *rule_find(const struct problem *problem)
{
    for (size_t i = 0; i < COUNT(word_rules); i++)
        if (strcasestr(problem->text, word_rules[i].type) != NULL)
            return &word_rules[i];
    for (size_t i = 0; i < COUNT(type_rules); i++)
        if (strcmp(problem->type, type_rules[i].type) == 0)
            return &type_rules[i];
    return NULL;
}

static const struct status_rule *status_rule_find(long status)
{
    for (size_t i = 0; i < COUNT(status_rules); i++)
        if (status >= status_rules[i].from && status <= status_rules[i].to)
            return &status_rules[i];
    return NULL;
}

static enum reaction reaction_of(const struct problem *problem)
{
    const struct rule *rule = rule_find(problem);
    if (rule != NULL)
        return rule->reaction;
    const struct status_rule *by_status = status_rule_find(problem->status);
    return by_status != NULL ? by_status->reaction : REACT_GIVE_UP;
}

const char *problem_advice(const struct problem *problem)
{
    const struct rule *rule = rule_find(problem);
    if (rule != NULL)
        return rule->advice;
    const struct status_rule *by_status = status_rule_find(problem->status);
    return by_status != NULL ? by_status->advice : "";
}

static struct span member_text(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_string(value) ? span_make(json_string_value(value), json_string_length(value))
                                 : (struct span){0};
}

static void type_read(const json_t *object, char *type, size_t size)
{
    struct span text = member_text(object, "type");
    if (span_starts(text, URN))
        text = span_from(text, sizeof URN - 1);
    if (span_is(text, "about:blank")) /* RFC 7807 section 4.2: says no more than the status */
        text = (struct span){0};
    printable_copy(text, type, size);
}

/* Appends as much as fits, made printable; false when nothing more will fit. */
static bool words_append(struct buf *words, struct span text)
{
    char clean[PROBLEM_TEXT_MAX];
    size_t len = printable_copy(text, clean, sizeof clean);
    return buf_append(words, clean, len);
}

static bool subproblem_append(struct buf *words, const json_t *subproblem)
{
    struct span name = member_text(json_object_get(subproblem, "identifier"), "value");
    struct span detail = member_text(subproblem, "detail");
    if (detail.len == 0)
        detail = member_text(subproblem, "type");
    if (detail.len == 0)
        return true;
    if (words->len > 0)
        TRY(buf_append_text(words, "; "));
    if (name.len > 0) {
        TRY(words_append(words, name));
        TRY(buf_append_text(words, ": "));
    }
    return words_append(words, detail);
}

static bool words_read(const json_t *object, struct buf *words)
{
    struct span detail = member_text(object, "detail");
    if (detail.len == 0)
        detail = member_text(object, "title");
    TRY(words_append(words, detail));
    const json_t *subproblems = json_list(object, "subproblems", SUBPROBLEMS_MAX);
    for (size_t i = 0; i < json_array_size(subproblems); i++)
        TRY(subproblem_append(words, json_array_get(subproblems, i)));
    return true;
}

void problem_from_json(const json_t *object, struct problem *ret_problem)
{
    struct problem problem = {.status = (long)json_number(object, "status", 0)};
    type_read(object, problem.type, sizeof problem.type);
    /* More than the problem keeps, so that the last cut falls on a character and leaves "...". */
    struct buf words;
    buf_init(&words, (size_t)PROBLEM_TEXT_MAX * 4);
    (void)!words_read(object, &words);
    printable_copy(buf_span(&words), problem.text, sizeof problem.text);
    buf_free(&words);
    if (problem.text[0] == '\0')
        snprintf(problem.text, sizeof problem.text, "%s, no detail given",
                 problem.type[0] != '\0' ? problem.type : "a problem without a type");
    problem.reaction = reaction_of(&problem);
    *ret_problem = problem;
}

/* For answers of proxies and load balancers, whose pages say nothing worth quoting. */
static void problem_without_document(struct span content_type, struct span body,
                                     struct problem *problem)
{
    char type[64];
    printable_copy(content_type, type, sizeof type);
    if (body.len == 0)
        snprintf(problem->text, sizeof problem->text, "HTTP %ld without a body", problem->status);
    else
        snprintf(problem->text, sizeof problem->text, "HTTP %ld with %s, %zu bytes",
                 problem->status, type[0] != '\0' ? type : "no content type", body.len);
}

void problem_read(long status, struct span content_type, struct span body,
                  struct problem *ret_problem)
{
    struct problem problem = {.status = status};
    CLEANUP(json_release) json_t *object = NULL;
    if (json_parse(body, PROBLEM_BODY_MAX, &object, NULL) && json_is_object(object) &&
        (member_text(object, "type").len > 0 || member_text(object, "detail").len > 0))
        problem_from_json(object, &problem);
    else
        problem_without_document(content_type, body, &problem);
    /* The answer's own status counts: a "status" inside is a copy that may be wrong. */
    problem.status = status;
    problem.reaction = reaction_of(&problem);
    *ret_problem = problem;
}
