#include "io/resolver.h"

#include <ares.h>
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

/* c-ares looks through all its queries to say when the next one times out; a fixed pace is as good
 * for tries that take seconds. */
#define TICK_MS 100

#define SOCKETS_MAX 64

/* Bursts overflow sockets' buffers, so the first try is short; each is twice as long as the one
 * before, and together they fill the time. */
#define TRIES        5
#define TRIES_SUM    31
#define BUFFER_BYTES (4 << 20)

/* One of c-ares' sockets: one for UDP a server, others while an answer comes by TCP. */
struct lookup_socket {
    struct resolver *resolver;
    int fd; /* -1: free */
};

struct resolver {
    struct loop *loop;
    struct lookup_socket sockets[SOCKETS_MAX];
    struct resolver_handlers handlers;
    ares_channel channel;
    unsigned pending;
    bool ending;
};

/* What c-ares keeps for a query. */
struct question {
    struct resolver *resolver;
    uint64_t id;
};

bool place_read(const char *text, struct place *ret_place)
{
    struct place place = {0};
    if (inet_pton(AF_INET, text, &place.address.four.sin_addr) == 1) {
        place.address.four.sin_family = AF_INET;
        place.len = sizeof place.address.four;
    } else if (inet_pton(AF_INET6, text, &place.address.six.sin6_addr) == 1) {
        place.address.six.sin6_family = AF_INET6;
        place.len = sizeof place.address.six;
    } else {
        return false;
    }
    *ret_place = place;
    return true;
}

void place_text(const struct place *place, char *text)
{
    const void *address = place->address.any.sa_family == AF_INET
                              ? (const void *)&place->address.four.sin_addr
                              : (const void *)&place->address.six.sin6_addr;
    text[0] = '\0';
    if (place->len > 0)
        inet_ntop(place->address.any.sa_family, address, text, PLACE_TEXT_MAX);
}

void place_set_port(struct place *place, int port)
{
    if (place->address.any.sa_family == AF_INET)
        place->address.four.sin_port = htons((uint16_t)port);
    else
        place->address.six.sin6_port = htons((uint16_t)port);
}

bool place_equal(const struct place *a, const struct place *b)
{
    return a->len == b->len && memcmp(&a->address, &b->address, a->len) == 0;
}

static void socket_ready(void *context, uint32_t events)
{
    const struct lookup_socket *ready = context;
    bool writes = (events & EPOLLOUT) != 0;
    bool reads = (events & ~(uint32_t)EPOLLOUT) != 0;
    ares_process_fd(ready->resolver->channel, reads ? ready->fd : ARES_SOCKET_BAD,
                    writes ? ready->fd : ARES_SOCKET_BAD);
}

static struct lookup_socket *socket_find(struct resolver *resolver, int fd)
{
    for (size_t i = 0; i < SOCKETS_MAX; i++)
        if (resolver->sockets[i].fd == fd)
            return &resolver->sockets[i];
    return NULL;
}

static void socket_changed(void *context, ares_socket_t fd, int readable, int writable)
{
    struct resolver *resolver = context;
    uint32_t events = (readable ? (uint32_t)EPOLLIN : 0) | (writable ? (uint32_t)EPOLLOUT : 0);
    struct lookup_socket *place = socket_find(resolver, fd);
    if (place == NULL)
        place = socket_find(resolver, -1);
    if (place == NULL)
        return; /* not watched: the query times out */
    place->fd = fd;
    if (events == 0 || !loop_watch(resolver->loop, fd, events, socket_ready, place, NULL)) {
        loop_forget(resolver->loop, fd);
        place->fd = -1;
    }
}

bool resolver_new(struct loop *loop, const char *server, unsigned timeout_ms,
                  const struct resolver_handlers *handlers, struct resolver **ret_resolver,
                  struct error *error)
{
    struct resolver *resolver = calloc(1, sizeof *resolver);
    if (resolver == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a resolver");
    resolver->loop = loop;
    resolver->handlers = *handlers;
    for (size_t i = 0; i < SOCKETS_MAX; i++)
        resolver->sockets[i] = (struct lookup_socket){.resolver = resolver, .fd = -1};
    char lookups[] = "b"; /* no hosts file when a server is named */
    /* The one server's SERVFAIL is the answer; of several, the next is asked. */
    int checks = server != NULL ? ARES_FLAG_NOCHECKRESP : 0;
    struct ares_options options = {.flags = ARES_FLAG_NOSEARCH | checks,
                                   .timeout = (int)(timeout_ms / TRIES_SUM + 1),
                                   .tries = TRIES,
                                   .socket_receive_buffer_size = BUFFER_BYTES,
                                   .sock_state_cb = socket_changed,
                                   .sock_state_cb_data = resolver,
                                   .lookups = lookups};
    int wanted = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB |
                 ARES_OPT_SOCK_RCVBUF | (server != NULL ? ARES_OPT_LOOKUPS : 0);
    int status = ares_init_options(&resolver->channel, &options, wanted);
    if (status != ARES_SUCCESS) {
        free(resolver);
        return error_set(error, ERROR_SYSTEM, "c-ares: %s", ares_strerror(status));
    }
    if (server != NULL &&
        (status = ares_set_servers_ports_csv(resolver->channel, server)) != ARES_SUCCESS) {
        resolver_free(resolver);
        return error_set(error, ERROR_CONFIG, "DNS server \"%s\": %s", server,
                         ares_strerror(status));
    }
    *ret_resolver = resolver;
    return true;
}

void resolver_free(struct resolver *resolver)
{
    if (resolver == NULL)
        return;
    resolver->ending = true;
    ares_destroy(resolver->channel); /* calls back for every query */
    free(resolver);
}

static struct question *question_new(struct resolver *resolver, uint64_t id)
{
    struct question *question = malloc(sizeof *question);
    if (question == NULL)
        return NULL;
    *question = (struct question){.resolver = resolver, .id = id};
    resolver->pending++;
    return question;
}

/* NULL when the resolver ends. */
static struct resolver *question_end(struct question *question, uint64_t *ret_id)
{
    struct resolver *resolver = question->resolver;
    *ret_id = question->id;
    free(question);
    resolver->pending--;
    return resolver->ending ? NULL : resolver;
}

static const char *problem_of(int status)
{
    switch (status) {
    case ARES_SUCCESS:
        return NULL;
    case ARES_ENOTFOUND:
        return "NXDOMAIN";
    case ARES_ENODATA:
        return "no records";
    case ARES_ESERVFAIL:
        return "SERVFAIL";
    case ARES_EREFUSED:
        return "REFUSED";
    case ARES_ETIMEOUT:
        return "query timed out";
    case ARES_ECONNREFUSED:
        return "no server answers";
    default:
        return ares_strerror(status);
    }
}

/* IPv6 first, as CAs do. */
static size_t places_of(const struct ares_addrinfo *info, struct place *places)
{
    size_t count = 0;
    for (int pass = 0; pass < 2; pass++) {
        int family = pass == 0 ? AF_INET6 : AF_INET;
        for (const struct ares_addrinfo_node *node = info->nodes; node != NULL;
             node = node->ai_next) {
            if (node->ai_family != family || count == PLACES_MAX ||
                node->ai_addrlen > sizeof places->address)
                continue;
            places[count] = (struct place){.len = node->ai_addrlen};
            memcpy(&places[count].address, node->ai_addr, node->ai_addrlen);
            count++;
        }
    }
    return count;
}

static void addresses_came(void *context, int status, int timeouts, struct ares_addrinfo *info)
{
    struct place places[PLACES_MAX];
    uint64_t id;
    struct resolver *resolver = question_end(context, &id);
    (void)timeouts;
    size_t count = status == ARES_SUCCESS && info != NULL ? places_of(info, places) : 0;
    if (info != NULL)
        ares_freeaddrinfo(info);
    if (resolver != NULL)
        resolver->handlers.found(
            resolver->handlers.context, id, places, count,
            count > 0 ? NULL : problem_of(status != ARES_SUCCESS ? status : ARES_ENODATA));
}

void resolver_find(struct resolver *resolver, const char *name, uint64_t id)
{
    const struct ares_addrinfo_hints hints = {
        .ai_family = AF_UNSPEC, .ai_flags = ARES_AI_NOSORT, .ai_socktype = SOCK_STREAM};
    struct question *question = question_new(resolver, id);
    if (question == NULL)
        resolver->handlers.found(resolver->handlers.context, id, NULL, 0, "out of memory");
    else
        ares_getaddrinfo(resolver->channel, name, NULL, &hints, addresses_came, question);
}

static void answer_came(void *context, int status, int timeouts, unsigned char *message, int len)
{
    uint64_t id;
    struct resolver *resolver = question_end(context, &id);
    (void)timeouts;
    /* "No data" is said of a lone CNAME too, and comes with the message. */
    if (status == ARES_ENODATA && message != NULL)
        status = ARES_SUCCESS;
    if (resolver != NULL)
        resolver->handlers.answered(resolver->handlers.context, id, message,
                                    len > 0 ? (size_t)len : 0, problem_of(status));
}

void resolver_ask(struct resolver *resolver, const char *name, int type, uint64_t id)
{
    struct question *question = question_new(resolver, id);
    if (question == NULL)
        resolver->handlers.answered(resolver->handlers.context, id, NULL, 0, "out of memory");
    else
        ares_query(resolver->channel, name, ns_c_in, type, answer_came, question);
}

int64_t resolver_wait_ms(const struct resolver *resolver)
{
    return resolver->pending > 0 ? TICK_MS : -1;
}

void resolver_tick(struct resolver *resolver)
{
    if (resolver->pending > 0)
        ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}
