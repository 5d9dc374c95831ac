/* Learns how many requests a second a server takes, from what it serves and what it refuses: pure
 * arithmetic over time given as an argument. The caller asks before each request, and tells what
 * became of it.
 *
 * Servers limit by token buckets. Between two refusals such a bucket was empty twice, so what was
 * served between them, over the time between them, is the rate at which it is filled: exactly, and
 * however large it is. So:
 *
 *   no limit yet    requests out grow from a few, that the first refusals are few as well; single
 *                   ones are trouble of the server, a limit refuses many in a row
 *   a limit         a little below the rate that was served, and a measuring round begins
 *   no refusal      up by a hundredth a second; by a quarter, four times a second, while the rate
 *                   is a guess (before two refusals have told it)
 *   a few of 100    left as it is: a server's bucket may be small, and requests come in clumps
 *
 * Refusals that do not become fewer when the pace falls have another reason (a server with trouble
 * of its own): the pace returns, and such a share of refusals is taken for its weather. */
#ifndef CERTMILL_ACME_LIMITER_H
#define CERTMILL_ACME_LIMITER_H

#include <stdbool.h>
#include <stdint.h>

struct limiter {
    double rate; /* a second; 0: no refusal has told any yet */
    double tokens;
    int64_t filled_ms;

    double window; /* without a rate: requests out at most */
    unsigned out;
    int64_t widened_ms;
    bool resumed; /* after a pause: what was served in it counts, not the last second */

    int64_t empty_ms; /* since when `served` counts: the server's bucket was empty then */
    uint64_t served;
    int64_t second_ms; /* a second of the clock, what was served in it, and in the one before */
    uint64_t second_served, second_before;

    int64_t round_ms; /* requests sent since then went out at the present rate */
    uint64_t round_served, round_refused;
    unsigned refused_in_row;
    int64_t paused_until_ms;

    bool guess;   /* the rate is not measured yet */
    bool pressed; /* somebody had to wait since the last step up */
    int64_t raised_ms;
    unsigned raises;  /* in a row */
    double rate_held; /* the rate before the last of them */
    double round_trip_ms;
    double share_now; /* of the last answers, that were refused */

    unsigned cuts; /* in a row, and what it was before the first of them */
    double share_before, rate_before;
    double share_usual; /* of refusals that the pace does not change */
};

void limiter_init(struct limiter *limiter, int64_t now_ms);

/* How long to wait before a request may go out; 0: now. Taking is apart from asking. */
int64_t limiter_wait_ms(struct limiter *limiter, int64_t now_ms);
void limiter_take(struct limiter *limiter);

/* What became of a request that was taken at `sent_ms`, one call for each: the server has dealt
 * with it (whatever it said), has refused it because of the pace (Retry-After in seconds, negative:
 * none), or nothing can be said. */
void limiter_served(struct limiter *limiter, int64_t sent_ms, int64_t now_ms);
void limiter_refused(struct limiter *limiter, int64_t sent_ms, int64_t retry_after_s,
                     int64_t now_ms);
void limiter_unknown(struct limiter *limiter);
/* The request that was taken was not sent after all. */
void limiter_return(struct limiter *limiter);

/* Nothing goes out before; what then goes out begins with one request. */
void limiter_pause(struct limiter *limiter, int64_t until_ms, int64_t now_ms);

#endif
