/* What the parts of the Route 53 solver share. All of one thread.
 *
 *   job -> alias (CNAME of _acme-challenge) -> gathering -> zone -> name -> change -> wait -> done
 *
 * A name is a record set that the solver touches. It knows what Route 53 holds (`base`) and what is
 * needed; what differs goes out in the next change of its zone, with whatever else differs there.
 * Route 53 is not asked for a name's set before it refuses a change: most names have none, and a
 * CREATE is refused when there is one, a DELETE when it is not as thought. */
#ifndef CERTMILL_SOLVER_ROUTE53_INTERNAL_H
#define CERTMILL_SOLVER_ROUTE53_INTERNAL_H

#include "aws/route53.h"
#include "base/slots.h"
#include "solver/job_list.h"
#include "solver/route53_work.h"

#define ROUTE53_TTL        10 /* seconds, of sets that the solver makes */
#define ROUTE53_NEVER      INT64_MAX
#define ALIASES_MAX        8 /* CNAMEs one after the other */
#define NAME_BUCKETS       4096
#define ROUTE53_SOLVER_MAX 512

/* A value under way: a job, or a row that an earlier run left. */
struct task {
    struct task *next;
    struct solver_job *job;      /* NULL: of an earlier run */
    struct dns_record *leftover; /* NULL: a job */
    enum solver_step step;       /* of a present that is given up: cleanup, with an outcome */
    const char *certificate;
    const char *value;
    struct alias *alias; /* NULL: of an earlier run */
    struct name *name;   /* NULL: not there yet */
    struct route53_value *entry;
    int64_t deadline_ms;
    bool unclear;         /* a change that holds it may have been made */
    bool forget;          /* its row goes away when it is settled */
    struct error outcome; /* ERROR_NONE: well */
};

struct tasks {
    struct task *first;
    struct task **last;
    size_t count;
};
void route53_tasks_init(struct tasks *tasks);
void route53_tasks_add(struct tasks *tasks, struct task *task);
struct task *route53_tasks_take(struct tasks *tasks); /* NULL when there is none */
void route53_tasks_move(struct tasks *from, struct tasks *to);

/* Where the record of a domain belongs. */
struct alias {
    struct alias *next; /* of its bucket */
    struct alias *next_pending;
    uint64_t id;
    char *fqdn;                  /* "_acme-challenge.DOMAIN" */
    char *hops[ALIASES_MAX + 1]; /* where CNAMEs lead, one after the other */
    unsigned hop_count;
    bool asked, known;
    struct zone *zone;  /* NULL: not chosen yet */
    char problem[64];   /* why DNS did not tell; "" */
    struct error error; /* ERROR_NONE: usable */
    struct tasks waiting;
    size_t users; /* tasks, and values that are in the zone */
};
const char *route53_alias_target(const struct alias *alias);

/* An AWS account, as far as is known: a profile. */
struct route53_account {
    struct route53_account *next;
    char *profile; /* NULL: the default one */
    double tokens;
    int64_t filled_ms, paused_until_ms;
    unsigned throttled;   /* in a row */
    struct change *waits; /* that Route 53 propagates, the oldest first */
};

enum zone_source {
    ZONE_LISTED,     /* of the solver's profile */
    ZONE_OF_PROFILE, /* the manifest names it and a profile */
    ZONE_BY_ID,      /* the manifest gives its id */
    ZONE_LEFTOVER,   /* a row of an earlier run; not to be chosen */
};

struct zone {
    struct zone *next;
    enum zone_source source;
    struct route53_account *account;
    char *id, *name;
    char *row_solver; /* `solver` of the state's rows */
    struct name *queue, **queue_end;
    size_t queued;
    bool busy; /* a request is out */
    int64_t retry_ms;
    unsigned tries;
    size_t most; /* names of the next change: fewer when it is sought which one is refused */
};

/* A value that is needed (or was made, and is to be removed). */
struct route53_value {
    struct route53_value *next;
    unsigned holds;
    char text[]; /* quoted */
};

/* Heap copies. No values: there is no set. */
struct record_set {
    unsigned ttl;
    char **values;
    size_t count;
};
void route53_record_set_free(struct record_set *set);
bool route53_record_set_add(struct record_set *set, const char *value) MUST_USE;
bool route53_record_set_has(const struct record_set *set, const char *value);
bool route53_record_set_equal(const struct record_set *a,
                              const struct record_set *b); /* in any order */
struct route53_set route53_record_set_view(const struct record_set *set, const char *name);

struct name {
    struct name *next; /* of its bucket */
    struct name *queue_next;
    struct zone *zone;
    struct route53_value *values;
    struct record_set base;
    bool known;   /* `base` is what Route 53 has, as far as is known */
    bool foreign; /* a list told `base`, so that no change of ours may be waited for */
    bool queued, in_flight;
    unsigned refusals;    /* in a row */
    uint64_t change;      /* the last that was made; 0: none */
    size_t users;         /* tasks */
    struct tasks waiting; /* of them, for the next change */
    char fqdn[];
};

struct change_item {
    struct name *name;
    struct record_set target;
};
struct change {
    struct change *next; /* of the account's waits */
    struct zone *zone;
    uint64_t number;
    struct change_item *items;
    size_t count, room;
    struct tasks tasks;
    char id[ROUTE53_CHANGE_ID_MAX];
    unsigned polls;
    bool asking;
    int64_t poll_ms;
    int64_t deadline_ms;
    int64_t release_ms; /* in sync, and rests for the operator's wait; ROUTE53_NEVER: not yet */
};

enum loader_state { LOADER_IDLE, LOADER_WANTED, LOADER_ASKING, LOADER_READY, LOADER_FAILED };

/* Finds zones: all of the solver's profile, or one of another by its name. */
struct loader {
    enum loader_state state;
    struct route53_account *account;
    const char *zone_name; /* NULL: all */
    char *marker;
    unsigned tries;
    int64_t retry_ms, deadline_ms;
    enum aws_outcome outcome;
    struct error error;
};

struct gathering {
    struct tasks tasks;
    int64_t first_ms, last_ms; /* when the oldest and the newest came */
};

enum request_kind { REQUEST_ZONES, REQUEST_CHANGE, REQUEST_SETS, REQUEST_WAIT };
struct request {
    enum request_kind kind;
    struct loader *loader;
    struct zone *zone;
    struct change *change;
    struct name *name; /* where the list begins; stays in the zone's queue meanwhile */
};

struct route53_work {
    struct route53_work_options options;
    struct route53_account *accounts;
    struct zone *zones;
    struct loader *loaders;
    size_t loader_count;
    struct name *names[NAME_BUCKETS];
    struct alias *aliases[NAME_BUCKETS];
    struct alias *pending, **pending_end; /* not asked yet */
    size_t asking;                        /* DNS questions out */
    size_t unknown;                       /* aliases that are not known yet */
    struct gathering presents, cleanups;
    size_t presents_seen;
    struct tasks settled;
    struct slots requests, alias_ids;
    uint64_t change_number;
    size_t live;     /* tasks */
    int64_t now_ms;  /* of this call */
    int64_t wake_ms; /* when a tick has something to do */
    bool hurry, stopping;
    int64_t stop_deadline_ms;
};

void route53_wake_at(struct route53_work *work, int64_t at_ms);
double route53_work_random(const struct route53_work *work);
/* 1, 2, 4, ... seconds up to 30, with jitter. */
int64_t route53_work_backoff_ms(const struct route53_work *work, unsigned tries);

/* Accounts and requests. */
struct route53_account *route53_account_of(struct route53_work *work,
                                           const char *profile); /* NULL: no memory */
/* Whether a request may go out now, which it is then taken for; else a later tick asks again. */
bool route53_account_may_send(struct route53_work *work, struct route53_account *account);
void route53_account_refused(struct route53_work *work, struct route53_account *account);
void route53_account_served(struct route53_account *account);
/* Sends; the reply comes with the request. */
bool route53_request_send(struct route53_work *work, const struct request *request,
                          struct aws_request *call, struct error *error) MUST_USE;

/* Zones. */
bool route53_zones_begin(struct route53_work *work, struct error *error) MUST_USE;
struct zone *route53_zone_add(struct route53_work *work, const char *id, const char *name,
                              struct route53_account *account, enum zone_source source);
/* By longest suffix. The error says which zones there are. */
struct zone *route53_zone_choose(const struct route53_work *work, const struct alias *alias,
                                 struct error *error);
void route53_loaders_want(struct route53_work *work);
void route53_loaders_pump(struct route53_work *work);
bool route53_loaders_are_done(const struct route53_work *work);
void route53_loader_reply(struct route53_work *work, struct loader *loader,
                          const struct aws_reply *reply);
void route53_loaders_reset(
    struct route53_work *work); /* what failed is tried again for the next batch */
struct zone *route53_task_zone(struct route53_work *work, const struct task *task,
                               struct error *error);

/* CNAMEs. */
struct alias *route53_alias_of(struct route53_work *work, const char *domain, bool make);
void route53_alias_wait(struct route53_work *work, struct alias *alias, struct task *task);
void route53_alias_drop(struct route53_work *work, struct alias *alias);
void route53_aliases_pump(struct route53_work *work);

/* Names. */
struct name *route53_name_of(struct route53_work *work, struct zone *zone, const char *fqdn,
                             bool make);
struct route53_value *route53_name_value(struct name *name, const char *value, bool make);
bool route53_name_target(const struct name *name, struct record_set *target) MUST_USE;
void route53_name_queue(struct name *name);
struct name *route53_queue_take(struct zone *zone);
void route53_name_release(struct route53_work *work,
                          struct name *name); /* frees it when not needed */
void route53_names_free(struct route53_work *work);

/* Changes. */
void route53_zone_pump(struct route53_work *work, struct zone *zone);
void route53_change_reply(struct route53_work *work, const struct request *request,
                          const struct aws_reply *reply);
void route53_sets_reply(struct route53_work *work, const struct request *request,
                        const struct aws_reply *reply);
bool route53_zone_list(struct route53_work *work, struct zone *zone);
void route53_zone_later(struct route53_work *work, struct zone *zone);
void route53_queue_fail(struct route53_work *work, struct zone *zone, const struct error *error);
/* A failure that may pass: the tasks go back to their names, those past their time fail. */
void route53_change_again(struct route53_work *work, struct change *change,
                          const struct aws_reply *reply, bool unclear);
void route53_change_free(struct change *change);

/* Waits. */
void route53_wait_add(struct route53_work *work, struct change *change);
struct change *route53_wait_find(const struct route53_work *work, const struct name *name);
void route53_waits_pump(struct route53_work *work, struct route53_account *account);
void route53_wait_reply(struct route53_work *work, const struct request *request,
                        const struct aws_reply *reply);
void route53_waits_give_up(struct route53_work *work, struct route53_account *account,
                           const struct error *error);

void route53_work_abandon(struct route53_work *work);
void route53_task_gather(struct route53_work *work, struct task *task); /* its alias is known */
/* Ends of tasks. `settle`: done, as its outcome says; the job goes back at the end of this call. */
void route53_task_settle(struct route53_work *work, struct task *task);
/* A present that fails: its value is taken out again first. */
void route53_task_undo(struct route53_work *work, struct task *task, const struct error *error);
/* Fails as it stands: what is in the zone stays there, and in the state for the next run. */
void route53_task_abandon(struct route53_work *work, struct task *task, const struct error *error);

#endif
