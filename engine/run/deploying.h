/* The main thread's part in deployment: hooks and imports into ACM run side by side, each on
 * threads of their own, and a certificate counts as deployed when both are done with it. */
#ifndef CERTMILL_RUN_DEPLOYING_H
#define CERTMILL_RUN_DEPLOYING_H

#include "deploy/acm_deployer.h"
#include "deploy/hooks.h"
#include "run/message.h"

struct run;

struct deploying {
    struct deployer *hooks;
    struct acm_deployer *acm; /* NULL: no certificate of the plan has an ACM target */
    uint8_t *parts;           /* of each entry of the manifest: what is under way, what failed */
    pthread_t thread;         /* waits for both to end */
    struct message end_message;
    bool ended;
};

/* What a deployer says of a certificate. */
struct deployed_message {
    struct message message;
    const struct manifest_entry *entry;
    unsigned sequence;
    unsigned part;
    unsigned imports;
    bool ok;
    struct error error;
};

/* Is there anything to look at in ACM, although nothing is due? */
bool deploying_watches(const struct run *run);

/* When the state is started. */
bool deploying_open(struct run *run, struct error *error) MUST_USE;
/* Frees both: what they have not reported is done by the next run. */
void deploying_free(struct run *run);

/* What the plan says is only to deploy, and what is to be watched. */
void deploying_begin(struct run *run);
/* A new certificate is live. */
void deploying_add(struct run *run, const struct manifest_entry *entry, unsigned sequence);
void deploying_handle(struct run *run, const struct deployed_message *message);
/* There will be no more certificates: MAIN_DEPLOYER_END comes when all is deployed. */
void deploying_close(struct run *run);
/* MAIN_DEPLOYER_END has come. */
void deploying_join(struct run *run);
/* Certificates that hooks or imports have not reported: for an interrupt, or for want of memory. */
size_t deploying_left(const struct run *run);
/* Leaves what is not begun to the next run. */
void deploying_interrupt(struct run *run);

#endif
