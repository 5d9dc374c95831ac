#include "base/mailbox.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

bool mailbox_init(struct mailbox *mailbox, struct error *error)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return error_system(error, errno, "eventfd");
    mailbox->event_fd = fd;
    mailbox->first = NULL;
    mailbox->last = &mailbox->first;
    pthread_mutex_init(&mailbox->lock, NULL);
    return true;
}

void mailbox_free(struct mailbox *mailbox)
{
    close(mailbox->event_fd);
    pthread_mutex_destroy(&mailbox->lock);
}

void mailbox_post(struct mailbox *mailbox, struct message *message)
{
    message->next = NULL;
    pthread_mutex_lock(&mailbox->lock);
    bool was_empty = mailbox->first == NULL;
    *mailbox->last = message;
    mailbox->last = &message->next;
    pthread_mutex_unlock(&mailbox->lock);
    /* The counter cannot overflow: at most one write for each time the mailbox was empty. */
    if (was_empty)
        (void)eventfd_write(mailbox->event_fd, 1);
}

struct message *mailbox_take(struct mailbox *mailbox)
{
    eventfd_t count;
    (void)eventfd_read(mailbox->event_fd, &count);
    pthread_mutex_lock(&mailbox->lock);
    struct message *first = mailbox->first;
    mailbox->first = NULL;
    mailbox->last = &mailbox->first;
    pthread_mutex_unlock(&mailbox->lock);
    return first;
}
