/* The writer thread: takes all changes that were posted, puts them into one transaction, commits
 * it (one fsync), then tells each change's owner. What is posted meanwhile makes the next group, so
 * that the number of fsyncs follows the disk, not the number of certificates. A quick disk would
 * make that groups of one or two, with a commit for each (some 150 us of CPU time): so a group may
 * be given a moment to gather.
 *
 * After a failed commit nothing is written any more: the database then lacks changes that later
 * ones build on. */
#include "state/state_internal.h"

#include "base/clock.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>

/* A group's changes wait for each other; this bounds the wait and the growth of the -wal file. */
#define GROUP_MAX 4096

enum message_kind { MESSAGE_CHANGE, MESSAGE_STOP };

static const char *const change_sql[CHANGE_COUNT] = {
    [CHANGE_BEGIN] = "BEGIN IMMEDIATE",
    [CHANGE_COMMIT] = "COMMIT",
    [CHANGE_ROLLBACK] = "ROLLBACK",
    [CHANGE_ORDER_PUT] = "INSERT OR REPLACE INTO open_order"
                         " (name, stage, digest, sequence, account, directory, url, placed_at)"
                         " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [CHANGE_ORDER_DELETE] = "DELETE FROM open_order WHERE name = ?1",
    /* 3 is CERTIFICATE_PENDING: without an order it is what it was before. */
    [CHANGE_PENDING_END] = "UPDATE certificate SET status ="
                           " CASE WHEN last_error != '' THEN 2 WHEN sequence > 0 THEN 1 ELSE 0 END"
                           " WHERE name = ?1 AND status = 3",
    [CHANGE_ISSUED] =
        "INSERT INTO certificate (name, status, digest, sequence, not_before, not_after,"
        " issued_at, serial, issuer, key, account, directory, names, attempted_at)"
        " VALUES (?1, 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"
        " ON CONFLICT (name) DO UPDATE SET status = 1, digest = ?2, sequence = ?3,"
        " not_before = ?4, not_after = ?5, issued_at = ?6, serial = ?7, issuer = ?8, key = ?9,"
        " account = ?10, directory = ?11, names = ?12, attempted_at = ?13, failures = 0,"
        " last_error = '', revoked_at = 0",
    [CHANGE_FAILED] = "INSERT INTO certificate (name, status, failures, attempted_at, last_error)"
                      " VALUES (?1, 2, 1, ?2, ?3)"
                      " ON CONFLICT (name) DO UPDATE SET status = 2, failures = failures + 1,"
                      " attempted_at = ?2, last_error = ?3",
    [CHANGE_PENDING] = "INSERT INTO certificate (name, status, attempted_at) VALUES (?1, 3, ?2)"
                       " ON CONFLICT (name) DO UPDATE SET status = 3, attempted_at = ?2",
    [CHANGE_DEPLOYED] = "INSERT INTO certificate (name, deployed_sequence) VALUES (?1, ?2)"
                        " ON CONFLICT (name) DO UPDATE SET deployed_sequence = ?2",
    [CHANGE_REVOKED] = "UPDATE certificate SET revoked_at = ?2 WHERE name = ?1",
    [CHANGE_RECORD_PUT] = "INSERT OR REPLACE INTO solver_record (name, solver, fqdn, value)"
                          " VALUES (?1, ?2, ?3, ?4)",
    [CHANGE_RECORD_DELETE] =
        "DELETE FROM solver_record WHERE name = ?1 AND solver = ?2 AND fqdn = ?3 AND value = ?4",
};
_Static_assert(CERTIFICATE_ISSUED == 1 && CERTIFICATE_FAILED == 2 && CERTIFICATE_PENDING == 3,
               "the statements above hold these numbers");

bool state_bind_texts(sqlite3_stmt *statement, int first, const char *const *texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (sqlite3_bind_text(statement, first + (int)i, texts[i] != NULL ? texts[i] : "", -1,
                              SQLITE_STATIC) != SQLITE_OK)
            return false;
    return true;
}

bool state_bind_numbers(sqlite3_stmt *statement, int first, const int64_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (sqlite3_bind_int64(statement, first + (int)i, numbers[i]) != SQLITE_OK)
            return false;
    return true;
}

bool state_step(sqlite3_stmt *statement)
{
    (void)sqlite3_step(statement);
    return sqlite3_reset(statement) == SQLITE_OK;
}

static bool run_named(struct state *state, enum change_statement which, const char *name)
{
    sqlite3_stmt *statement = state->changes[which];
    return state_bind_texts(statement, 1, &name, 1) && state_step(statement);
}

static bool put_order(struct state *state, const struct state_order *order, enum order_stage stage)
{
    sqlite3_stmt *statement = state->changes[CHANGE_ORDER_PUT];
    const char *texts[] = {order->account, order->directory,
                           stage == ORDER_PLACED ? order->url : ""};
    int64_t numbers[] = {stage, (int64_t)order->digest, order->sequence};
    return state_bind_texts(statement, 1, &order->name, 1) &&
           state_bind_numbers(statement, 2, numbers, 3) &&
           state_bind_texts(statement, 5, texts, 3) &&
           state_bind_numbers(statement, 8, &order->placed_at, 1) && state_step(statement);
}

static bool put_issued(struct state *state, const struct state_certificate *row)
{
    sqlite3_stmt *statement = state->changes[CHANGE_ISSUED];
    int64_t numbers[] = {(int64_t)row->digest, row->sequence, row->not_before, row->not_after,
                         row->issued_at};
    const char *texts[] = {row->serial,  row->issuer,    row->key,
                           row->account, row->directory, row->names};
    int64_t attempted_at = row->attempted_at != 0 ? row->attempted_at : row->issued_at;
    return state_bind_texts(statement, 1, &row->name, 1) &&
           state_bind_numbers(statement, 2, numbers, 5) &&
           state_bind_texts(statement, 7, texts, 6) &&
           state_bind_numbers(statement, 13, &attempted_at, 1) && state_step(statement) &&
           run_named(state, CHANGE_ORDER_DELETE, row->name);
}

void state_error_text_copy(const char *text, char *copy)
{
    size_t left = strlen(text);
    size_t used = 0;
    while (left > 0) {
        unsigned char lead = (unsigned char)*text;
        size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
        bool sound = length <= left && span_is_utf8(span_make(text, length));
        if (!sound)
            length = 1;
        if (used + length > STATE_ERROR_MAX)
            break;
        memcpy(copy + used, sound ? text : "?", length);
        used += length;
        text += length;
        left -= length;
    }
    copy[used] = '\0';
}

static bool put_failed(struct state *state, const struct state_change *change)
{
    const struct state_certificate *row = &change->certificate;
    sqlite3_stmt *statement = state->changes[CHANGE_FAILED];
    char text[STATE_ERROR_MAX + 1];
    state_error_text_copy(row->last_error != NULL ? row->last_error : "", text);
    const char *last_error = text;
    bool ok = state_bind_texts(statement, 1, &row->name, 1) &&
              state_bind_numbers(statement, 2, &row->attempted_at, 1) &&
              state_bind_texts(statement, 3, &last_error, 1) && state_step(statement);
    /* The statement outlives `text`. */
    (void)sqlite3_clear_bindings(statement);
    return ok && (change->keep_order || run_named(state, CHANGE_ORDER_DELETE, row->name));
}

/* The name and one number. */
static bool put_number(struct state *state, enum change_statement which, const char *name,
                       int64_t number)
{
    sqlite3_stmt *statement = state->changes[which];
    return state_bind_texts(statement, 1, &name, 1) &&
           state_bind_numbers(statement, 2, &number, 1) && state_step(statement);
}

static bool put_record(struct state *state, enum change_statement which,
                       const struct state_record *record)
{
    const char *texts[] = {record->name, record->solver, record->fqdn, record->value};
    return state_bind_texts(state->changes[which], 1, texts, 4) &&
           state_step(state->changes[which]);
}

static bool apply(struct state *state, const struct state_change *change)
{
    switch (change->kind) {
    case STATE_ORDER_INTENDED:
        return put_order(state, &change->order, ORDER_INTENDED);
    case STATE_ORDER_PLACED:
        return put_order(state, &change->order, ORDER_PLACED);
    case STATE_ORDER_GONE:
        return run_named(state, CHANGE_ORDER_DELETE, change->order.name) &&
               run_named(state, CHANGE_PENDING_END, change->order.name);
    case STATE_ISSUED:
        return put_issued(state, &change->certificate);
    case STATE_FAILED:
        return put_failed(state, change);
    case STATE_PENDING:
        return put_number(state, CHANGE_PENDING, change->certificate.name,
                          change->certificate.attempted_at);
    case STATE_DEPLOYED:
        return put_number(state, CHANGE_DEPLOYED, change->certificate.name,
                          change->certificate.deployed_sequence);
    case STATE_REVOKED:
        return put_number(state, CHANGE_REVOKED, change->certificate.name,
                          change->certificate.revoked_at);
    case STATE_RECORD_MADE:
        return put_record(state, CHANGE_RECORD_PUT, &change->record);
    case STATE_RECORD_REMOVED:
        return put_record(state, CHANGE_RECORD_DELETE, &change->record);
    case STATE_IMPORT_INTENDED:
    case STATE_IMPORTED:
    case STATE_IMPORT_KEPT:
    case STATE_IMPORT_FAILED:
    case STATE_IMPORT_GONE:
        return import_apply(state, change);
    }
    return true;
}

/* Writes the first changes of the list in one transaction. Returns the first that is not of the
 * group. */
static struct message *commit_group(struct state *state, struct message *first)
{
    bool ok = state_step(state->changes[CHANGE_BEGIN]);
    struct message *end = first;
    size_t count = 0;
    for (; end != NULL && end->kind == MESSAGE_CHANGE && count < GROUP_MAX; end = end->next) {
        ok = ok && apply(state, (struct state_change *)end);
        count++;
    }
    ok = ok && state_step(state->changes[CHANGE_COMMIT]);
    if (ok) {
        atomic_fetch_add(&state->change_count, count);
        atomic_fetch_add(&state->commit_count, 1);
        return end;
    }
    state_error(state->path, state->database, "writing the state database", &state->failure);
    if (!sqlite3_get_autocommit(state->database))
        (void)state_step(state->changes[CHANGE_ROLLBACK]);
    return end;
}

/* Tells the owners; a change is its owner's again when `done` is called. */
static void tell_group(struct state *state, struct message *first, const struct message *end)
{
    while (first != end) {
        struct state_change *change = (struct state_change *)first;
        first = first->next;
        change->ok = state->failure.kind == ERROR_NONE;
        change->error = state->failure;
        if (change->done != NULL)
            change->done(change);
    }
}

/* Waits for the first change, and for more of them until the moment to gather is over, counted from
 * the beginning of the last commit. */
static void changes_wait(const struct state *state, int64_t commit_began_ms)
{
    struct pollfd wait = {.fd = state->mailbox.event_fd, .events = POLLIN};
    (void)poll(&wait, 1, -1);
    int64_t left_ms = commit_began_ms + state->gather_ms - clock_monotonic_ms();
    if (left_ms > 0)
        (void)poll(NULL, 0, (int)left_ms);
}

static void *writer_run(void *context)
{
    struct state *state = context;
    for (;;) {
        int64_t began_ms = clock_monotonic_ms();
        struct message *first = mailbox_take(&state->mailbox);
        while (first != NULL) {
            if (first->kind == MESSAGE_STOP)
                return NULL;
            struct message *end = first->next;
            if (state->failure.kind == ERROR_NONE)
                end = commit_group(state, first);
            tell_group(state, first, end);
            first = end;
        }
        changes_wait(state, began_ms);
    }
}

bool state_start(struct state *state, unsigned gather_ms, struct error *error)
{
    if (state->read_only)
        return error_set(error, ERROR_STATE, "%s was opened for reading only", state->path);
    for (size_t i = 0; i < CHANGE_COUNT; i++)
        if (state->changes[i] == NULL)
            TRY(state_prepare(state, state->database,
                              change_sql[i] != NULL ? change_sql[i] : import_sql[i],
                              &state->changes[i], error));
    /* What reads from now on does so through its own connection. */
    sqlite3_finalize(state->find);
    state->find = NULL;
    TRY(state_open_reader(state, &state->reader, error));
    TRY(mailbox_init(&state->mailbox, error));
    state->gather_ms = gather_ms;
    int code = pthread_create(&state->thread, NULL, writer_run, state);
    if (code != 0) {
        mailbox_free(&state->mailbox);
        return error_system(error, code, "starting the state's thread");
    }
    state->started = true;
    return true;
}

void state_post(struct state *state, struct state_change *change)
{
    change->message.kind = MESSAGE_CHANGE;
    mailbox_post(&state->mailbox, &change->message);
}

void state_stop(struct state *state)
{
    state->stop.kind = MESSAGE_STOP;
    mailbox_post(&state->mailbox, &state->stop);
    pthread_join(state->thread, NULL);
    mailbox_free(&state->mailbox);
    state->started = false;
}

void state_count(struct state *state, struct state_counts *ret_counts)
{
    *ret_counts = (struct state_counts){
        .changes = atomic_load(&state->change_count),
        .commits = atomic_load(&state->commit_count),
    };
}
