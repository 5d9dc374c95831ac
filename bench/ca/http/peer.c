/* A client's connection.
 *
 *   shaking hands   protocol NULL; TLS only
 *   serving         reads go to the protocol, which fills what is written
 *   draining        all is sent, and the end of it (FIN). Closing with bytes unread would make the
 *                   kernel reset the connection, and what was sent be lost with it: so what still
 *                   comes is dropped until the other side closes or DRAIN_MS are over
 *
 * One deadline covers a whole request, however busy the connection is with single bytes, and the
 * taking of a whole answer; it does not run while an answer is held back here. */
#include "ca/http/peer.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* A turn reads so many times from one peer before the others have theirs. */
enum { DRAIN_MS = 2000, READS_A_TURN = 8 };

static void peer_is_ready(void *context, uint32_t events);

void peer_renew(struct peer *peer)
{
    peer->deadline_ms = clock_monotonic_ms() + peer->thread->server->options.idle_timeout_ms;
}

static bool peer_wake_at(struct peer *peer, int64_t at_ms)
{
    return thread_timer(peer->thread, &peer->timed, at_ms);
}

void peer_touch(struct peer *peer)
{
    if (peer->touched || peer->flushing || peer->draining)
        return;
    peer->touched = true;
    LIST_INSERT_HEAD(&peer->thread->touched, peer, touches);
}

static void peer_leave(struct peer *peer)
{
    struct server *server = peer->thread->server;
    addresses_leave(&server->addresses, &peer->address);
    atomic_fetch_sub(&server->connections_now, 1);
    atomic_fetch_sub(&peer->thread->load, 1);
    close(peer->fd);
    free(peer);
}

void peer_discard(struct peer *peer)
{
    peer_leave(peer);
}

void peer_close(struct peer *peer)
{
    struct server_thread *thread = peer->thread;
    if (peer->protocol != NULL)
        peer->protocol->close(peer);
    if (peer->touched)
        LIST_REMOVE(peer, touches);
    LIST_REMOVE(peer, peers);
    thread_timer_forget(thread, &peer->timed);
    loop_forget(thread->loop, peer->fd);
    SSL_free(peer->ssl);
    buf_free(&peer->out);
    peer_leave(peer);
}

static void peer_reset(struct peer *peer)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    peer_close(peer);
}

static void peer_drain(struct peer *peer)
{
    socket_finish(peer);
    peer->draining = true;
    peer->deadline_ms = clock_monotonic_ms() + DRAIN_MS;
    /* The timer that is set comes later. */
    thread_timer_forget(peer->thread, &peer->timed);
    if (!peer_wake_at(peer, peer->deadline_ms) ||
        !loop_watch(peer->thread->loop, peer->fd, EPOLLIN, peer_is_ready, peer, NULL))
        peer_close(peer);
}

/* False when the other side has closed, and there is nothing more to wait for. */
static bool drain_read(struct peer *peer)
{
    ssize_t count = recv(peer->fd, peer->thread->in, READ_SIZE, 0);
    return count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR));
}

static void peer_due(struct timed *timed)
{
    struct peer *peer = (struct peer *)((char *)timed - offsetof(struct peer, timed));
    if (peer->held > 0 && !peer->draining)
        peer_renew(peer);
    if (peer->deadline_ms > clock_monotonic_ms()) {
        if (!peer_wake_at(peer, peer->deadline_ms))
            peer_close(peer);
        return;
    }
    peer_close(peer);
}

static bool peer_reads(const struct peer *peer)
{
    return !peer->eof && peer->end == END_NOT &&
           (peer->protocol == NULL || !peer->protocol->full(peer));
}

static bool peer_watch(struct peer *peer)
{
    bool reads = peer_reads(peer);
    /* A client that goes while an answer is held and nothing more is read would stay for ever. */
    bool waits = !reads && !peer->eof && peer->end == END_NOT && peer->held > 0;
    uint32_t wanted = (reads ? (uint32_t)EPOLLIN : 0) | (waits ? (uint32_t)EPOLLRDHUP : 0) |
                      (peer->blocked || peer->wants_write ? (uint32_t)EPOLLOUT : 0);
    if (wanted == peer->watched)
        return true;
    peer->watched = wanted;
    return loop_watch(peer->thread->loop, peer->fd, wanted, peer_is_ready, peer, NULL);
}

static const struct protocol *peer_protocol(const struct peer *peer)
{
    const unsigned char *chosen = NULL;
    unsigned len = 0;
    SSL_get0_alpn_selected(peer->ssl, &chosen, &len);
    return len == 2 ? &http2_protocol : &http1_protocol;
}

/* True when there is a protocol to go on with. */
static bool peer_shake_hands(struct peer *peer)
{
    enum moved moved = socket_shake_hands(peer);
    if (moved == MOVED_BLOCKED)
        return false;
    if (moved != MOVED) {
        peer->end = END_CLOSE; /* an alert was sent, which must not be lost */
        return false;
    }
    const struct protocol *protocol = peer_protocol(peer);
    if (protocol == &http2_protocol && !http2_open(peer)) {
        peer->end = END_RESET;
        return false;
    }
    peer->protocol = protocol;
    peer_renew(peer);
    return true;
}

static void peer_read(struct peer *peer)
{
    for (int i = 0; i < READS_A_TURN && peer_reads(peer); i++) {
        size_t len;
        enum moved moved = socket_read(peer, peer->thread->in, READ_SIZE, &len);
        if (moved == MOVED) {
            if (!peer->protocol->take(peer, span_make(peer->thread->in, len)))
                peer->broken = true;
        } else if (moved != MOVED_BLOCKED) {
            peer->eof = true;
            peer->broken = moved == MOVED_BROKEN;
        }
        if (moved != MOVED || !peer->more)
            return;
    }
}

static void peer_is_ready(void *context, uint32_t events)
{
    struct peer *peer = context;
    if (peer->draining) {
        if (!drain_read(peer))
            peer_close(peer);
        return;
    }
    /* Nothing is read any more, so that this is not told by a read. */
    if ((events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) != 0 && !peer_reads(peer)) {
        peer_close(peer);
        return;
    }
    peer->blocked = peer->wants_write = false;
    if (peer->protocol != NULL || peer_shake_hands(peer))
        peer_read(peer);
    peer_touch(peer);
}

/* Writes what there is; false when the connection is gone. */
static bool out_write(struct peer *peer, struct buf *out)
{
    size_t sent = 0;
    while (sent < out->len && !peer->blocked) {
        size_t len = 0;
        enum moved moved = socket_write(peer, span_make(out->data + sent, out->len - sent), &len);
        if (moved == MOVED_BROKEN || moved == MOVED_EOF)
            return false;
        peer->blocked = moved == MOVED_BLOCKED;
        sent += len;
    }
    struct span rest = span_make(out->data + sent, out->len - sent);
    if (out != &peer->out) {
        bool kept = rest.len == 0 || buf_append_span(&peer->out, rest);
        buf_clear(out);
        return kept;
    }
    memmove(out->data, rest.data, rest.len);
    out->len = rest.len;
    if (out->len == 0)
        buf_free(out); /* seldom needed, and 10,000 of them would be missed */
    return true;
}

/* Fills and writes until there is nothing more, or the socket takes no more. False when the
 * connection is gone. */
static bool peer_write(struct peer *peer)
{
    while (!peer->blocked) {
        struct buf *out = peer->out.len > 0 ? &peer->out : &peer->thread->out;
        if (peer->protocol != NULL && out == &peer->thread->out)
            TRY(peer->protocol->fill(peer, out));
        if (out->len == 0)
            return true;
        TRY(out_write(peer, out));
        if (!peer->blocked && peer->answering > 0)
            peer_renew(peer);
    }
    return true;
}

void peer_flush(struct peer *peer)
{
    peer->flushing = true;
    if (peer->more && peer->protocol != NULL)
        peer_read(peer);
    bool ok = !peer->broken && peer_write(peer);
    peer->flushing = false;
    if (!ok) {
        buf_clear(&peer->thread->out);
        peer_close(peer);
    } else if (peer->end == END_RESET) {
        peer_reset(peer);
    } else if (peer->end == END_CLOSE && !peer->blocked) {
        peer_drain(peer);
    } else if (peer->eof && !peer->blocked) {
        /* What is not ready by now will find nobody. */
        socket_finish(peer);
        peer_close(peer);
    } else if (!peer_watch(peer)) {
        peer_close(peer);
    } else if (peer->more && peer_reads(peer)) {
        peer_touch(peer);
    }
}

void peer_open(struct server_thread *thread, struct peer *peer)
{
    LIST_INSERT_HEAD(&thread->peers, peer, peers);
    peer->timed.due = peer_due;
    buf_init(&peer->out, OUT_MAX);
    buf_init(&peer->http1.body, thread->server->options.body_limit);
    buf_init(&peer->http1.in,
             2 * HTTP1_HEAD_MAX + thread->server->options.body_limit + 2 * READ_SIZE);
    peer_renew(peer);
    bool ok = peer_wake_at(peer, peer->deadline_ms);
    if (thread->server->tls != NULL) {
        peer->ssl = SSL_new(thread->server->tls);
        ok = ok && peer->ssl != NULL && SSL_set_fd(peer->ssl, peer->fd) == 1;
        if (ok)
            SSL_set_accept_state(peer->ssl);
    } else {
        peer->protocol = &http1_protocol;
    }
    if (!ok || !peer_watch(peer))
        peer_close(peer);
}
