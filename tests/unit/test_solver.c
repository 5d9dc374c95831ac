/* engine/solver: what is checked at the start, and http-01 by responder and webroot. */
#include "solver_jobs.h"

#include "solver/holds.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#define CHALLENGE_IN ".well-known/acme-challenge"

static void mistakes_show_at_the_start(void)
{
    static const struct {
        struct manifest_solvers manifest;
        bool http, dns, alpn;
        const char *text;
    } rows[] = {
        {{.alpn_listen = "nowhere:https"}, false, false, true, "tls-alpn-01 responder: "},
        {{0}, false, true, false, "solvers.dns-01.hook"},
        {{.dns_hook = "missing"}, false, true, false, "missing: No such file"},
        {{.dns_hook = "plain"}, false, true, false, "chmod +x"},
        {{.dns_hook = "folder"}, false, true, false, "not an executable file"},
        {{.http_webroot = "missing"}, true, false, false, "missing: No such file"},
        {{.http_webroot = "plain"}, true, false, false, "plain is not a folder"},
        {{.http_webroot = "blocked"}, true, false, false, "folder for challenges"},
        {{.http_listen = "256.0.0.1:http"}, true, false, false, "http-01 responder: "},
    };
    struct crypto_context *crypto;
    struct error error;
    CHECK_OK(crypto_context_new(&(struct crypto_options){0}, &crypto, &error), error);
    folder_begin();
    file_put("plain", 0644, "x");
    CHECK_INT(mkdir(path_in("folder"), 0755), 0);
    CHECK_INT(mkdir(path_in("blocked"), 0755), 0);
    file_put("blocked/.well-known", 0644, "a file in the way");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct manifest_solvers manifest = rows[i].manifest;
        const char *name = manifest.dns_hook != NULL ? manifest.dns_hook : manifest.http_webroot;
        const char *path = path_in(name != NULL ? name : "");
        manifest.dns_hook = manifest.dns_hook != NULL ? path : NULL;
        manifest.http_webroot = manifest.http_webroot != NULL ? path : NULL;
        struct solvers_options options = {.manifest = &manifest,
                                          .crypto = crypto,
                                          .need_http = rows[i].http,
                                          .need_dns = rows[i].dns,
                                          .need_tls_alpn = rows[i].alpn};
        struct solvers *solvers = NULL;
        CHECK(!solvers_new(&options, &solvers, &error));
        CHECK(solvers == NULL);
        CHECK_CONTAINS(error.text, rows[i].text);
        CHECK_INT(error.kind, ERROR_CONFIG);
    }
    folder_end();
    crypto_context_free(crypto);
    solvers_free(NULL);
}

static void jobs_without_a_solver_fail(void)
{
    struct manifest_solvers manifest = {0};
    struct solvers *solvers = solvers_of(&manifest, NULL, false, false);
    CHECK_INT(solvers_http_port(solvers), 0);
    struct solver_job jobs[] = {dns_job(SOLVER_PRESENT, "example.com", "v"),
                                http_job(SOLVER_PRESENT, "t", "a"),
                                dns_job(SOLVER_CLEANUP, "example.com", "v")};
    jobs[2].type = CHALLENGE_NONE;
    for (size_t i = 0; i < 3; i++) {
        solver_submit(solvers, &jobs[i]);
        CHECK(!jobs[i].ok);
        CHECK_CONTAINS(jobs[i].error.text, "no solver was started");
    }
    jobs_wait(3);
    solvers_free(solvers);
}

/* The status line and body of one request to the responder. */
static void http_get(int port, const char *token, char *answer, size_t size)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    CHECK_INT(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    char request[512];
    int len = snprintf(request, sizeof request,
                       "GET /" CHALLENGE_IN "/%s HTTP/1.1\r\nHost: example.com\r\n"
                       "Connection: close\r\n\r\n",
                       token);
    CHECK_INT(write(fd, request, (size_t)len), len);
    size_t used = 0;
    ssize_t got;
    while ((got = read(fd, answer + used, size - 1 - used)) > 0)
        used += (size_t)got;
    answer[used] = '\0';
    close(fd);
}

static void responder_answers_until_the_last_order_is_done(void)
{
    struct manifest_solvers manifest = {.http_listen = "127.0.0.1:0"};
    struct solvers *solvers = solvers_of(&manifest, NULL, true, false);
    int port = solvers_http_port(solvers);
    CHECK(port > 0);
    char answer[4096];
    struct solver_job first = http_job(SOLVER_PRESENT, "shared", "shared.thumb");
    struct solver_job second = first;
    solver_submit(solvers, &first);
    solver_submit(solvers, &second);
    CHECK(first.ok && second.ok);
    jobs_wait(2);
    http_get(port, "shared", answer, sizeof answer);
    CHECK_CONTAINS(answer, " 200 ");
    CHECK_CONTAINS(answer, "\r\n\r\nshared.thumb");
    first.step = second.step = SOLVER_CLEANUP;
    solver_submit(solvers, &first);
    http_get(port, "shared", answer, sizeof answer);
    CHECK_CONTAINS(answer, " 200 ");
    solver_submit(solvers, &second);
    http_get(port, "shared", answer, sizeof answer);
    CHECK_CONTAINS(answer, " 404 ");
    CHECK(first.ok && second.ok);
    jobs_wait(2);
    solvers_free(solvers);
}

static void hostile_tokens_reach_neither_responder_nor_webroot(void)
{
    static const char *const tokens[] = {"", "..", "../../etc/passwd", "a/b", "a.b", "a\nb"};
    folder_begin();
    struct manifest_solvers by_responder = {.http_listen = "127.0.0.1:0"};
    struct manifest_solvers by_webroot = {.http_webroot = scratch.path};
    struct solvers *solvers[] = {solvers_of(&by_responder, NULL, true, false),
                                 solvers_of(&by_webroot, NULL, true, false)};
    for (size_t i = 0; i < sizeof tokens / sizeof tokens[0] * 4; i++) {
        struct solver_job job =
            http_job(i & 1 ? SOLVER_CLEANUP : SOLVER_PRESENT, tokens[i / 4], "a");
        solver_submit(solvers[i >> 1 & 1], &job);
        jobs_wait(1);
        CHECK(!job.ok);
        CHECK_INT(job.error.kind, ERROR_PROTOCOL);
    }
    solvers_free(solvers[0]);
    solvers_free(solvers[1]);
    folder_end();
}

static void webroot_holds_whole_readable_files(void)
{
    folder_begin();
    struct manifest_solvers manifest = {.http_webroot = scratch.path};
    mode_t before = umask(0077);
    struct solvers *solvers = solvers_of(&manifest, NULL, true, false);
    CHECK_INT(solvers_http_port(solvers), 0);
    struct solver_job jobs[] = {http_job(SOLVER_PRESENT, "Tok_en-1", "Tok_en-1.thumb"),
                                http_job(SOLVER_PRESENT, "two", "two.thumb"),
                                http_job(SOLVER_PRESENT, "two", "two.thumb")};
    for (size_t i = 0; i < 3; i++)
        solver_submit(solvers, &jobs[i]);
    jobs_wait(3);
    umask(before);
    CHECK(jobs[0].ok && jobs[1].ok && jobs[2].ok);
    CHECK_TEXT(file_text(CHALLENGE_IN "/Tok_en-1"), "Tok_en-1.thumb");
    CHECK_TEXT(file_text(CHALLENGE_IN "/two"), "two.thumb");
    CHECK_INT(folder_entries(path_in(CHALLENGE_IN)), 2);
    struct stat status;
    CHECK_INT(stat(path_in(CHALLENGE_IN "/two"), &status), 0);
    CHECK_INT(status.st_mode & 07777, 0644);
    CHECK_INT(stat(path_in(CHALLENGE_IN), &status), 0);
    CHECK_INT(status.st_mode & 07777, 0755);
    for (size_t i = 0; i < 2; i++) {
        jobs[i].step = SOLVER_CLEANUP;
        solver_submit(solvers, &jobs[i]);
    }
    jobs_wait(2);
    CHECK_INT(folder_entries(path_in(CHALLENGE_IN)), 1);
    /* what no cleanup came for goes away at the end */
    solvers_free(solvers);
    CHECK_INT(folder_entries(path_in(CHALLENGE_IN)), 0);
    folder_end();
}

static void webroot_overwrites_leftovers_and_follows_no_link(void)
{
    folder_begin();
    struct manifest_solvers manifest = {.http_webroot = scratch.path};
    struct solvers *solvers = solvers_of(&manifest, NULL, true, false);
    file_put("victim", 0644, "untouched");
    file_put(CHALLENGE_IN "/left", 0600, "old");
    CHECK_INT(symlink(path_in("victim"), path_in(CHALLENGE_IN "/link")), 0);
    struct solver_job jobs[] = {http_job(SOLVER_PRESENT, "left", "new"),
                                http_job(SOLVER_PRESENT, "link", "answer")};
    for (size_t i = 0; i < 2; i++)
        solver_submit(solvers, &jobs[i]);
    jobs_wait(2);
    CHECK(jobs[0].ok && jobs[1].ok);
    CHECK_TEXT(file_text(CHALLENGE_IN "/left"), "new");
    CHECK_TEXT(file_text(CHALLENGE_IN "/link"), "answer");
    CHECK_TEXT(file_text("victim"), "untouched");
    /* gone by another hand: cleanup is content; a folder in the way: present is not */
    CHECK_INT(unlink(path_in(CHALLENGE_IN "/left")), 0);
    CHECK_INT(mkdir(path_in(CHALLENGE_IN "/folder"), 0755), 0);
    jobs[0].step = SOLVER_CLEANUP;
    jobs[1] = http_job(SOLVER_PRESENT, "folder", "answer");
    for (size_t i = 0; i < 2; i++)
        solver_submit(solvers, &jobs[i]);
    jobs_wait(2);
    CHECK(jobs[0].ok && !jobs[1].ok);
    CHECK_CONTAINS(jobs[1].error.text, "directory");
    solvers_free(solvers);
    folder_end();
}

static void remaining_count(void *context, struct span key)
{
    CHECK(span_starts(key, "key-"));
    ++*(size_t *)context;
}

static void holds_count_each_key(void)
{
    struct holds holds;
    holds_init(&holds);
    size_t count;
    char key[32];
    CHECK_INT(holds_drop(&holds, SPAN_LITERAL("never")), 0);
    for (size_t round = 1; round <= 2; round++) {
        for (int i = 0; i < 1000; i++) {
            snprintf(key, sizeof key, "key-%d", i);
            CHECK(holds_add(&holds, span_of(key), &count));
            CHECK_INT(count, round);
        }
    }
    for (int i = 0; i < 500; i++) {
        snprintf(key, sizeof key, "key-%d", i);
        CHECK_INT(holds_drop(&holds, span_of(key)), 1);
        CHECK_INT(holds_drop(&holds, span_of(key)), 0);
        CHECK_INT(holds_drop(&holds, span_of(key)), 0);
    }
    size_t remaining = 0;
    holds_walk(&holds, remaining_count, &remaining);
    CHECK_INT(remaining, 500);
    holds_free(&holds);
}

static const struct test tests[] = {
    TEST(mistakes_show_at_the_start),
    TEST(jobs_without_a_solver_fail),
    TEST(responder_answers_until_the_last_order_is_done),
    TEST(hostile_tokens_reach_neither_responder_nor_webroot),
    TEST(webroot_holds_whole_readable_files),
    TEST(webroot_overwrites_leftovers_and_follows_no_link),
    TEST(holds_count_each_key),
};
TESTS_MAIN(tests)
