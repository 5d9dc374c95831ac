/* A small ACM for unit tests, with STS: what it holds, and what goes wrong with the next calls. It
 * answers as AWS does, checks no signature, and knows the account by the access key. */
#ifndef CERTMILL_TEST_ACM_SERVER_H
#define CERTMILL_TEST_ACM_SERVER_H

#include "scripted_server.h"

#include "aws/acm.h"
#include "base/base64.h"
#include "base/json.h"

#define FAKE_HELD_MAX 64

enum fake_fault {
    FAKE_NONE,
    FAKE_THROTTLE, /* refused */
    FAKE_ERROR,    /* 500, nothing done */
    FAKE_DENY,
    FAKE_LIMIT,
    FAKE_LOST, /* done, and the connection breaks */
};

struct fake_held {
    char arn[ACM_ARN_MAX + 1];
    char region[32];
    char serial[200];
    char names[512]; /* as JSON */
    char tag[128];
    char type[16];
    char in_use_by[256];
    int64_t not_after, imported_at;
    unsigned imports;
    bool deleted;
    bool cut_names; /* the list has the first alone */
};

struct fake_acm {
    struct server *server;
    pthread_mutex_t lock;
    struct fake_held held[FAKE_HELD_MAX];
    size_t count;
    /* The next calls of an operation go wrong, `fault_after` of them first do not. */
    const char *fault_operation;
    enum fake_fault fault;
    unsigned fault_after, fault_count;
    bool deny_identity;
    const char *down_region; /* answers with 500 alone */
    unsigned calls;
    unsigned imports, lists, describes, tag_lists, identities;
    int64_t now;
};

static inline bool fake_reply(struct buf *reply, int status, const char *type, const char *body)
{
    return buf_printf(reply, "HTTP/1.1 %d X\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n%s",
                      status, type, strlen(body), body);
}

static inline bool fake_error(struct buf *reply, int status, const char *code, const char *words)
{
    char body[512];
    snprintf(body, sizeof body, "{\"__type\":\"%s\",\"message\":\"%s\"}", code, words);
    return fake_reply(reply, status, "application/x-amz-json-1.1", body);
}

static inline struct fake_held *fake_find(struct fake_acm *acm, const char *arn)
{
    for (size_t i = 0; i < acm->count && arn != NULL; i++)
        if (strcmp(acm->held[i].arn, arn) == 0 && !acm->held[i].deleted)
            return &acm->held[i];
    return NULL;
}

/* Takes what the certificate says. */
static inline void fake_put(struct fake_acm *acm, struct fake_held *held, struct span pem)
{
    struct buf der;
    struct certificate_info info;
    struct error error;
    buf_init(&der, CERTIFICATE_DER_MAX);
    CHECK_OK(certificate_read(pem, &der, &info, &error), error);
    size_t at = 0;
    const char *digits = info.serial;
    while (digits[0] == '0' && digits[1] == '0')
        digits += 2;
    for (; digits[0] != '\0'; digits += 2)
        at += (size_t)snprintf(held->serial + at, sizeof held->serial - at, "%s%.2s",
                               at > 0 ? ":" : "", digits);
    char name[CERTIFICATE_NAME_TEXT];
    at = 0;
    while (certificate_name_next(&info.names, name))
        at += (size_t)snprintf(held->names + at, sizeof held->names - at, "%s\"%s\"",
                               at > 0 ? "," : "", name);
    held->not_after = info.not_after;
    held->imported_at = acm->now;
    held->imports++;
    buf_free(&der);
}

static inline struct fake_held *fake_new(struct fake_acm *acm, const char *account,
                                         const char *region)
{
    CHECK(acm->count < FAKE_HELD_MAX);
    struct fake_held *held = &acm->held[acm->count++];
    *held = (struct fake_held){0};
    snprintf(held->arn, sizeof held->arn, "arn:aws:acm:%s:%s:certificate/%08zu", region, account,
             acm->count);
    snprintf(held->region, sizeof held->region, "%s", region);
    snprintf(held->type, sizeof held->type, "IMPORTED");
    return held;
}

static inline void fake_decode(const json_t *json, const char *key, struct buf *out)
{
    const char *text = json_text(json, key, (size_t)1 << 20);
    CHECK(text != NULL && base64_decode_lenient(span_of(text), out));
}

static inline bool fake_import(struct fake_acm *acm, const json_t *json, const char *account,
                               const char *region, struct buf *reply)
{
    const char *arn = json_text(json, "CertificateArn", 999);
    struct fake_held *held = fake_find(acm, arn);
    acm->imports++;
    if (arn != NULL && held == NULL)
        return fake_error(reply, 400, "ResourceNotFoundException", "Could not find certificate");
    CHECK(arn == NULL || json_object_get(json, "Tags") == NULL);
    if (held == NULL) {
        held = fake_new(acm, account, region);
        const json_t *tag = json_array_get(json_object_get(json, "Tags"), 0);
        CHECK_TEXT(json_text(tag, "Key", 99), ACM_TAG_NAME);
        snprintf(held->tag, sizeof held->tag, "%s", json_text(tag, "Value", 99));
    }
    struct buf pem;
    struct buf key;
    buf_init(&pem, 1 << 20);
    buf_init(&key, 1 << 20);
    fake_decode(json, "Certificate", &pem);
    fake_decode(json, "PrivateKey", &key);
    CHECK(strstr(buf_text(&key), "PRIVATE KEY") != NULL);
    fake_put(acm, held, buf_span(&pem));
    buf_free(&pem);
    buf_free(&key);
    char body[512];
    snprintf(body, sizeof body, "{\"CertificateArn\":\"%s\"}", held->arn);
    return fake_reply(reply, 200, "application/x-amz-json-1.1", body);
}

static inline bool fake_list(struct fake_acm *acm, const json_t *json, const char *account,
                             const char *region, struct buf *reply)
{
    /* two a page */
    const char *next = json_text(json, "NextToken", 99);
    size_t from = next != NULL ? strtoul(next, NULL, 10) : 0;
    struct buf body;
    buf_init(&body, 1 << 20);
    CHECK(buf_append_text(&body, "{\"CertificateSummaryList\":["));
    size_t shown = 0;
    size_t i = from;
    acm->lists += from == 0;
    for (; i < acm->count && shown < 2; i++) {
        const struct fake_held *held = &acm->held[i];
        if (held->deleted || strcmp(held->region, region) != 0 ||
            strstr(held->arn, account) == NULL)
            continue;
        size_t names = held->cut_names ? strcspn(held->names, ",") : strlen(held->names);
        CHECK(buf_printf(&body,
                         "%s{\"CertificateArn\":\"%s\",\"DomainName\":\"a.example\","
                         "\"SubjectAlternativeNameSummaries\":[%.*s],"
                         "\"HasAdditionalSubjectAlternativeNames\":%s,\"Type\":\"%s\","
                         "\"NotAfter\":%lld.0,\"ImportedAt\":%lld.5}",
                         shown > 0 ? "," : "", held->arn, (int)names, held->names,
                         held->cut_names ? "true" : "false", held->type, (long long)held->not_after,
                         (long long)held->imported_at));
        shown++;
    }
    CHECK(buf_append_text(&body, "]"));
    if (i < acm->count)
        CHECK(buf_printf(&body, ",\"NextToken\":\"%zu\"", i));
    CHECK(buf_append_text(&body, "}"));
    bool ok = fake_reply(reply, 200, "application/x-amz-json-1.1", buf_text(&body));
    buf_free(&body);
    return ok;
}

static inline bool fake_describe(struct fake_acm *acm, const json_t *json, struct buf *reply)
{
    const struct fake_held *held = fake_find(acm, json_text(json, "CertificateArn", 999));
    acm->describes++;
    if (held == NULL)
        return fake_error(reply, 400, "ResourceNotFoundException", "Could not find certificate");
    char body[4096];
    snprintf(body, sizeof body,
             "{\"Certificate\":{\"CertificateArn\":\"%s\",\"Serial\":\"%s\",\"Type\":\"%s\","
             "\"SubjectAlternativeNames\":[%s],\"InUseBy\":[%s],\"NotAfter\":%lld,"
             "\"ImportedAt\":%lld.5}}",
             held->arn, held->serial, held->type, held->names, held->in_use_by,
             (long long)held->not_after, (long long)held->imported_at);
    return fake_reply(reply, 200, "application/x-amz-json-1.1", body);
}

static inline bool fake_tags(struct fake_acm *acm, const json_t *json, struct buf *reply)
{
    const struct fake_held *held = fake_find(acm, json_text(json, "CertificateArn", 999));
    acm->tag_lists++;
    CHECK(held != NULL);
    char body[512];
    snprintf(body, sizeof body, "{\"Tags\":[{\"Key\":\"certmill:name\",\"Value\":\"%s\"}]}",
             held->tag);
    return fake_reply(reply, 200, "application/x-amz-json-1.1", body);
}

static inline bool fake_operation(struct fake_acm *acm, const char *operation, struct span body,
                                  const char *account, const char *region, struct buf *reply)
{
    json_t *json = NULL;
    struct error error;
    CHECK_OK(json_parse(body, (size_t)8 << 20, &json, &error), error);
    bool ok =
        strcmp(operation, "ImportCertificate") == 0 ? fake_import(acm, json, account, region, reply)
        : strcmp(operation, "ListCertificates") == 0 ? fake_list(acm, json, account, region, reply)
        : strcmp(operation, "DescribeCertificate") == 0 ? fake_describe(acm, json, reply)
                                                        : fake_tags(acm, json, reply);
    json_decref(json);
    return ok;
}

static inline enum fake_fault fake_fault_take(struct fake_acm *acm, const char *operation)
{
    if (acm->fault_operation == NULL || strcmp(acm->fault_operation, operation) != 0)
        return FAKE_NONE;
    if (acm->fault_after > 0) {
        acm->fault_after--;
        return FAKE_NONE;
    }
    if (acm->fault_count == 0)
        return FAKE_NONE;
    acm->fault_count--;
    return acm->fault;
}

static inline bool fake_answer(struct fake_acm *acm, const char *operation, struct span body,
                               const char *account, const char *region, struct buf *reply)
{
    if (acm->down_region != NULL && strcmp(acm->down_region, region) == 0)
        return fake_error(reply, 503, "ServiceUnavailable", "down");
    switch (fake_fault_take(acm, operation)) {
    case FAKE_THROTTLE:
        return fake_error(reply, 400, "ThrottlingException", "Rate exceeded");
    case FAKE_ERROR:
        return fake_error(reply, 500, "InternalFailure", "try later");
    case FAKE_DENY:
        return fake_error(reply, 400, "AccessDeniedException", "is not authorized to perform");
    case FAKE_LIMIT:
        return fake_error(reply, 400, "LimitExceededException", "too many certificates");
    case FAKE_LOST:
        (void)fake_operation(acm, operation, body, account, region, reply);
        return false;
    case FAKE_NONE:
        break;
    }
    return fake_operation(acm, operation, body, account, region, reply);
}

/* A header's value up to `end`; "" when it is not there. */
static inline void fake_header(struct span head, const char *name, const char *end, char *text,
                               size_t size)
{
    char *copy = span_duplicate(head);
    const char *at = strcasestr(copy, name);
    text[0] = '\0';
    if (at != NULL) {
        at += strlen(name);
        snprintf(text, size, "%.*s", (int)strcspn(at, end), at);
    }
    free(copy);
}

/* Credential=KEY/DATE/REGION/...: the account is the key id's last twelve characters. */
static inline bool fake_handle(void *context, struct span head, struct span body, struct buf *reply)
{
    struct fake_acm *acm = context;
    char target[128];
    char scope[256];
    fake_header(head, "X-Amz-Target: CertificateManager.", "\r\n", target, sizeof target);
    fake_header(head, "Credential=", ",", scope, sizeof scope);
    struct span rest = span_of(scope);
    struct span key = span_split(&rest, '/');
    span_split(&rest, '/');
    struct span region = span_split(&rest, '/');
    CHECK(key.len >= 12);
    char account[13];
    char region_text[32];
    snprintf(account, sizeof account, "%.12s", key.data + key.len - 12);
    snprintf(region_text, sizeof region_text, "%.*s", SPAN_PRINTF(region));
    pthread_mutex_lock(&acm->lock);
    bool ok;
    acm->calls++;
    if (target[0] == '\0') {
        char xml[512];
        acm->identities++;
        if (acm->deny_identity)
            snprintf(xml, sizeof xml,
                     "<ErrorResponse><Error><Code>InvalidClientTokenId</Code>"
                     "<Message>no</Message></Error></ErrorResponse>");
        else
            snprintf(
                xml, sizeof xml,
                "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"
                "<GetCallerIdentityResult><Account>%s</Account></GetCallerIdentityResult>"
                "</GetCallerIdentityResponse>",
                account);
        ok = fake_reply(reply, acm->deny_identity ? 403 : 200, "text/xml", xml);
    } else {
        ok = fake_answer(acm, target, body, account, region_text, reply);
    }
    pthread_mutex_unlock(&acm->lock);
    return ok;
}

static inline void fake_start(struct fake_acm *acm, int64_t now)
{
    *acm = (struct fake_acm){.now = now};
    pthread_mutex_init(&acm->lock, NULL);
    acm->server = server_start_handler(fake_handle, acm);
}

static inline void fake_stop(struct fake_acm *acm)
{
    server_stop(acm->server);
    pthread_mutex_destroy(&acm->lock);
}

static inline void fake_fail(struct fake_acm *acm, const char *operation, enum fake_fault fault,
                             unsigned after, unsigned count)
{
    acm->fault_operation = operation;
    acm->fault = fault;
    acm->fault_after = after;
    acm->fault_count = count;
}

#endif
