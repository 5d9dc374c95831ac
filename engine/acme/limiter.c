#include "acme/limiter.h"

#define WINDOW_FIRST   32.0 /* requests out before any answer */
#define WINDOW_STEP    16.0 /* more a round trip */
#define WINDOW_MAX     1e6
#define WIDEN_MS       500 /* and twice as many after so long, for servers that take their time */
#define WINDOW_LOOK_MS 10  /* another thread's answers make room too */

#define RATE_MIN        (1.0 / 3600)
#define RATE_MAX        1e6
#define BELOW_MEASURED  0.97
#define BELOW_GUESS     0.95
#define MEASURED_SERVED 20 /* so many make a rate good to one in twenty */
#define MEASURE_MS      200
#define REFUSED_MANY    8    /* of which most were refused: that is too fast */
#define BURST_S         0.05 /* what may be made up for after waking late */

#define RAISE_MS       1000
#define RAISE          0.01
#define RAISES_SAME    10 /* then twice as much */
#define RAISE_MOST     0.25
#define RAISE_GUESS_MS 250
/* At low rates a step must be seen in so many answers. */
#define RAISE_ANSWERS       50
#define RAISE_GUESS_ANSWERS 5

/* What shows that there is a limit: so many of the last few refused, or of many. */
#define SHARE_NOW     0.5
#define SHARE_NOW_OF  16
#define SHARE_LONG    0.15
#define SHARE_LONG_OF 200

#define SHARE_FEW      0.02
#define CUTS_USELESS   3
#define ROW_PAUSE      5 /* refusals in a row that make a long Retry-After everybody's */
#define PAUSE_S        2
#define PAUSE_MAX_S    60
#define OUTAGE_LOOK_MS 1000

static double larger(double a, double b)
{
    return a > b ? a : b;
}

static double rate_bound(double rate)
{
    return rate < RATE_MIN ? RATE_MIN : rate < RATE_MAX ? rate : RATE_MAX;
}

static void round_begin(struct limiter *limiter, int64_t now_ms)
{
    limiter->round_ms = now_ms;
    limiter->round_served = limiter->round_refused = 0;
}

/* From here on is counted what is served: no more than flows into the server's bucket, once that
 * is empty; before, what was in it comes on top. */
static void count_begin(struct limiter *limiter, int64_t now_ms)
{
    limiter->empty_ms = now_ms;
    limiter->served = 0;
}

void limiter_init(struct limiter *limiter, int64_t now_ms)
{
    *limiter = (struct limiter){
        .window = WINDOW_FIRST,
        .filled_ms = now_ms,
        .widened_ms = now_ms,
        .second_ms = now_ms,
        .raised_ms = now_ms,
    };
    count_begin(limiter, now_ms);
    round_begin(limiter, now_ms);
}

static void tokens_fill(struct limiter *limiter, int64_t now_ms)
{
    if (now_ms <= limiter->filled_ms)
        return;
    double burst = larger(2, limiter->rate * BURST_S);
    limiter->tokens += (double)(now_ms - limiter->filled_ms) * limiter->rate / 1000;
    if (limiter->tokens > burst)
        limiter->tokens = burst;
    limiter->filled_ms = now_ms;
}

static int64_t window_wait_ms(struct limiter *limiter, int64_t now_ms)
{
    if (limiter->pressed && now_ms - limiter->widened_ms >= WIDEN_MS &&
        limiter->window < WINDOW_MAX) {
        limiter->window *= 2;
        limiter->widened_ms = now_ms;
        limiter->pressed = false;
    }
    if (limiter->out < limiter->window)
        return 0;
    limiter->pressed = true;
    return WINDOW_LOOK_MS;
}

int64_t limiter_wait_ms(struct limiter *limiter, int64_t now_ms)
{
    if (now_ms < limiter->paused_until_ms)
        return limiter->paused_until_ms - now_ms;
    if (!(limiter->rate > 0))
        return window_wait_ms(limiter, now_ms);
    tokens_fill(limiter, now_ms);
    if (limiter->tokens >= 1)
        return 0;
    limiter->pressed = true;
    return (int64_t)((1 - limiter->tokens) / limiter->rate * 1000) + 1;
}

void limiter_take(struct limiter *limiter)
{
    limiter->out++;
    if (limiter->rate > 0)
        limiter->tokens -= 1;
}

void limiter_unknown(struct limiter *limiter)
{
    limiter->out -= limiter->out > 0;
}

void limiter_return(struct limiter *limiter)
{
    limiter_unknown(limiter);
    if (limiter->rate > 0)
        limiter->tokens += 1;
}

static void second_count(struct limiter *limiter, int64_t now_ms)
{
    int64_t passed_ms = now_ms - limiter->second_ms;
    if (passed_ms >= 1000) {
        limiter->second_before = passed_ms < 2000 ? limiter->second_served : 0;
        limiter->second_served = 0;
        limiter->second_ms += passed_ms - passed_ms % 1000;
    }
}

/* The last second's, as if the second before it had been even. */
static double second_rate(struct limiter *limiter, int64_t now_ms)
{
    second_count(limiter, now_ms);
    double part = (double)(now_ms - limiter->second_ms) / 1000;
    return (double)limiter->second_served + (double)limiter->second_before * (1 - part);
}

static int64_t raise_after_ms(const struct limiter *limiter)
{
    double wait = limiter->guess ? RAISE_GUESS_MS : RAISE_MS;
    double answers = limiter->guess ? RAISE_GUESS_ANSWERS : RAISE_ANSWERS;
    wait = larger(wait, answers * 1000 / limiter->rate);
    return (int64_t)larger(wait, 2 * limiter->round_trip_ms);
}

static void rate_raise(struct limiter *limiter, int64_t now_ms)
{
    if (now_ms - limiter->raised_ms < raise_after_ms(limiter))
        return;
    limiter->raised_ms = now_ms;
    if (!limiter->pressed) {
        /* The server's bucket fills meanwhile, nobody knows how far. */
        count_begin(limiter, now_ms);
        return;
    }
    limiter->pressed = false;
    bool clean = limiter->round_refused == 0;
    double answers = (double)(limiter->round_served + limiter->round_refused);
    if (clean || (double)limiter->round_refused <= answers * 2 * limiter->share_usual) {
        double step = RAISE;
        for (unsigned i = limiter->raises / RAISES_SAME; i > 0 && step < RAISE_MOST; i--)
            step *= 2;
        step = limiter->guess || step > RAISE_MOST ? RAISE_MOST : step;
        limiter->rate_held = limiter->rate;
        limiter->rate = rate_bound(limiter->rate * (1 + step));
        limiter->raises++;
        if (clean)
            limiter->share_usual *= 0.9;
        limiter->cuts = 0;
    }
    limiter->round_served = limiter->round_refused = 0;
}

void limiter_served(struct limiter *limiter, int64_t sent_ms, int64_t now_ms)
{
    limiter_unknown(limiter);
    limiter->refused_in_row = 0;
    limiter->served++;
    if (sent_ms >= limiter->round_ms)
        limiter->round_served++;
    second_count(limiter, now_ms);
    limiter->second_served++;
    limiter->round_trip_ms += ((double)(now_ms - sent_ms) - limiter->round_trip_ms) / 8;
    if (limiter->rate > 0) {
        rate_raise(limiter, now_ms);
        return;
    }
    limiter->share_now -= limiter->share_now / SHARE_NOW_OF;
    if (limiter->window < WINDOW_MAX)
        limiter->window += limiter->window < WINDOW_STEP ? 1 : WINDOW_STEP / limiter->window;
}

static void rate_set(struct limiter *limiter, double rate, bool guess, int64_t now_ms)
{
    limiter->rate = rate_bound(rate);
    limiter->guess = guess;
    limiter->tokens = 0;
    limiter->filled_ms = limiter->raised_ms = now_ms;
    limiter->raises = 0;
    limiter->pressed = false;
    round_begin(limiter, now_ms);
}

/* What is known is the rate at which it was served so far, with what was in the server's bucket. */
static void rate_guess(struct limiter *limiter, int64_t now_ms)
{
    double passed_s = (double)(now_ms - limiter->empty_ms) / 1000;
    double average = larger((double)limiter->served, 1) / larger(passed_s, 1);
    if (!limiter->resumed)
        average = larger(average, second_rate(limiter, now_ms));
    limiter->resumed = false;
    rate_set(limiter, BELOW_GUESS * average, true, now_ms);
    count_begin(limiter, now_ms);
}

/* The pace has been cut again and again and the same share is refused: it is not the pace. */
static bool cuts_are_useless(struct limiter *limiter, double share, int64_t now_ms)
{
    if (limiter->cuts++ == 0) {
        limiter->share_before = share;
        limiter->rate_before = limiter->rate;
    }
    if (limiter->cuts <= CUTS_USELESS || share < limiter->share_before / 2)
        return false;
    limiter->share_usual = share;
    limiter->cuts = 0;
    rate_set(limiter, limiter->rate_before, false, now_ms);
    count_begin(limiter, now_ms);
    return true;
}

void limiter_pause(struct limiter *limiter, int64_t until_ms, int64_t now_ms)
{
    if (until_ms <= limiter->paused_until_ms)
        return;
    limiter->paused_until_ms = until_ms;
    limiter->rate = 0;
    limiter->share_now = 0;
    limiter->window = 1;
    limiter->resumed = true;
    limiter->pressed = false;
    limiter->widened_ms = until_ms;
    count_begin(limiter, now_ms);
    round_begin(limiter, now_ms);
}

/* Enough has been seen of the present rate to go lower. */
static bool is_judgeable(const struct limiter *limiter, double passed_ms, double share)
{
    if (passed_ms < limiter->round_trip_ms)
        return false;
    if (share >= 0.5 && limiter->round_refused > 1)
        return limiter->round_refused >= REFUSED_MANY || passed_ms >= RAISE_MS;
    if (share < larger(SHARE_FEW, 2 * limiter->share_usual))
        return false;
    return limiter->served >= MEASURED_SERVED ? passed_ms >= MEASURE_MS
                                              : limiter->guess && passed_ms >= RAISE_MS;
}

static void rate_judge(struct limiter *limiter, int64_t now_ms)
{
    double passed_ms = larger((double)(now_ms - limiter->empty_ms), 1);
    double refused = (double)limiter->round_refused;
    double share = refused / ((double)limiter->round_served + refused);
    bool measured = limiter->served >= MEASURED_SERVED;
    if (!is_judgeable(limiter, passed_ms, share))
        return;
    if (limiter->served == 0 && passed_ms >= RAISE_MS) {
        /* An outage says nothing of the rate after it. */
        limiter_pause(limiter, now_ms + OUTAGE_LOOK_MS, now_ms);
        return;
    }
    if (measured && cuts_are_useless(limiter, share, now_ms))
        return;
    double rate = larger((double)limiter->served, 1) * 1000 / passed_ms;
    /* While the pace was low the server's bucket may have been full: what went well until the last
     * step up was not too much, or it was taken out of the bucket, which the next round will tell.
     */
    bool raised = limiter->raises > 0;
    if (raised && rate < limiter->rate_held)
        rate = limiter->rate_held;
    if (rate > limiter->rate)
        rate = limiter->rate;
    rate_set(limiter, rate * (measured ? BELOW_MEASURED : BELOW_GUESS), !measured && !raised,
             now_ms);
    if (measured || raised)
        count_begin(limiter, now_ms);
}

/* One refusal here and there is no limit: those come in rows, or stay. */
static bool is_limit(struct limiter *limiter)
{
    uint64_t answers = limiter->round_served + limiter->round_refused;
    if (limiter->resumed || limiter->share_now >= SHARE_NOW)
        return true;
    if (answers < SHARE_LONG_OF)
        return false;
    double share = (double)limiter->round_refused / (double)answers;
    limiter->round_served = limiter->round_refused = 0;
    return share >= SHARE_LONG;
}

void limiter_refused(struct limiter *limiter, int64_t sent_ms, int64_t retry_after_s,
                     int64_t now_ms)
{
    limiter_unknown(limiter);
    limiter->refused_in_row++;
    if (retry_after_s >= PAUSE_S && limiter->refused_in_row >= ROW_PAUSE) {
        int64_t pause_s = retry_after_s < PAUSE_MAX_S ? retry_after_s : PAUSE_MAX_S;
        limiter_pause(limiter, now_ms + pause_s * 1000, now_ms);
        return;
    }
    /* During a pause, or sent before the last change: says nothing of the present rate. */
    if (now_ms < limiter->paused_until_ms)
        return;
    if (!(limiter->rate > 0)) {
        limiter->round_refused++;
        limiter->share_now += (1 - limiter->share_now) / SHARE_NOW_OF;
        if (limiter->resumed && limiter->served == 0)
            limiter_pause(limiter, now_ms + OUTAGE_LOOK_MS, now_ms);
        else if (is_limit(limiter))
            rate_guess(limiter, now_ms);
    } else if (sent_ms >= limiter->round_ms) {
        limiter->round_refused++;
        rate_judge(limiter, now_ms);
    }
}
