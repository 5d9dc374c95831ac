/* Connections come in on one socket that all threads watch; whoever is woken hands each to the
 * thread that has fewest, for a client with a handful of connections must load all cores alike. */
#include "ca/http/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Without a free descriptor there is nothing to do but to wait. */
enum { ACCEPT_PAUSE_MS = 100, ACCEPT_BATCH = 64 };

union any_address {
    struct sockaddr any;
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
};

static void address_take(const union any_address *from, struct peer *peer)
{
    struct in6_addr *ip = &peer->address.ip;
    if (from->any.sa_family == AF_INET6) {
        *ip = from->ipv6.sin6_addr;
    } else {
        *ip = (struct in6_addr){.s6_addr = {[10] = 0xff, [11] = 0xff}};
        memcpy(&ip->s6_addr[12], &from->ipv4.sin_addr, 4);
    }
    if (IN6_IS_ADDR_V4MAPPED(ip))
        (void)inet_ntop(AF_INET, &ip->s6_addr[12], peer->address_text, sizeof peer->address_text);
    else
        (void)inet_ntop(AF_INET6, ip, peer->address_text, sizeof peer->address_text);
}

/* Counts it among all connections; false when it is one too many. */
static bool connection_enter(struct server *server, const struct peer *peer)
{
    unsigned limit = atomic_load(&server->limit_connections);
    unsigned now = atomic_fetch_add(&server->connections_now, 1) + 1;
    if ((limit > 0 && now > limit) || !addresses_enter(&server->addresses, &peer->address,
                                                       atomic_load(&server->limit_per_address))) {
        atomic_fetch_sub(&server->connections_now, 1);
        return false;
    }
    most_raise(&server->connections_most, now);
    atomic_fetch_add(&server->connections, 1);
    return true;
}

static struct server_thread *thread_choose(struct server_thread *own)
{
    struct server *server = own->server;
    struct server_thread *best = own;
    unsigned least = atomic_load(&own->load);
    for (unsigned i = 0; i < server->options.threads && least > 0; i++) {
        struct server_thread *thread = &server->threads[i];
        unsigned load = atomic_load(&thread->load);
        if (load < least) {
            best = thread;
            least = load;
        }
    }
    return best;
}

static void connection_take(struct server_thread *own, int fd, const union any_address *from)
{
    struct server *server = own->server;
    struct peer *peer = calloc(1, sizeof *peer);
    if (peer != NULL)
        address_take(from, peer);
    if (peer == NULL || !connection_enter(server, peer)) {
        atomic_fetch_add(&server->refused, 1);
        free(peer);
        close(fd);
        return;
    }
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct server_thread *thread = thread_choose(own);
    atomic_fetch_add(&thread->load, 1);
    peer->thread = thread;
    peer->fd = fd;
    peer->message.kind = MESSAGE_PEER;
    if (thread == own)
        peer_open(own, peer);
    else
        mailbox_post(&thread->mailbox, &peer->message);
}

static void listener_resume(struct timed *timed)
{
    struct server_thread *thread =
        (struct server_thread *)((char *)timed - offsetof(struct server_thread, listener));
    if (!accept_watch(thread, NULL))
        (void)!thread_timer(thread, timed, clock_monotonic_ms() + ACCEPT_PAUSE_MS);
}

static void listener_pause(struct server_thread *thread)
{
    thread->listener.due = listener_resume;
    if (thread_timer(thread, &thread->listener, clock_monotonic_ms() + ACCEPT_PAUSE_MS))
        loop_forget(thread->loop, thread->server->listen_fd);
}

static void listener_ready(void *context, uint32_t events)
{
    (void)events;
    struct server_thread *thread = context;
    for (int i = 0; i < ACCEPT_BATCH; i++) {
        union any_address from = {0};
        socklen_t len = sizeof from;
        int fd = accept4(thread->server->listen_fd, &from.any, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            connection_take(thread, fd, &from);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            listener_pause(thread);
        return;
    }
}

bool accept_watch(struct server_thread *thread, struct error *error)
{
    return loop_watch(thread->loop, thread->server->listen_fd, EPOLLIN | EPOLLEXCLUSIVE,
                      listener_ready, thread, error);
}
