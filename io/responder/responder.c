/* http-01 answered: each connection is a row of requests and answers. */
#include "io/responder.h"

#include "responder/acceptor.h"
#include "responder/answer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct exchange {
    struct connection connection; /* first: see acceptor_protocol */
    size_t in_len;
    size_t out_len;
    size_t out_sent;
    bool closing; /* once the answer is sent */
    char in[REQUEST_HEAD_MAX];
    char out[ANSWER_MAX];
};

struct responder {
    struct tokens tokens;
    struct acceptor *acceptor;
};

static enum step answer_send(struct exchange *exchange)
{
    while (exchange->out_sent < exchange->out_len) {
        ssize_t sent = send(exchange->connection.fd, exchange->out + exchange->out_sent,
                            exchange->out_len - exchange->out_sent, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return errno == EAGAIN ? STEP_WAIT_WRITE : STEP_CLOSE;
        exchange->out_sent += (size_t)sent;
    }
    exchange->out_len = exchange->out_sent = 0;
    return exchange->closing ? connection_drain(&exchange->connection) : STEP_ON;
}

/* Answers the request at the front of what was read, if it is complete. */
static enum step request_answer(struct exchange *exchange)
{
    struct responder *responder = exchange->connection.context;
    size_t len = request_head_len(span_make(exchange->in, exchange->in_len));
    struct answer answer;
    if (len > 0)
        answer = answer_write(span_make(exchange->in, len), &responder->tokens, exchange->out);
    else if (exchange->in_len == sizeof exchange->in)
        answer = answer_too_large(exchange->out);
    else
        return STEP_WAIT_READ;
    exchange->out_len = answer.len;
    exchange->closing = !answer.keep;
    memmove(exchange->in, exchange->in + len, exchange->in_len - len);
    exchange->in_len -= len;
    connection_renew(&exchange->connection);
    return answer_send(exchange);
}

static enum step request_read(struct exchange *exchange)
{
    ssize_t count;
    do {
        count = recv(exchange->connection.fd, exchange->in + exchange->in_len,
                     sizeof exchange->in - exchange->in_len, 0);
    } while (count < 0 && errno == EINTR);
    if (count < 0)
        return errno == EAGAIN ? STEP_WAIT_READ : STEP_CLOSE;
    if (count == 0)
        return STEP_CLOSE;
    exchange->in_len += (size_t)count;
    return STEP_ON;
}

static bool exchange_open(struct connection *connection)
{
    struct exchange *exchange = (struct exchange *)connection;
    exchange->in_len = exchange->out_len = exchange->out_sent = 0;
    exchange->closing = false;
    return true;
}

static enum step exchange_ready(struct connection *connection)
{
    struct exchange *exchange = (struct exchange *)connection;
    enum step step = exchange->out_len > 0 ? answer_send(exchange) : request_read(exchange);
    while (step == STEP_ON)
        step = request_answer(exchange);
    return step;
}

static const struct acceptor_protocol http_01 = {
    .name = "http-01",
    .hint = "set solvers.http-01.webroot",
    .connection_size = sizeof(struct exchange),
    .open = exchange_open,
    .ready = exchange_ready,
};

bool responder_new_limited(const char *listen, const struct responder_limits *limits,
                           struct responder **ret_responder, struct error *error)
{
    struct responder *responder = calloc(1, sizeof *responder);
    if (responder == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for the http-01 responder");
    tokens_init(&responder->tokens);
    if (!acceptor_new(listen, &http_01, responder, limits, &responder->acceptor, error)) {
        responder_free(responder);
        return false;
    }
    *ret_responder = responder;
    return true;
}

bool responder_new(const char *listen, struct responder **ret_responder, struct error *error)
{
    return responder_new_limited(listen, &(struct responder_limits){0}, ret_responder, error);
}

void responder_free(struct responder *responder)
{
    if (responder == NULL)
        return;
    acceptor_free(responder->acceptor);
    tokens_free(&responder->tokens);
    free(responder);
}

int responder_port(const struct responder *responder)
{
    return acceptor_port(responder->acceptor);
}

/* RFC 8555 section 8.3: the token is base64url, and so needs no escapes in a path. */
static bool token_is_valid(struct span token)
{
    for (size_t i = 0; i < token.len; i++) {
        char c = token.data[i];
        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_'))
            return false;
    }
    return true;
}

bool responder_put(struct responder *responder, struct span token, struct span answer)
{
    return token_is_valid(token) && tokens_put(&responder->tokens, token, answer);
}

void responder_remove(struct responder *responder, struct span token)
{
    tokens_remove(&responder->tokens, token);
}
