/* The load CA's server, given TLS and HTTP/2 by hand: what no good client sends. */
#include "ca_tls.h"

#define PREFACE     "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define NO_SETTINGS "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
#define H2          "\x02h2"

static struct ca_identity identity;
static struct ca ca;
static struct buf text;

static void before(void *context)
{
    (void)context;
    ca_open_tls(&ca, &identity, (struct server_options){.threads = 2});
    buf_init(&text, (size_t)32 * 1024 * 1024);
}

static void after(void *context)
{
    (void)context;
    ca_await_connections(&ca, 0);
    ca_close(&ca);
    buf_free(&text);
}

static void server_serves(void)
{
    struct tls_raw raw;
    tls_raw_open(&raw, &ca, "\x08http/1.1");
    tls_raw_send(&raw, SPAN_LITERAL("GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
    buf_clear(&text);
    tls_raw_read_all(&raw, &text);
    CHECK_CONTAINS(buf_text(&text), "HTTP/1.1 200 OK");
    /* The end was told: nothing is cut off. */
    CHECK(SSL_get_shutdown(raw.ssl) == SSL_RECEIVED_SHUTDOWN);
    tls_raw_close(&raw);
}

static void a_pair_that_is_none_is_refused(void)
{
    struct error error;
    struct server *server;
    struct server_options options = {
        .listen = "127.0.0.1:0",
        .tls = true,
        .certificate_pem = buf_span(&identity.certificate),
        .key_pem = SPAN_LITERAL("no key"),
    };
    CHECK(!server_new(&options, ca_handler, &ca, &server, &error));
    CHECK_INT(error.kind, ERROR_CONFIG);
    options.certificate_pem = options.key_pem;
    CHECK(!server_new(&options, ca_handler, &ca, &server, &error));
    char taken[64];
    snprintf(taken, sizeof taken, "127.0.0.1:%d", ca.port);
    options = (struct server_options){.listen = taken};
    CHECK(!server_new(&options, ca_handler, &ca, &server, &error));
    CHECK_CONTAINS(error.text, "is in use");
    options = (struct server_options){.listen = "127.0.0.1:0", .threads = 100000};
    CHECK(!server_new(&options, ca_handler, &ca, &server, &error));
    server_serves();
}

static void sessions_are_resumed(void)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (unsigned i = 0; i < 2; i++) {
        SSL_CTX *context = SSL_CTX_new(TLS_client_method());
        SSL_SESSION *session = NULL;
        CHECK(context != NULL && SSL_CTX_set_max_proto_version(context, versions[i]) == 1);
        for (int round = 0; round < 2; round++) {
            char byte;
            SSL *ssl = SSL_new(context);
            int fd = raw_open(&ca);
            CHECK(ssl != NULL && SSL_set_fd(ssl, fd) == 1);
            if (session != NULL)
                CHECK(SSL_set_session(ssl, session) == 1);
            CHECK(SSL_connect(ssl) == 1);
            CHECK(SSL_write(ssl, "GET / HTTP/1.0\r\n\r\n", 18) == 18);
            CHECK(SSL_read(ssl, &byte, 1) == 1);
            CHECK_INT(SSL_session_reused(ssl), round);
            SSL_SESSION_free(session);
            session = SSL_get1_session(ssl);
            /* Without an orderly end it would not be resumed. */
            CHECK(SSL_shutdown(ssl) >= 0);
            SSL_free(ssl);
            close(fd);
        }
        SSL_SESSION_free(session);
        SSL_CTX_free(context);
        ca_await_handled(&ca, 2 * (i + 1));
        CHECK_INT(ca_counts(&ca).handshakes_full, i + 1);
        CHECK_INT(ca_counts(&ca).handshakes_resumed, i + 1);
    }
}

static void protocols_are_chosen(void)
{
    struct tls_raw raw;
    tls_raw_open(&raw, &ca, H2 "\x08http/1.1");
    const unsigned char *chosen;
    unsigned len;
    SSL_get0_alpn_selected(raw.ssl, &chosen, &len);
    CHECK(span_is(span_make(chosen, len), "h2"));
    tls_raw_close(&raw);
    tls_raw_open(&raw, &ca, NULL);
    tls_raw_send(&raw, SPAN_LITERAL("GET /x HTTP/1.0\r\n\r\n"));
    tls_raw_read_all(&raw, &text);
    CHECK_CONTAINS(buf_text(&text), "HTTP/1.1 200 OK");
    tls_raw_close(&raw);
    struct ca http1;
    ca_open_tls(&http1, &identity, (struct server_options){.http1_only = true});
    tls_raw_open(&raw, &http1, H2 "\x08http/1.1");
    SSL_get0_alpn_selected(raw.ssl, &chosen, &len);
    CHECK(span_is(span_make(chosen, len), "http/1.1"));
    tls_raw_close(&raw);
    ca_close(&http1);
}

static void what_is_no_tls_is_refused(void)
{
    static const char *const rubbish[] = {"GET / HTTP/1.1\r\nHost: h\r\n\r\n", "\x16\x03\x01\x40",
                                          "x", ""};
    for (size_t i = 0; i < sizeof rubbish / sizeof rubbish[0]; i++) {
        int fd = raw_open(&ca);
        raw_send(fd, span_of(rubbish[i]));
        CHECK(shutdown(fd, SHUT_WR) == 0);
        (void)!raw_read_all(fd, &text);
        close(fd);
    }
    ca_await_connections(&ca, 0);
    server_serves();
}

/* Many records at once, more than a turn reads. */
static void pipelined_requests_come_in_one_piece(void)
{
    struct buf requests;
    struct tls_raw raw;
    buf_init(&requests, (size_t)32 * 1024 * 1024);
    for (int i = 0; i < 3000; i++)
        CHECK(buf_append_text(&requests,
                              "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nxx"));
    CHECK(buf_append_text(&requests, "POST /echo HTTP/1.0\r\nContent-Length: 200000\r\n\r\n"));
    char *body = buf_reserve(&requests, 200000);
    CHECK(body != NULL);
    memset(body, 0, 200000);
    requests.len += 200000;
    tls_raw_open(&raw, &ca, NULL);
    tls_raw_send(&raw, buf_span(&requests));
    tls_raw_read_all(&raw, &text);
    tls_raw_close(&raw);
    unsigned found = 0;
    for (const char *at = buf_text(&text); (at = strstr(at, " len=2 ")) != NULL; at++)
        found++;
    CHECK_INT(found, 3000);
    CHECK_CONTAINS(buf_text(&text), " len=200000 ");
    buf_free(&requests);
}

/* Sends so many requests of 90 bytes in a record each, all in one piece. */
static void small_records_send(struct tls_raw *raw, unsigned count, int first_delay_ms)
{
    BIO *records = BIO_new(BIO_s_mem());
    char request[200];
    char *data;
    CHECK(records != NULL);
    SSL_set0_wbio(raw->ssl, records);
    for (unsigned i = 0; i < count; i++) {
        int len = snprintf(request, sizeof request,
                           "GET /3/%03d/0 HTTP/1.1\r\nHost: h\r\nX: %051d\r\n\r\n",
                           i == 0 ? first_delay_ms : 0, 0);
        tls_raw_send(raw, span_make(request, (size_t)len));
    }
    long len = BIO_get_mem_data(records, &data);
    raw_send(raw->fd, span_make(data, (size_t)len));
}

static void answers_read(struct tls_raw *raw, unsigned count)
{
    char data[4096];
    unsigned found = 0;
    buf_clear(&text);
    while (found < count) {
        int len = SSL_read(raw->ssl, data, sizeof data);
        CHECK(len > 0 && buf_append(&text, data, (size_t)len));
        found = 0;
        for (const char *at = buf_text(&text); (at = strstr(at, "\r\n\r\nxxx")) != NULL; at++)
            found++;
    }
}

/* Records that arrive together are taken off the socket together: the loop tells of them once only,
 * and those behind must not be forgotten. */
static void small_records_come_in_one_piece(void)
{
    struct tls_raw raw;
    tls_raw_open(&raw, &ca, NULL);
    small_records_send(&raw, 100, 0);
    answers_read(&raw, 100);
    /* While the first answer is held back, 64 KiB are kept behind it. The last piece goes over that
     * in the middle, when all of it is off the socket. */
    small_records_send(&raw, 650, 200);
    int64_t deadline_ms = clock_monotonic_ms() + DEADLINE_MS;
    while (ca_counts(&ca).bytes_in < (uint64_t)(100 + 650) * 112)
        CHECK(clock_monotonic_ms() < deadline_ms);
    small_records_send(&raw, 110, 0);
    answers_read(&raw, 650 + 110);
    CHECK_INT(atomic_load(&ca.handled), 100 + 650 + 110);
    tls_raw_close(&raw);
}

/* Each must end the connection, or at least be borne. */
static void broken_http2_is_refused(void)
{
    static const struct span rubbish[] = {
        SPAN_LITERAL("GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
        SPAN_LITERAL(PREFACE "GET / HTTP/1.1\r\n\r\n"),
        /* DATA on stream 0; HEADERS on stream 2; a frame too long; SETTINGS of half a value;
         * WINDOW_UPDATE of 0; CONTINUATION without HEADERS; PUSH_PROMISE. */
        SPAN_LITERAL(PREFACE NO_SETTINGS "\x00\x00\x01\x00\x01\x00\x00\x00\x00x"),
        SPAN_LITERAL(PREFACE NO_SETTINGS "\x00\x00\x01\x01\x05\x00\x00\x00\x02\x82"),
        SPAN_LITERAL(PREFACE NO_SETTINGS "\xff\xff\xff\x00\x00\x00\x00\x00\x01"),
        SPAN_LITERAL(PREFACE "\x00\x00\x03\x04\x00\x00\x00\x00\x00xyz"),
        SPAN_LITERAL(PREFACE NO_SETTINGS "\x00\x00\x04\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00"),
        SPAN_LITERAL(PREFACE NO_SETTINGS "\x00\x00\x01\x09\x04\x00\x00\x00\x01\x82"),
        SPAN_LITERAL(PREFACE NO_SETTINGS "\x00\x00\x04\x05\x04\x00\x00\x00\x01\x00\x00\x00\x02"),
        /* HEADERS that are no HPACK. */
        SPAN_LITERAL(PREFACE NO_SETTINGS "\x00\x00\x02\x01\x05\x00\x00\x00\x01\xff\xff"),
    };
    for (size_t i = 0; i < sizeof rubbish / sizeof rubbish[0]; i++) {
        struct tls_raw raw;
        tls_raw_open(&raw, &ca, H2);
        tls_raw_send(&raw, rubbish[i]);
        buf_clear(&text);
        tls_raw_read_all(&raw, &text);
        tls_raw_close(&raw);
    }
    CHECK_INT(atomic_load(&ca.handled), 0);
    ca_await_connections(&ca, 0);
    server_serves();
}

/* An orderly end from the client's side. */
#define CLIENT_GOAWAY "\x00\x00\x08\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

/* Index 2 of HPACK's static table is ":method: GET", 4 ":path: /", 7 ":scheme: https"; 1 is the
 * name ":authority". */
#define GET_HEADERS(flags, stream) \
    "\x00\x00\x06\x01" flags "\x00\x00\x00" stream "\x82\x84\x87\x01\x01h"

static void requests_by_hand_are_answered(void)
{
    struct tls_raw raw;
    tls_raw_open(&raw, &ca, H2);
    /* The second has no path: it is a stream error, and harms no other. */
    tls_raw_send(&raw, SPAN_LITERAL(PREFACE NO_SETTINGS GET_HEADERS("\x05", "\x01")));
    tls_raw_send(&raw, SPAN_LITERAL("\x00\x00\x02\x01\x05\x00\x00\x00\x03\x82\x87"));
    tls_raw_send(&raw, SPAN_LITERAL(GET_HEADERS("\x05", "\x05")));
    ca_await_handled(&ca, 2);
    tls_raw_send(&raw, SPAN_LITERAL(CLIENT_GOAWAY));
    tls_raw_read_all(&raw, &text);
    tls_raw_close(&raw);
    CHECK(memmem(text.data, text.len, "GET / host=h ", 13) != NULL);
    CHECK_INT(ca_counts(&ca).requests_http2, 2);
}

static void open_connections_hear_of_fewer_streams(void)
{
    static const struct span settings =
        SPAN_LITERAL("\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x07");
    struct tls_raw raw;
    tls_raw_open(&raw, &ca, H2);
    tls_raw_send(&raw, SPAN_LITERAL(PREFACE NO_SETTINGS GET_HEADERS("\x05", "\x01")));
    ca_await_handled(&ca, 1);
    server_limit(ca.server, &(struct server_limits){.streams = 7});
    tls_raw_send(&raw, SPAN_LITERAL(GET_HEADERS("\x05", "\x03") CLIENT_GOAWAY));
    tls_raw_read_all(&raw, &text);
    tls_raw_close(&raw);
    CHECK(memmem(text.data, text.len, settings.data, settings.len) != NULL);
}

/* 600 literal headers without indexing (0x00, name and value behind their lengths): each is five
 * bytes, but counts 34. */
static void long_http2_heads_are_refused(void)
{
    struct tls_raw raw;
    struct buf frames;
    buf_init(&frames, (size_t)1024 * 1024);
    tls_raw_open(&raw, &ca, H2);
    char headers[] = GET_HEADERS("\x05", "\x01");
    headers[1] = (char)(3006 >> 8);
    headers[2] = (char)(3006 & 0xff);
    CHECK(buf_append_span(&frames, SPAN_LITERAL(PREFACE NO_SETTINGS)));
    CHECK(buf_append(&frames, headers, sizeof headers - 1));
    for (int i = 0; i < 600; i++)
        CHECK(buf_append_span(&frames, SPAN_LITERAL("\x00\x01n\x01v")));
    CHECK(buf_append_span(&frames, SPAN_LITERAL(CLIENT_GOAWAY)));
    tls_raw_send(&raw, buf_span(&frames));
    tls_raw_read_all(&raw, &text);
    tls_raw_close(&raw);
    CHECK(memmem(text.data, text.len, "431 Request Header", 18) != NULL);
    CHECK_INT(atomic_load(&ca.handled), 0);
    buf_free(&frames);
}

/* Streams that are opened and reset at once (CVE-2023-44487), PINGs without end, and streams that
 * are never ended: the server goes on for others. */
static void floods_are_borne(void)
{
    struct tls_raw raws[3];
    struct buf frames;
    buf_init(&frames, (size_t)8 * 1024 * 1024);
    for (int kind = 0; kind < 3; kind++) {
        buf_clear(&frames);
        CHECK(buf_append_span(&frames, SPAN_LITERAL(PREFACE NO_SETTINGS)));
        for (unsigned i = 0; i < 20000; i++) {
            unsigned stream = 2 * i + 1;
            char headers[] = GET_HEADERS("\x04", "\x01");
            char reset[] = "\x00\x00\x04\x03\x00\x00\x00\x00\x01\x00\x00\x00\x08";
            headers[6] = reset[6] = (char)(stream >> 16);
            headers[7] = reset[7] = (char)(stream >> 8);
            headers[8] = reset[8] = (char)stream;
            if (kind == 2)
                CHECK(buf_append_span(&frames, SPAN_LITERAL("\x00\x00\x08\x06\x00\x00\x00\x00\x00"
                                                            "12345678")));
            else
                CHECK(buf_append(&frames, headers, sizeof headers - 1));
            if (kind == 0)
                CHECK(buf_append(&frames, reset, sizeof reset - 1));
        }
        tls_raw_open(&raws[kind], &ca, H2);
        /* The server may end it in the middle. */
        (void)SSL_write(raws[kind].ssl, frames.data, (int)frames.len);
        ERR_clear_error();
    }
    server_serves();
    for (int kind = 0; kind < 3; kind++)
        tls_raw_close(&raws[kind]);
    buf_free(&frames);
}

/* The same bytes cut at every place: reads never depend on where they end. */
static void requests_may_be_cut_anywhere(void)
{
    static const struct span request =
        SPAN_LITERAL(PREFACE NO_SETTINGS GET_HEADERS("\x05", "\x01") CLIENT_GOAWAY);
    for (size_t cut = 1; cut < request.len; cut++) {
        struct tls_raw raw;
        tls_raw_open(&raw, &ca, H2);
        tls_raw_send(&raw, span_make(request.data, cut));
        tls_raw_send(&raw, span_from(request, cut));
        buf_clear(&text);
        tls_raw_read_all(&raw, &text);
        tls_raw_close(&raw);
        CHECK(memmem(text.data, text.len, "GET / host=h ", 13) != NULL);
    }
}

static const struct test tests[] = {
    TEST(a_pair_that_is_none_is_refused),
    TEST(sessions_are_resumed),
    TEST(protocols_are_chosen),
    TEST(what_is_no_tls_is_refused),
    TEST(pipelined_requests_come_in_one_piece),
    TEST(small_records_come_in_one_piece),
    TEST(broken_http2_is_refused),
    TEST(requests_by_hand_are_answered),
    TEST(open_connections_hear_of_fewer_streams),
    TEST(long_http2_heads_are_refused),
    TEST(floods_are_borne),
    TEST(requests_may_be_cut_anywhere),
};

int main(int argc, char **argv)
{
    ca_identity_make(&identity);
    int result =
        tests_run_around(tests, sizeof tests / sizeof tests[0], argc, argv, before, after, NULL);
    ca_identity_free(&identity);
    return result;
}
