/* From a CSR to a certificate: RFC 8555 section 7.4. */
#include "call.h"

#include "base/base64.h"
#include "crypto/certificate.h"

#include <stdlib.h>
#include <string.h>

enum { CSR_DER_MAX = 128 * 1024 };

static bool csr_decode(struct ca_call *call, struct buf *der)
{
    struct ca_json csr = ca_json_get(call->body, "csr");
    struct span text;
    if (!ca_call_has_object(call))
        return false;
    if (!ca_json_string(csr, &call->arena, &text) || !base64url_decode(text, der) || der->len == 0)
        return ca_refuse(call, 400, "malformed", "Error decoding Base64url-encoded CSR");
    return true;
}

/* Names as an order has them, for comparing: sorted, each once. */
struct name_set {
    const char **names;
    size_t count;
};

static int names_compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void set_sort(struct name_set *set)
{
    size_t kept = 0;
    qsort(set->names, set->count, sizeof *set->names, names_compare);
    for (size_t i = 0; i < set->count; i++) {
        if (kept == 0 || strcmp(set->names[kept - 1], set->names[i]) != 0)
            set->names[kept++] = set->names[i];
    }
    set->count = kept;
}

/* The order's names; with the lock. */
static bool order_names(struct ca_call *call, const struct ca_order *order, struct name_set *set)
{
    set->names = arena_alloc(&call->arena, order->authorization_count * sizeof *set->names);
    if (set->names == NULL)
        return false;
    for (uint32_t i = 0; i < order->authorization_count; i++) {
        const struct ca_authorization *authorization = ca_authorization_of(call->acme, order, i);
        size_t len = strlen(authorization->name);
        char *text = arena_alloc(&call->arena, len + 3);
        if (text == NULL)
            return false;
        text[0] = '*';
        text[1] = '.';
        memcpy(text + (authorization->wildcard ? 2 : 0), authorization->name, len + 1);
        set->names[set->count++] = text;
    }
    set_sort(set);
    return true;
}

static bool csr_names(struct ca_call *call, const struct csr_facts *csr, struct name_set *set)
{
    char text[CERTIFICATE_NAME_TEXT];
    struct span rest = csr->names;
    set->names = arena_alloc(&call->arena, (csr->name_count + 1) * sizeof *set->names);
    if (set->names == NULL)
        return false;
    while (set->count < csr->name_count && csr_name_next(&rest, text)) {
        set->names[set->count] = arena_text(&call->arena, span_of(text));
        if (set->names[set->count++] == NULL)
            return false;
    }
    set_sort(set);
    return true;
}

static bool names_check(struct ca_call *call, const struct csr_facts *csr,
                        const struct name_set *wanted)
{
    struct name_set found = {0};
    if (!csr_names(call, csr, &found))
        return ca_refuse(call, 500, "serverInternal", "no memory");
    for (size_t i = 0; i < wanted->count && i < found.count; i++) {
        if (strcmp(wanted->names[i], found.names[i]) != 0)
            return ca_refuse(call, 400, "badCSR",
                             "CSR's names are not the order's: \"%s\" in place of \"%s\"",
                             found.names[i], wanted->names[i]);
    }
    if (wanted->count != found.count)
        return ca_refuse(call, 400, "badCSR",
                         "Order includes different number of identifiers than CSR specifies");
    return true;
}

/* RFC 8555 section 11.1. */
static bool key_check(struct ca_call *call, const struct csr_facts *csr)
{
    unsigned char digest[CA_KEY_DIGEST];
    if (!ca_spki_digest(call->acme->crypto, csr->public_key, digest))
        return ca_refuse(call, 500, "serverInternal", "hashing a key failed");
    pthread_mutex_lock(&call->acme->lock);
    bool known = ca_account_by_key(call->acme, digest) != NULL;
    pthread_mutex_unlock(&call->acme->lock);
    return !known ||
           ca_refuse(call, 400, "badCSR", "CSR contains a public key for a known account");
}

/* What a certificate is made of; known without the lock. */
struct job {
    uint32_t order;
    uint32_t certificate; /* its id is reserved */
    struct name_set names;
    struct issue_request request;
};

static bool status_check(struct ca_call *call, const struct ca_order *order)
{
    return order->status == CA_READY ||
           ca_refuse(call, 403, "orderNotReady", "Order's status (\"%s\") was not ready",
                     ca_status_name(order->status));
}

static bool job_begin(struct ca_call *call, struct job *job)
{
    pthread_mutex_lock(&call->acme->lock);
    const struct ca_order *order = ca_call_order(call, "/finalize/", &job->order);
    bool good = order != NULL && status_check(call, order);
    if (good && !order_names(call, order, &job->names))
        good = ca_refuse(call, 500, "serverInternal", "no memory");
    pthread_mutex_unlock(&call->acme->lock);
    return good;
}

/* Takes the order, so that no other thread issues for it too. */
static bool job_claim(struct ca_call *call, struct job *job)
{
    struct acme *acme = call->acme;
    pthread_mutex_lock(&acme->lock);
    struct ca_order *order = ca_table_at(&acme->orders, job->order);
    ca_order_refresh(acme, order, call->request->now_us);
    bool good = status_check(call, order);
    if (good && ca_table_add(&acme->certificates) == NULL)
        good = ca_refuse(call, 500, "serverInternal", "no memory");
    if (good) {
        order->status = CA_PROCESSING;
        order->issuing = true;
        job->certificate = acme->certificates.count;
        job->request.number = job->certificate;
        job->request.not_before = order->not_before != 0 ? order->not_before : call->now;
        job->request.not_after =
            order->not_after != 0
                ? order->not_after
                : job->request.not_before + ca_profile_lifetime(acme, order->profile) - 1;
    }
    pthread_mutex_unlock(&acme->lock);
    return good;
}

/* With the lock. */
static bool certificate_put(struct ca_call *call, const struct job *job,
                            const struct issued *issued)
{
    struct acme *acme = call->acme;
    struct ca_certificate *certificate = ca_table_at(&acme->certificates, job->certificate);
    char *der = arena_alloc(&acme->texts, issued->der.len);
    if (der == NULL)
        return false;
    memcpy(der, issued->der.data, issued->der.len);
    certificate->der = der;
    certificate->der_len = (uint32_t)issued->der.len;
    memcpy(certificate->serial, issued->serial, sizeof certificate->serial);
    certificate->serial_len = (uint8_t)issued->serial_len;
    certificate->intermediate = (uint8_t)issued->intermediate;
    certificate->not_before = job->request.not_before;
    certificate->not_after = job->request.not_after;
    certificate->order = job->order;
    certificate->account = call->account;
    acme->counts.issued++;
    return true;
}

/* With the lock; `issued` is NULL when it failed. */
static void job_end(struct ca_call *call, const struct job *job, const struct issued *issued)
{
    struct ca_order *order = ca_table_at(&call->acme->orders, job->order);
    order->issuing = false;
    if (issued == NULL || !certificate_put(call, job, issued)) {
        order->status = CA_INVALID;
        order->failure = ca_failure_new("serverInternal", 500, "issuing failed");
        (void)ca_refuse(call, 500, "serverInternal", "issuing failed");
        return;
    }
    order->certificate = job->certificate;
    order->valid_at_us = call->request->now_us + call->mood->processing_us;
    ca_answer_order(call, 200, job->order);
}

static void job_run(struct ca_call *call, struct job *job)
{
    struct issued issued;
    struct error error;
    if (!job_claim(call, job))
        return;
    bool made = issuer_issue(call->acme->issuer, &job->request, &issued, &error);
    pthread_mutex_lock(&call->acme->lock);
    job_end(call, job, made ? &issued : NULL);
    pthread_mutex_unlock(&call->acme->lock);
    if (made)
        buf_free(&issued.der);
}

void ca_serve_finalize(struct ca_call *call)
{
    struct buf der CLEANUP(buf_free);
    struct csr_facts csr;
    struct error error;
    struct job job = {0};
    buf_init(&der, CSR_DER_MAX);
    if (!job_begin(call, &job) || !csr_decode(call, &der))
        return;
    if (!csr_read(call->acme->issuer, buf_span(&der), &csr, &error)) {
        (void)ca_refuse(call, 400, "badCSR", "%s", error.text);
        return;
    }
    if (!names_check(call, &csr, &job.names) || !key_check(call, &csr))
        return;
    job.request.csr = &csr;
    job_run(call, &job);
}
