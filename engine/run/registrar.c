#include "run/registrar.h"

#include "report/report.h"
#include "run/account_file.h"
#include "run/message.h"
#include "run/revoker.h"
#include "run/session.h"
#include "test/point.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIRECTORY_PATIENCE_MS ((int64_t)60000)
#define REREADS_MAX           3

struct registration {
    struct lane *lane;
    char folder[PATH_MAX];
    struct account_record record;
    bool asked_existing; /* onlyReturnExisting is out, or was tried */
    bool key_is_old;
    bool started;
    unsigned rereads;   /* of answers that told of an account but not which */
    struct error first; /* why newAccount was refused, while onlyReturnExisting is tried */
    struct problem first_problem;
};

struct registrar {
    struct registration *list;
    size_t count;
    size_t open;        /* lanes neither ready nor refused */
    bool *suffix_tried; /* by CA: "/directory" has been added to its URL */
};

static void lane_publish(struct worker *worker)
{
    worker->registrar->open--;
    workers_wake(worker->run);
}

void revoker_ended(struct worker *worker)
{
    worker->registrar->open--;
}

static void refuse(struct worker *worker, struct registration *registration,
                   const struct error *error, const struct problem *problem)
{
    struct error why = *error;
    error_prefix(&why, "account %s: ", registration->lane->account->alias);
    lane_refuse(registration->lane, &why, problem);
    lane_publish(worker);
}

static void ready(struct worker *worker, struct registration *registration)
{
    struct lane *lane = registration->lane;
    news_send(worker, NEWS_ACCOUNT, NULL, lane->account->alias, lane->account_url, NULL, NULL);
    worker->registrar->open += revoker_begin(worker, lane);
    atomic_store_explicit(&lane->status, LANE_READY, memory_order_release);
    lane_publish(worker);
}

static void account_ask(struct worker *worker, struct registration *registration,
                        bool only_existing);

/* The CA has made or found the account, but the answer is spoilt: it is asked for what there is. */
static void account_ask_again(struct worker *worker, struct registration *registration,
                              const struct error *error)
{
    if (registration->rereads++ < REREADS_MAX)
        account_ask(worker, registration, true);
    else
        refuse(worker, registration, error, NULL);
}

/* The account is there: keep what the CA said, then let the orders begin. */
static void account_take(struct worker *worker, struct registration *registration,
                         const struct reply *reply)
{
    struct lane *lane = registration->lane;
    struct account_object object = {0};
    struct error error;
    struct span url = reply->http->location;
    if (!acme_url_check(url, &error)) {
        error_set(&error, ERROR_PROTOCOL, "%s registered the account without giving its URL",
                  lane->ca->host);
        account_ask_again(worker, registration, &error);
        return;
    }
    if (!account_object_parse(reply->http->body, &object, &error)) {
        error_prefix(&error, "%s sent an account that cannot be read: ", lane->ca->host);
        account_ask_again(worker, registration, &error);
        return;
    }
    if (object.status != ACCOUNT_VALID) {
        error_set(&error, ERROR_CA, "%s has %s the account: register another (a new alias)",
                  lane->ca->host, object.status == ACCOUNT_DEACTIVATED ? "deactivated" : "revoked");
        account_object_free(&object);
        refuse(worker, registration, &error, NULL);
        return;
    }
    struct account_record *record = &registration->record;
    bool same = record->url != NULL && span_is(url, record->url);
    free(record->url);
    free(record->orders);
    record->url = span_duplicate(url);
    record->orders = object.orders;
    object.orders = NULL;
    account_object_free(&object);
    if (!same || record->registered_at == 0)
        record->registered_at = worker_now_unix(worker);
    lane->account_url = record->url != NULL ? strdup(record->url) : NULL;
    lane->orders_url = record->orders != NULL ? strdup(record->orders) : NULL;
    if (lane->account_url == NULL) {
        error_set(&error, ERROR_MEMORY, "no memory for an account");
        worker_break(worker, &error);
        return;
    }
    if (!account_record_write(registration->folder, record, lane->account->endpoint,
                              lane->account->email, &error)) {
        refuse(worker, registration, &error, NULL);
        return;
    }
    ready(worker, registration);
}

static void account_reply(struct worker *worker, struct call *call, const struct reply *reply)
{
    struct registration *registration = &worker->registrar->list[call->part];
    test_point("after-new-account");
    if (reply->ok) {
        account_take(worker, registration, reply);
        return;
    }
    bool refused = reply->http->failure == HTTP_ANSWERED;
    bool unknown = refused && reply->problem.reaction == REACT_REGISTER;
    if (registration->asked_existing && unknown && registration->record.url != NULL) {
        /* The CA has forgotten the account (a test CA that was started anew): register again. */
        free(registration->record.url);
        registration->record.url = NULL;
        account_ask(worker, registration, false);
        return;
    }
    if (!registration->asked_existing && refused && registration->key_is_old) {
        /* The EAB credential may be used up by an earlier newAccount with this very key, whose
         * answer got lost. */
        registration->first = reply->error;
        registration->first_problem = reply->problem;
        account_ask(worker, registration, true);
        return;
    }
    if (registration->first.kind != ERROR_NONE) {
        refuse(worker, registration, &registration->first, &registration->first_problem);
        return;
    }
    refuse(worker, registration, &reply->error, refused ? &reply->problem : NULL);
}

static bool binding_append(const struct registration *registration, const char *url,
                           struct buf *out, struct error *error)
{
    const struct account *account = registration->lane->account;
    if (account->eab_key_id == NULL)
        return true;
    return jws_external_binding(registration->lane->signer, url, account->eab_key_id,
                                secret_span(&account->eab_hmac), out, error);
}

static void account_ask(struct worker *worker, struct registration *registration,
                        bool only_existing)
{
    struct lane *lane = registration->lane;
    const char *url = lane->ca->directory.new_account;
    struct error error;
    if (!only_existing && lane->ca->directory.external_account_required &&
        lane->account->eab_key_id == NULL) {
        error_set(&error, ERROR_CONFIG,
                  "%s requires external account binding: give eab-key and eab-hmac-key",
                  lane->ca->host);
        refuse(worker, registration, &error, NULL);
        return;
    }
    struct buf binding CLEANUP(buf_free);
    buf_init(&binding, JWS_MAX);
    if (!only_existing && !binding_append(registration, url, &binding, &error)) {
        refuse(worker, registration, &error, NULL);
        return;
    }
    struct call *call = call_new(worker, lane->ca, lane, CALL_ACCOUNT, url, account_reply);
    if (call == NULL)
        return;
    call->part = (uint32_t)(registration - worker->registrar->list);
    call->with_jwk = true;
    registration->asked_existing = only_existing;
    if (!payload_new_account(lane->account->email, true, only_existing, buf_span(&binding),
                             &call->payload)) {
        error_set(&error, ERROR_MEMORY, "no memory for a request");
        worker_break(worker, &error);
        return;
    }
    if (!only_existing)
        test_point("before-new-account");
    call_submit(call);
}

/* The directory is there: the CA's accounts follow, side by side. */
static void account_begin(struct worker *worker, struct registration *registration)
{
    struct lane *lane = registration->lane;
    struct error error;
    bool made;
    EVP_PKEY *key CLEANUP(key_release) = NULL;
    registration->started = true;
    if (!account_key_have(worker->run->crypto, registration->folder, worker->run->account_key, &key,
                          &made, &error) ||
        !jws_signer_new(worker->run->crypto, key, &lane->signer, &error)) {
        refuse(worker, registration, &error, NULL);
        return;
    }
    registration->key_is_old = !made;
    account_ask(worker, registration, registration->record.url != NULL && !made);
}

static void directory_fetch(struct worker *worker, struct ca *ca, const char *url);

static void ca_refuse(struct worker *worker, const struct ca *ca, const struct error *error,
                      const struct problem *problem)
{
    struct registrar *registrar = worker->registrar;
    for (size_t i = 0; i < registrar->count; i++)
        if (registrar->list[i].lane->ca == ca && !registrar->list[i].started) {
            registrar->list[i].started = true;
            refuse(worker, &registrar->list[i], error, problem);
        }
}

/* Some CAs' account pages name the folder, and the directory is below it. */
static bool suffix_try(struct worker *worker, struct ca *ca)
{
    struct registrar *registrar = worker->registrar;
    if (registrar->suffix_tried[ca->index])
        return false;
    registrar->suffix_tried[ca->index] = true;
    char url[ACME_URL_MAX];
    size_t len = strlen(ca->url);
    const char *slash = len > 0 && ca->url[len - 1] == '/' ? "" : "/";
    if (snprintf(url, sizeof url, "%s%sdirectory", ca->url, slash) >= (int)sizeof url)
        return false;
    directory_fetch(worker, ca, url);
    return true;
}

static void directory_keep(struct worker *worker, const struct ca *ca, const char *url)
{
    struct registrar *registrar = worker->registrar;
    for (size_t i = 0; i < registrar->count; i++) {
        struct registration *registration = &registrar->list[i];
        if (registration->lane->ca != ca || strcmp(url, ca->url) == 0)
            continue;
        free(registration->record.directory);
        registration->record.directory = strdup(url);
    }
}

static void directory_reply(struct worker *worker, struct call *call, const struct reply *reply)
{
    struct ca *ca = call->session->ca;
    struct registrar *registrar = worker->registrar;
    struct error error;
    bool answered = reply->http->failure == HTTP_ANSWERED;
    if (!reply->ok || !directory_parse(reply->http->body, &ca->directory, &error)) {
        if (answered && suffix_try(worker, ca))
            return;
        if (!reply->ok)
            error = reply->error;
        else
            error_prefix(&error, "%s is no ACME directory: ", call->url);
        ca_refuse(worker, ca, &error, answered && !reply->ok ? &reply->problem : NULL);
        return;
    }
    directory_keep(worker, ca, call->url);
    for (size_t i = 0; i < registrar->count && !worker->broken; i++)
        if (registrar->list[i].lane->ca == ca && !registrar->list[i].started)
            account_begin(worker, &registrar->list[i]);
}

static void directory_fetch(struct worker *worker, struct ca *ca, const char *url)
{
    struct call *call = call_new(worker, ca, NULL, CALL_DIRECTORY, url, directory_reply);
    if (call == NULL)
        return;
    /* A CA that is down at the start is not worth an order's patience. */
    int64_t patience_ms = worker->run->order_timeout_ms;
    if (patience_ms > DIRECTORY_PATIENCE_MS)
        patience_ms = DIRECTORY_PATIENCE_MS;
    call->deadline_ms = worker->now_ms + patience_ms;
    call_submit(call);
}

/* What an earlier run kept: the URL that turned out to be the directory's. */
static bool registration_begin(struct worker *worker, struct registration *registration)
{
    struct lane *lane = registration->lane;
    struct error error = {0};
    error_set(&error, ERROR_CONFIG, "the state folder's path is too long");
    if (account_folder(worker->run->state_folder, lane->ca->host, lane->account->alias,
                       registration->folder, sizeof registration->folder) &&
        account_record_read(registration->folder, &registration->record, &error))
        return true;
    registration->started = true;
    refuse(worker, registration, &error, NULL);
    return false;
}

bool registrar_start(struct worker *worker)
{
    struct lanes *lanes = worker->run->lanes;
    struct registrar *registrar = calloc(1, sizeof *registrar);
    bool *fetched = calloc(lanes->ca_count + 1, sizeof *fetched);
    worker->registrar = registrar;
    if (registrar == NULL || fetched == NULL) {
        free(fetched);
        return false;
    }
    registrar->list = calloc(lanes->count + 1, sizeof *registrar->list);
    registrar->suffix_tried = calloc(lanes->ca_count + 1, sizeof *registrar->suffix_tried);
    if (registrar->list == NULL || registrar->suffix_tried == NULL) {
        free(fetched);
        return false;
    }
    for (size_t i = 0; i < lanes->count; i++)
        if (lanes->list[i].ca->home == worker->index)
            registrar->list[registrar->count++].lane = &lanes->list[i];
    registrar->open = registrar->count;
    for (size_t i = 0; i < registrar->count && !worker->broken; i++) {
        struct registration *registration = &registrar->list[i];
        struct ca *ca = registration->lane->ca;
        if (!registration_begin(worker, registration) || fetched[ca->index])
            continue;
        fetched[ca->index] = true;
        const char *kept = registration->record.directory;
        registrar->suffix_tried[ca->index] = kept != NULL;
        directory_fetch(worker, ca, kept != NULL ? kept : ca->url);
    }
    free(fetched);
    return true;
}

bool registrar_is_done(const struct worker *worker)
{
    return worker->registrar->open == 0;
}

void registrar_cancel(struct worker *worker)
{
    worker->registrar->open = 0;
}

void registrar_free(struct worker *worker)
{
    struct registrar *registrar = worker->registrar;
    if (registrar == NULL)
        return;
    for (size_t i = 0; i < registrar->count; i++)
        account_record_free(&registrar->list[i].record);
    free(registrar->list);
    free(registrar->suffix_tried);
    free(registrar);
}
