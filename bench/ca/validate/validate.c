#include "check.h"

#include "base/clock.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define HTTP_PORT   80
#define TLS_PORT    443
#define TIMEOUT_MS  10000
#define CONNECTIONS 512

enum message_kind { MESSAGE_CHECK, MESSAGE_END };

static const unsigned char alpn_protocol[] = "\x0a"
                                             "acme-tls/1";

static void check_begin(struct check *check, int64_t now_ms)
{
    struct validator *validator = check->validator;
    validator->active++;
    check->deadline_ms = now_ms + validator->options.timeout_ms;
    if (!timers_add(&validator->timers, check->deadline_ms, check->slot)) {
        check_end(check, "connection", "The CA has no memory left");
        return;
    }
    switch (check->method) {
    case VALIDATE_HTTP_01:
        http_begin(check);
        break;
    case VALIDATE_DNS_01:
        dns_begin(check);
        break;
    case VALIDATE_TLS_ALPN_01:
        alpn_begin(check);
        break;
    }
}

static void turn_wait(struct check *check)
{
    struct validator *validator = check->validator;
    check->next = NULL;
    *validator->turn_last = check;
    validator->turn_last = &check->next;
}

static void turns_take(struct validator *validator, int64_t now_ms)
{
    while (validator->turn_first != NULL && validator->active < validator->options.connections) {
        struct check *check = validator->turn_first;
        validator->turn_first = check->next;
        if (validator->turn_first == NULL)
            validator->turn_last = &validator->turn_first;
        check_begin(check, now_ms);
    }
}

/* A new check: waits, or takes its turn. */
static void check_accept(struct validator *validator, struct check *check, int64_t now_ms)
{
    check->begin_ms = check->begin_ms > 0 ? now_ms + check->begin_ms : 0;
    if (!slots_add(&validator->checks, check, &check->slot)) {
        free(check); /* the caller's order stays as it is, as if the answer never came */
        return;
    }
    if (check->begin_ms == 0 || !timers_add(&validator->timers, check->begin_ms, check->slot))
        turn_wait(check);
}

static void mail_read(void *context, uint32_t events)
{
    struct validator *validator = context;
    int64_t now_ms = clock_monotonic_ms();
    (void)events;
    struct message *next;
    for (struct message *message = mailbox_take(&validator->mailbox); message != NULL;
         message = next) {
        next = message->next;
        if (message->kind == MESSAGE_CHECK) {
            check_accept(validator, (struct check *)message, now_ms);
        } else {
            validator->ending = true;
            free(message);
        }
    }
}

static void timers_run(struct validator *validator, int64_t now_ms)
{
    uint64_t slot;
    while (timers_take_due(&validator->timers, now_ms, &slot)) {
        struct check *check = slots_get(&validator->checks, slot);
        if (check == NULL)
            continue;
        if (check->deadline_ms == 0)
            turn_wait(check);
        else if (check->deadline_ms <= now_ms)
            check_expire(check);
    }
}

static void *validator_thread(void *context)
{
    struct validator *validator = context;
    sigset_t pipes; /* OpenSSL writes without MSG_NOSIGNAL */
    sigemptyset(&pipes);
    sigaddset(&pipes, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipes, NULL);
    while (!validator->ending) {
        int64_t now_ms = clock_monotonic_ms();
        timers_run(validator, now_ms);
        turns_take(validator, now_ms);
        int64_t wait_ms = timers_wait_ms(&validator->timers, now_ms);
        int64_t tick_ms = resolver_wait_ms(validator->resolver);
        if (tick_ms >= 0 && (wait_ms < 0 || tick_ms < wait_ms))
            wait_ms = tick_ms;
        /* epoll can only fail here by a bug of this file. */
        if (!loop_run_once(validator->loop, wait_ms, NULL))
            break;
        resolver_tick(validator->resolver);
    }
    return NULL;
}

static SSL_CTX *tls_new(bool alpn)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
    if (tls == NULL)
        return NULL;
    SSL_CTX_set_verify(tls, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION) == 1 &&
        (!alpn || SSL_CTX_set_alpn_protos(tls, alpn_protocol, sizeof alpn_protocol - 1) == 0))
        return tls;
    SSL_CTX_free(tls);
    return NULL;
}

static bool options_take(struct validator *validator, const struct validator_options *options,
                         struct error *error)
{
    struct validator_options *taken = &validator->options;
    *taken = *options;
    taken->http_port = options->http_port != 0 ? options->http_port : HTTP_PORT;
    taken->tls_port = options->tls_port != 0 ? options->tls_port : TLS_PORT;
    taken->timeout_ms = options->timeout_ms != 0 ? options->timeout_ms : TIMEOUT_MS;
    taken->connections = options->connections != 0 ? options->connections : CONNECTIONS;
    if (options->fixed_address != NULL && !place_read(options->fixed_address, &validator->fixed))
        return error_set(error, ERROR_CONFIG, "\"%s\" is not an IP address",
                         options->fixed_address);
    /* Borrowed texts are not looked at again. */
    taken->fixed_address = NULL;
    taken->dns_server = NULL;
    return true;
}

static bool validator_prepare(struct validator *validator, const struct validator_options *options,
                              struct error *error)
{
    const struct resolver_handlers handlers = {
        .found = check_places_came, .answered = dns_texts_came, .context = validator};
    TRY(options_take(validator, options, error));
    validator->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    validator->alpn_tls = tls_new(true);
    validator->http_tls = tls_new(false);
    if (validator->sha256 == NULL || validator->alpn_tls == NULL || validator->http_tls == NULL) {
        ERR_clear_error();
        return error_set(error, ERROR_CRYPTO, "OpenSSL has no TLS");
    }
    TRY(loop_new(&validator->loop, error));
    TRY(loop_watch(validator->loop, validator->mailbox.event_fd, EPOLLIN, mail_read, validator,
                   error));
    TRY(resolver_new(validator->loop, options->dns_server, validator->options.timeout_ms, &handlers,
                     &validator->resolver, error));
    int failed = pthread_create(&validator->thread, NULL, validator_thread, validator);
    return failed == 0 || error_system(error, failed, "the validator's thread");
}

/* All that the thread had; it does not run any more. */
static void validator_clear(struct validator *validator)
{
    while (validator->connections != NULL)
        connection_close(validator->connections);
    resolver_free(validator->resolver);
    for (uint32_t i = 0; i < validator->checks.count; i++)
        free(validator->checks.slots[i].object);
    for (struct message *message = mailbox_take(&validator->mailbox), *next; message != NULL;
         message = next) {
        next = message->next;
        free(message);
    }
    slots_free(&validator->checks);
    timers_free(&validator->timers);
    mailbox_free(&validator->mailbox);
    loop_free(validator->loop);
    SSL_CTX_free(validator->alpn_tls);
    SSL_CTX_free(validator->http_tls);
    EVP_MD_free(validator->sha256);
    free(validator);
}

bool validator_new(const struct validator_options *options, struct validator **ret_validator,
                   struct error *error)
{
    struct validator *validator = calloc(1, sizeof *validator);
    if (validator == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a validator");
    validator->turn_last = &validator->turn_first;
    slots_init(&validator->checks);
    timers_init(&validator->timers);
    if (!mailbox_init(&validator->mailbox, error)) {
        free(validator);
        return false;
    }
    if (!validator_prepare(validator, options, error)) {
        validator_clear(validator);
        return false;
    }
    *ret_validator = validator;
    return true;
}

void validator_free(struct validator *validator)
{
    if (validator == NULL)
        return;
    struct message *end = calloc(1, sizeof *end);
    if (end == NULL)
        abort(); /* a few bytes: there is no way to tell the thread without them */
    end->kind = MESSAGE_END;
    mailbox_post(&validator->mailbox, end);
    pthread_join(validator->thread, NULL);
    validator_clear(validator);
}

void validator_report_to(struct validator *validator, validation_done *done, void *context)
{
    validator->done = done;
    validator->context = context;
}

static const char *text_put(char **at, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = memcpy(*at, text, size);
    *at += size;
    return copy;
}

bool validator_submit(struct validator *validator, const struct validation *validation)
{
    size_t size = strlen(validation->identifier) + strlen(validation->token) +
                  strlen(validation->key_authorization) + 3;
    struct check *check = malloc(sizeof *check + size);
    if (check == NULL)
        return false;
    memset(check, 0, sizeof *check);
    check->message.kind = MESSAGE_CHECK;
    check->validator = validator;
    check->id = validation->id;
    check->method = validation->method;
    check->is_address = validation->is_address;
    check->begin_ms = (validation->wait_us + 999) / 1000; /* from when it is taken */
    char *at = check->texts;
    check->identifier = text_put(&at, validation->identifier);
    check->token = text_put(&at, validation->token);
    check->key_authorization = text_put(&at, validation->key_authorization);
    mailbox_post(&validator->mailbox, &check->message);
    return true;
}
