/* Writes the rows of so many certificates to a state database, as a run with so many orders in
 * flight does: an order is intended, placed, and issued, one durable after the other.
 *
 *     bench-state FOLDER CERTIFICATES IN-FLIGHT GATHER-MS
 *
 * GATHER-MS is how long changes are gathered for one commit: 5 in a run with many in flight. */
#include "micro.h"

#include "base/clock.h"
#include "state/state.h"

#include <semaphore.h>
#include <string.h>

#define CERTIFICATES_MAX 10000000U
#define IN_FLIGHT_MAX    100000U
#define GATHER_MS_MAX    1000U
#define SEQUENCE_FIRST   1
#define LIFETIME_S       (90LL * SECONDS_PER_DAY)

struct row {
    struct state_change change;
    struct mill *mill;
    char name[32], names[64], url[64];
};

struct mill {
    struct state *state;
    struct row *rows;
    unsigned next, count, done; /* only the writer's thread changes them once it runs */
    int64_t now;
    sem_t end;
};

static void row_done(struct state_change *change);

static void row_post(struct row *row, enum state_change_kind kind)
{
    struct state_change *change = &row->change;
    const struct mill *mill = row->mill;
    *change = (struct state_change){.kind = kind, .owner = row, .done = row_done};
    if (kind == STATE_ISSUED)
        change->certificate = (struct state_certificate){
            .name = row->name,
            .status = CERTIFICATE_ISSUED,
            .digest = (uintptr_t)row,
            .sequence = SEQUENCE_FIRST,
            .not_before = mill->now,
            .not_after = mill->now + LIFETIME_S,
            .issued_at = mill->now,
            .serial = "0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b",
            .issuer = "Load CA Intermediate 1",
            .key = "ECDSA-P256",
            .account = "bench",
            .directory = "https://localhost:14000/dir",
            .names = row->names,
            .attempted_at = mill->now,
            .last_error = "",
        };
    else
        change->order = (struct state_order){
            .name = row->name,
            .stage = kind == STATE_ORDER_PLACED ? ORDER_PLACED : ORDER_INTENDED,
            .digest = (uintptr_t)row,
            .sequence = SEQUENCE_FIRST,
            .account = "bench",
            .directory = "https://localhost:14000/dir",
            .url = kind == STATE_ORDER_PLACED ? row->url : "",
            .placed_at = mill->now,
        };
    state_post(mill->state, change);
}

static void row_name(struct mill *mill, unsigned number)
{
    struct row *row = &mill->rows[number];
    row->mill = mill;
    snprintf(row->name, sizeof row->name, "shop-%07u", number);
    snprintf(row->names, sizeof row->names, "shop-%07u.example.com", number);
    snprintf(row->url, sizeof row->url, "https://localhost:14000/order/%u", number);
}

static void row_done(struct state_change *change)
{
    struct row *row = change->owner;
    struct mill *mill = row->mill;
    micro_must(change->ok, "state", &change->error);
    if (change->kind == STATE_ORDER_INTENDED) {
        row_post(row, STATE_ORDER_PLACED);
    } else if (change->kind == STATE_ORDER_PLACED) {
        row_post(row, STATE_ISSUED);
    } else {
        if (mill->next < mill->count)
            row_post(&mill->rows[mill->next++], STATE_ORDER_INTENDED);
        if (++mill->done == mill->count)
            sem_post(&mill->end);
    }
}

int main(int argc, char **argv)
{
    if (argc != 5)
        micro_fail("usage", "bench-state FOLDER CERTIFICATES IN-FLIGHT GATHER-MS");
    struct error error;
    struct mill mill = {.count = micro_number(argv[2], CERTIFICATES_MAX), .now = clock_unix()};
    unsigned in_flight = micro_number(argv[3], IN_FLIGHT_MAX);
    unsigned gather_ms = micro_number(argv[4], GATHER_MS_MAX);
    if (mill.count == 0 || in_flight == 0 || in_flight > mill.count)
        micro_fail(argv[3], "is no number in flight of so many");
    mill.rows = calloc(mill.count, sizeof *mill.rows);
    if (mill.rows == NULL || sem_init(&mill.end, 0, 0) != 0)
        micro_fail("calloc", "no memory");
    micro_must(state_open(argv[1], false, &mill.state, &error), argv[1], &error);
    micro_must(state_start(mill.state, gather_ms, &error), argv[1], &error);
    for (unsigned i = 0; i < mill.count; i++)
        row_name(&mill, i);
    mill.next = in_flight;
    struct micro_time start = micro_start();
    for (unsigned i = 0; i < in_flight; i++)
        row_post(&mill.rows[i], STATE_ORDER_INTENDED);
    while (sem_wait(&mill.end) != 0)
        ;
    micro_print("certificates", mill.count, start);
    state_close(mill.state);
    free(mill.rows);
    return EXIT_SUCCESS;
}
