/* A DNS server on UDP for tests, which answers from a table. A thread of its own. */
#ifndef CERTMILL_TEST_DNS_SERVER_H
#define CERTMILL_TEST_DNS_SERVER_H

#include "check.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <pthread.h>
#include <stdatomic.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define DNS_RECORDS_MAX 5

struct dns_record {
    int type; /* ns_t_txt, ns_t_cname, ns_t_a, ns_t_aaaa; 0: none */
    const char *value;
};

/* What is answered to questions for a name, whatever their type: the server is not one of the
 * clever ones. A and AAAA records go with their own questions only. */
struct dns_entry {
    const char *name;
    struct dns_record records[DNS_RECORDS_MAX];
    int code;    /* ns_r_nxdomain, ... */
    bool silent; /* no answer at all */
    bool garbage;
};

struct dns_server {
    const struct dns_entry *entries;
    size_t count;
    int fd, port;
    char address[32]; /* "127.0.0.1:PORT" */
    pthread_t thread;
    atomic_uint questions;
    atomic_bool stopping;
};

struct dns_message {
    unsigned char bytes[4096];
    size_t len;
};

static inline void dns_put(struct dns_message *message, const void *bytes, size_t len)
{
    CHECK(message->len + len <= sizeof message->bytes);
    memcpy(message->bytes + message->len, bytes, len);
    message->len += len;
}

static inline void dns_put_16(struct dns_message *message, size_t number)
{
    unsigned char bytes[2] = {(unsigned char)(number >> 8), (unsigned char)number};
    dns_put(message, bytes, 2);
}

static inline void dns_put_name(struct dns_message *message, const char *name)
{
    while (*name != '\0') {
        size_t len = strcspn(name, ".");
        unsigned char one = (unsigned char)len;
        dns_put(message, &one, 1);
        dns_put(message, name, len);
        name += len + (name[len] == '.');
    }
    dns_put(message, "", 1);
}

/* A text of more than 255 bytes has several strings. */
static inline void dns_put_text(struct dns_message *message, const char *text)
{
    size_t left = strlen(text);
    do {
        unsigned char part = (unsigned char)(left < 255 ? left : 255);
        dns_put(message, &part, 1);
        dns_put(message, text, part);
        text += part;
        left -= part;
    } while (left > 0);
}

static inline void dns_put_record(struct dns_message *message, const struct dns_record *record)
{
    struct dns_message data = {.len = 0};
    unsigned char address[16];
    if (record->type == ns_t_txt) {
        dns_put_text(&data, record->value);
    } else if (record->type == ns_t_cname) {
        dns_put_name(&data, record->value);
    } else {
        bool four = record->type == ns_t_a;
        CHECK_INT(inet_pton(four ? AF_INET : AF_INET6, record->value, address), 1);
        dns_put(&data, address, four ? 4 : 16);
    }
    dns_put_16(message, 0xc00c); /* the question's name */
    dns_put_16(message, (size_t)record->type);
    dns_put_16(message, ns_c_in);
    dns_put(message, "\0\0\0\x3c", 4);
    dns_put_16(message, data.len);
    dns_put(message, data.bytes, data.len);
}

static inline const struct dns_entry *dns_find(const struct dns_server *server, const char *name)
{
    for (size_t i = 0; i < server->count; i++)
        if (strcasecmp(server->entries[i].name, name) == 0)
            return &server->entries[i];
    return NULL;
}

/* The question's name as text; gives the length of the question. */
static inline size_t dns_question(const unsigned char *query, size_t len, char *name)
{
    size_t at = 12;
    while (at < len && query[at] != 0) {
        memcpy(name, query + at + 1, query[at]);
        name += query[at];
        at += 1U + query[at];
        *name++ = query[at] != 0 ? '.' : '\0';
    }
    return at + 5 - 12;
}

static inline bool dns_goes_with(int record, int question)
{
    return record != 0 && (record == question || (record != ns_t_a && record != ns_t_aaaa));
}

/* False: no answer. */
static inline bool dns_answer(const struct dns_server *server, const unsigned char *query,
                              size_t len, struct dns_message *reply)
{
    char name[512] = "";
    size_t question = dns_question(query, len, name);
    int type = query[12 + question - 3];
    const struct dns_entry *entry = dns_find(server, name);
    size_t count = 0;
    int code = entry != NULL ? entry->code : ns_r_nxdomain;
    if (entry != NULL && entry->silent)
        return false;
    for (size_t i = 0; entry != NULL && i < DNS_RECORDS_MAX; i++)
        count += dns_goes_with(entry->records[i].type, type);
    reply->len = 0;
    dns_put(reply, query, 2);
    dns_put_16(reply, 0x8580U | (unsigned)code);
    dns_put_16(reply, 1);
    dns_put_16(reply, count + (entry != NULL && entry->garbage ? 2 : 0));
    dns_put(reply, "\0\0\0\0", 4);
    dns_put(reply, query + 12, question);
    for (size_t i = 0; entry != NULL && i < DNS_RECORDS_MAX; i++)
        if (dns_goes_with(entry->records[i].type, type))
            dns_put_record(reply, &entry->records[i]);
    if (entry != NULL && entry->garbage)
        dns_put(reply, "\xc0\xff", 2);
    return true;
}

static inline void *dns_thread(void *context)
{
    struct dns_server *server = context;
    unsigned char query[1024];
    struct sockaddr_in from;
    struct dns_message reply;
    while (!atomic_load(&server->stopping)) {
        socklen_t from_len = sizeof from;
        ssize_t len =
            recvfrom(server->fd, query, sizeof query, 0, (struct sockaddr *)&from, &from_len);
        if (len < 17)
            continue;
        atomic_fetch_add(&server->questions, 1);
        if (dns_answer(server, query, (size_t)len, &reply))
            CHECK(sendto(server->fd, reply.bytes, reply.len, 0, (struct sockaddr *)&from,
                         from_len) > 0);
    }
    return NULL;
}

static inline struct dns_server *dns_server_start(const struct dns_entry *entries, size_t count)
{
    struct dns_server *server = calloc(1, sizeof *server);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    CHECK(server != NULL);
    server->entries = entries;
    server->count = count;
    server->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK(server->fd >= 0 && bind(server->fd, (struct sockaddr *)&address, len) == 0);
    CHECK(getsockname(server->fd, (struct sockaddr *)&address, &len) == 0);
    server->port = ntohs(address.sin_port);
    snprintf(server->address, sizeof server->address, "127.0.0.1:%d", server->port);
    CHECK_INT(pthread_create(&server->thread, NULL, dns_thread, server), 0);
    return server;
}

static inline void dns_server_stop(struct dns_server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)server->port)};
    atomic_store(&server->stopping, true);
    CHECK(sendto(server->fd, "", 1, 0, (struct sockaddr *)&address, sizeof address) == 1);
    pthread_join(server->thread, NULL);
    close(server->fd);
    free(server);
}

#endif
