/* One turn of a thread: wait, read and act on what came, run the timers that are due, then flush
 * every peer that was touched. */
#include "ca/http/peer.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

bool thread_timer(struct server_thread *thread, struct timed *timed, int64_t at_ms)
{
    if (timed->id == 0)
        TRY(slots_add(&thread->slots, timed, &timed->id));
    return timers_add(&thread->timers, at_ms, timed->id);
}

void thread_timer_forget(struct server_thread *thread, struct timed *timed)
{
    if (timed->id != 0)
        slots_remove(&thread->slots, timed->id);
    timed->id = 0;
}

const char *thread_date(struct server_thread *thread)
{
    int64_t now_s = clock_unix();
    if (now_s != thread->date_s) {
        thread->date_s = now_s;
        time_format_http_date(now_s, thread->date);
    }
    return thread->date;
}

static void mail_came(void *context, uint32_t events)
{
    (void)events;
    struct server_thread *thread = context;
    for (struct message *message = mailbox_take(&thread->mailbox); message != NULL;) {
        struct message *next = message->next;
        if (message->kind == MESSAGE_STOP)
            thread->stopping = true;
        else
            peer_open(thread, (struct peer *)message);
        message = next;
    }
}

bool thread_open(struct server_thread *thread, struct server *server, unsigned number,
                 struct error *error)
{
    thread->server = server;
    thread->number = number;
    slots_init(&thread->slots);
    timers_init(&thread->timers);
    buf_init(&thread->out, OUT_MAX);
    LIST_INIT(&thread->peers);
    LIST_INIT(&thread->touched);
    thread->mailbox.event_fd = -1;
    thread->date_s = -1;
    thread->in = malloc(READ_SIZE);
    if (thread->in == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a server thread");
    TRY(loop_new(&thread->loop, error));
    TRY(mailbox_init(&thread->mailbox, error));
    TRY(loop_watch(thread->loop, thread->mailbox.event_fd, EPOLLIN, mail_came, thread, error));
    return accept_watch(thread, error);
}

static void timers_run(struct server_thread *thread)
{
    uint64_t id;
    int64_t now_ms = clock_monotonic_ms();
    while (timers_take_due(&thread->timers, now_ms, &id)) {
        struct timed *timed = slots_get(&thread->slots, id);
        if (timed == NULL)
            continue;
        thread_timer_forget(thread, timed);
        timed->due(timed);
    }
}

/* A peer with more to read touches itself again: its turn comes after the others'. */
static void touched_flush(struct server_thread *thread)
{
    struct peer_list touched = thread->touched;
    LIST_INIT(&thread->touched);
    if (touched.lh_first != NULL)
        touched.lh_first->touches.le_prev = &touched.lh_first;
    struct peer *peer;
    while ((peer = LIST_FIRST(&touched)) != NULL) {
        LIST_REMOVE(peer, touches);
        peer->touched = false;
        peer_flush(peer);
    }
}

static void *thread_run(void *context)
{
    struct server_thread *thread = context;
    while (!thread->stopping) {
        int64_t wait_ms = timers_wait_ms(&thread->timers, clock_monotonic_ms());
        if (!LIST_EMPTY(&thread->touched))
            wait_ms = 0;
        if (!loop_run_once(thread->loop, wait_ms, NULL))
            break;
        timers_run(thread);
        touched_flush(thread);
    }
    struct peer *peer;
    while ((peer = LIST_FIRST(&thread->peers)) != NULL)
        peer_close(peer);
    return NULL;
}

bool thread_start(struct server_thread *thread, struct error *error)
{
    /* Signals are the program's; and OpenSSL's writes to a closed socket must not end it. */
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&thread->thread, NULL, thread_run, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0)
        return error_system(error, failed, "starting a server thread");
    thread->started = true;
    return true;
}

void thread_stop(struct server_thread *thread)
{
    if (!thread->started)
        return;
    thread->stop_message.kind = MESSAGE_STOP;
    mailbox_post(&thread->mailbox, &thread->stop_message);
    pthread_join(thread->thread, NULL);
}

void thread_close(struct server_thread *thread)
{
    exchange_free_spare(thread);
    if (thread->mailbox.event_fd >= 0) {
        /* What other threads accepted for it after it had ended. */
        for (struct message *message = mailbox_take(&thread->mailbox); message != NULL;) {
            struct message *next = message->next;
            if (message->kind == MESSAGE_PEER)
                peer_discard((struct peer *)message);
            message = next;
        }
        mailbox_free(&thread->mailbox);
    }
    loop_free(thread->loop);
    slots_free(&thread->slots);
    timers_free(&thread->timers);
    buf_free(&thread->out);
    free(thread->in);
}
