/* Messages from any thread to one thread, with an eventfd that becomes readable when there are
 * some. The message is embedded first in a structure of the sender; taking it passes the ownership
 * on. */
#ifndef CERTMILL_BASE_MAILBOX_H
#define CERTMILL_BASE_MAILBOX_H

#include "base/result.h"

#include <pthread.h>

struct message {
    struct message *next;
    int kind; /* the meaning is the mailbox owner's */
};

struct mailbox {
    pthread_mutex_t lock;
    struct message *first;
    struct message **last;
    int event_fd;
};

bool mailbox_init(struct mailbox *mailbox, struct error *error) MUST_USE;
void mailbox_free(struct mailbox *mailbox); /* must be empty */

/* Never fails. Writes to the eventfd only when the mailbox was empty. */
void mailbox_post(struct mailbox *mailbox, struct message *message);

/* All messages in the order they were posted, linked by next; NULL when there are none. Clears the
 * eventfd. Never blocks. */
struct message *mailbox_take(struct mailbox *mailbox);

#endif
