/* The parts of the ACM deployer that its own files share. All but the mailbox and the flags belongs
 * to the deployer's thread.
 *
 * A job is one certificate for one target. It waits for its profile's account (acm_profile.c), then
 * in the lane of that account and region (acm_lane.c), whose listing of what ACM holds comes first.
 * Begun, it becomes a work (acm_work.c):
 *
 *   unchanged, and ACM holds it still  -> end, without a call
 *   an ARN is known or given           -> DescribeCertificate -> holds it: end; else import to it
 *   an import was intended before      -> look for it (acm_lost.c) -> found: as above
 *   else                               -> import as a new certificate
 *
 * An import (acm_import.c) without ARN is sent when STATE_IMPORT_INTENDED is durable, so that after
 * a crash or an answer that was lost the certificate is looked for before it is imported again. A
 * work ends when what came of it is durable in the state. */
#ifndef CERTMILL_DEPLOY_ACM_INTERNAL_H
#define CERTMILL_DEPLOY_ACM_INTERNAL_H

#include "aws/acm.h"
#include "base/mailbox.h"
#include "base/slots.h"
#include "deploy/acm_deployer.h"
#include "deploy/acm_files.h"
#include "deploy/acm_pace.h"
#include "deploy/acm_rows.h"

#include <stdatomic.h>

#define ACM_ACCOUNT_TEXT 13
#define ACM_SERIAL_TEXT  (sizeof((struct certificate_info *)NULL)->serial)

/* Kinds of messages in the deployer's mailbox. */
enum acm_message { ACM_MESSAGE_ITEM, ACM_MESSAGE_CHANGE };

/* A certificate that was handed over, until it is reported. */
struct acm_item {
    struct message message;
    const struct manifest_entry *entry;
    unsigned sequence;
    bool watch;
    bool acted, failed;
    unsigned open; /* targets that have not ended */
    unsigned imports;
    struct error *failure; /* the first one */
};

/* Who waits for a call or a change: one of the three. */
struct acm_waiter {
    struct acm_profile *profile;
    struct acm_lane *lane;
    struct acm_work *work;
};

struct acm_job {
    struct acm_job *next;
    struct acm_item *item;
    const struct deploy_acm *target;
    struct acm_profile *profile;
    const char *region;
};

struct acm_queue {
    struct acm_job *first, *last;
};

enum acm_profile_stage { ACM_PROFILE_NEW, ACM_PROFILE_ASKED, ACM_PROFILE_KNOWN, ACM_PROFILE_BAD };

struct acm_profile {
    struct acm_profile *next;
    const char *name; /* as the manifest has it; NULL: the default one */
    const char *default_region;
    const char *region; /* whose STS is asked */
    enum acm_profile_stage stage;
    char account[ACM_ACCOUNT_TEXT];
    struct acm_waiter waiter;
    uint64_t id;
    unsigned tries;
    int64_t ask_at_ms;
    struct acm_queue waiting;
    /* Why its credentials cannot be used; jobs that begin before then fail with it, unsent. */
    struct error error;
    int64_t broken_until_ms;
    bool warned;
};

/* What ListCertificates says of one. */
struct acm_held {
    const char *arn;
    uint64_t names, domain; /* digests */
    int64_t not_after, imported_at;
    bool more_names;
};

enum acm_listing { ACM_LIST_WANTED, ACM_LIST_OUT, ACM_LIST_DONE, ACM_LIST_FAILED };

struct acm_list {
    struct arena arena;
    struct acm_held *held; /* by ARN once it is whole */
    size_t count, capacity;
};

struct acm_works {
    struct acm_work *first, *last;
};

/* An AWS account and region. */
struct acm_lane {
    struct acm_lane *next;
    struct acm_deployer *deployer;
    struct acm_waiter waiter;
    uint64_t id;
    char account[ACM_ACCOUNT_TEXT];
    const char *region;
    struct acm_pace imports, reads, lists; /* ACM limits each operation by itself */
    unsigned imports_out, reads_out, active, imports_max;
    struct acm_queue waiting;  /* not begun */
    struct acm_queue watching; /* likewise: they need the list, and the others do not */
    struct acm_works reading, importing, later, searching;
    /* What ACM holds: the last whole list, and the one that is being read. */
    enum acm_listing listing;
    struct acm_list list, fresh;
    char *list_next;
    unsigned list_pages, list_tries;
    const char *list_profile;
    int64_t list_at_ms;
    bool listed;          /* once, well or not */
    bool list_late;       /* the first one is refused or fails: who can goes on without it */
    unsigned lists_begun; /* and the number of the last that ended */
    unsigned list_number;
    struct error list_error;
    /* Quotas. */
    uint64_t year_imports, held_count;
    bool year_warned, year_full_warned, held_warned, held_full_warned;
    bool limit_reached[2]; /* [is new] */
    struct error limit_error[2];
    /* The endpoint fails again and again: jobs that begin before then fail with it. */
    unsigned failures;
    struct error down_error;
    int64_t down_until_ms;
    /* ARNs that this run made, so that a search takes none of them. */
    struct arena made_arena;
    const char **made;
    size_t made_count, made_capacity;
};

enum acm_step {
    ACM_DESCRIBE,        /* a call of DescribeCertificate for `arn` */
    ACM_SEARCH,          /* waits for a list, to look for a lost import */
    ACM_SEARCH_DESCRIBE, /* the candidate's serial */
    ACM_SEARCH_TAGS,     /* the candidate's tags */
    ACM_IMPORT,
    ACM_INTENDING, /* until STATE_IMPORT_INTENDED is durable */
    ACM_RECORDING, /* until what came of it is durable; then it ends */
};

struct acm_work {
    struct acm_work *next; /* in one of the lane's lists */
    struct acm_job *job;
    struct acm_lane *lane;
    struct acm_waiter waiter;
    uint64_t id;
    enum acm_step step;
    const struct acm_row *row;
    bool row_elsewhere;       /* the row's account is another: what it holds does not count */
    bool unchanged;           /* the row says that the target has this content */
    bool drifted, moved, new; /* `moved`: the row stands under another profile */
    bool sent;
    bool failed;
    unsigned tries;
    int64_t at_ms;       /* in `later` */
    unsigned list_after; /* in `searching`: a list with a higher number is wanted */
    char arn[ACM_ARN_MAX + 1];
    char serial[ACM_SERIAL_TEXT];
    uint64_t digest;
    int64_t not_after, imported_at;
    struct buf body; /* the import, until it is sent; secret */
    const char **candidates;
    size_t candidate_count, candidate_at;
    struct arena search_arena;
    struct error error;
};

struct acm_deployer {
    struct acm_deployer_options options;
    char *state_folder;
    struct crypto_context *crypto;
    struct loop *loop;
    struct aws_client *client;
    struct mailbox mailbox;
    int wake_fd;
    pthread_t thread;
    bool joined;
    atomic_bool closing, interrupted, ended;
    struct {
        atomic_ullong imports, unchanged, failed, repaired, throttled, calls;
    } counts;
    /* The thread's. */
    int64_t now_ms;
    uint64_t jitter;
    bool stopping;
    struct acm_rows rows;
    struct state_import_day *days;
    size_t day_count, day_capacity;
    struct arena arena;
    struct acm_profile *profiles;
    struct acm_lane *lanes;
    struct slots waiters;
    size_t items_open, changes_out, imports_out;
};

/* acm_deployer.c */
void acm_item_target_ended(struct acm_deployer *deployer, struct acm_item *item, bool acted,
                           const struct error *failure);
void acm_warning(const struct acm_deployer *deployer, const char *name, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* Sends an operation of ACM for the profile, whose reply goes to the waiter of this id. */
bool acm_send(struct acm_deployer *deployer, uint64_t id, const char *profile, const char *region,
              const char *operation, const struct buf *body, struct error *error) MUST_USE;
/* Before it began. A job that only watches, and by its row has nothing to do, does not fail. */
void acm_job_fail(struct acm_deployer *deployer, struct acm_job *job, const struct error *error);
void acm_queue_add(struct acm_queue *queue, struct acm_job *job);
struct acm_job *acm_queue_take(struct acm_queue *queue);

/* acm_profile.c */
bool acm_job_place(struct acm_deployer *deployer, struct acm_item *item,
                   const struct deploy_acm *target, struct error *error) MUST_USE;
void acm_profiles_run(struct acm_deployer *deployer);
int64_t acm_profiles_wait_ms(const struct acm_deployer *deployer);
void acm_profile_reply(struct acm_deployer *deployer, struct acm_profile *profile,
                       const struct aws_reply *reply);

/* acm_lane.c */
struct acm_lane *acm_lane_get(struct acm_deployer *deployer, const char *account,
                              const char *region);
void acm_lane_free(struct acm_lane *lane);
void acm_lane_run(struct acm_lane *lane);
int64_t acm_lane_wait_ms(struct acm_lane *lane);
void acm_works_add(struct acm_works *works, struct acm_work *work);
void acm_works_add_first(struct acm_works *works, struct acm_work *work);
/* What every reply tells of the lane: its pace, whether its endpoint works, the credentials. */
void acm_lane_learn(struct acm_lane *lane, struct acm_profile *profile, bool import,
                    const struct aws_reply *reply);

/* The list could not be had: one more call that fails so, and for a while no job begins. */
void acm_lane_doubt(struct acm_lane *lane);
/* Does a job or work of the lane want a list that is not there? */
bool acm_lane_wants_list(const struct acm_lane *lane);

/* acm_list.c */
void acm_list_run(struct acm_lane *lane);
void acm_list_reply(struct acm_lane *lane, const struct aws_reply *reply);
const struct acm_held *acm_list_find(const struct acm_list *list, const char *arn);
void acm_list_free(struct acm_list *list);

/* acm_quota.c */
void acm_quota_begin(struct acm_lane *lane); /* reads what earlier runs imported */
void acm_quota_listed(struct acm_lane *lane);
void acm_quota_imported(struct acm_lane *lane, bool new);

/* acm_work.c */
void acm_work_begin(struct acm_lane *lane, struct acm_job *job);
void acm_work_read(struct acm_work *work); /* sends the call that its step wants */
void acm_work_reply(struct acm_work *work, const struct aws_reply *reply);
void acm_work_committed(struct acm_work *work, bool ok, const struct error *error);
void acm_work_fail(struct acm_work *work, const struct error *error);
/* A call failed for what may pass: again from `step` after a while. False when it was tried often
 * enough. */
bool acm_work_again(struct acm_work *work, enum acm_step step);
/* Goes on with what `step` says; ACM_SEARCH by a list that begins from now on when a call was tried
 * before. */
void acm_work_go(struct acm_work *work, enum acm_step step);
void acm_work_gone(struct acm_work *work); /* the ARN is not there any more */
/* Posts what the work's fields say now, and takes away a row under a profile's old name. The work
 * ends when that is durable. */
void acm_work_record(struct acm_work *work, enum state_change_kind kind);
/* Notes that the ARN holds the certificate, and ends. */
void acm_work_keep(struct acm_work *work, const struct acm_files *files, int64_t imported_at);
void acm_work_free(struct acm_work *work); /* not its job */
const struct manifest_entry *acm_work_entry(const struct acm_work *work);
bool acm_work_files(const struct acm_work *work, bool with_key, struct acm_files *ret_files,
                    struct error *error) MUST_USE;
bool acm_detail_holds(const struct acm_detail *detail, const struct acm_files *files);

/* acm_import.c */
void acm_import_begin(struct acm_work *work);
void acm_import_send(struct acm_work *work);
void acm_import_reply(struct acm_work *work, const struct aws_reply *reply);

/* acm_lost.c */
void acm_lost_begin(struct acm_work *work); /* the list is there */
void acm_lost_next(struct acm_work *work);  /* sends the next call */
void acm_lost_reply(struct acm_work *work, const struct aws_reply *reply);

/* acm_change.c: posts a change of the state; `work` may be NULL, else acm_work_committed follows.
 */
void acm_change_post(struct acm_deployer *deployer, enum state_change_kind kind,
                     const struct state_import *row, struct acm_work *work);
void acm_change_work(struct acm_work *work, enum state_change_kind kind);
void acm_change_gone(struct acm_deployer *deployer, const struct acm_row *row);
void acm_change_done(struct acm_deployer *deployer, struct message *message);

#endif
