/* engine/solver: tls-alpn-01, and the turns of authorizations that share a server name. */
#include "alpn_client.h"
#include "solver_jobs.h"

#include "crypto/context.h"

#include <openssl/sha.h>

static struct solver_job alpn_job(enum solver_step step, const char *identifier,
                                  const char *authorization)
{
    struct solver_job job = http_job(step, "token", authorization);
    job.type = CHALLENGE_TLS_ALPN_01;
    job.identifier = identifier;
    return job;
}

struct world {
    struct crypto_context *crypto;
    struct solvers *solvers;
    int port;
};

static void world_make(struct world *world)
{
    struct error error;
    const struct manifest_solvers manifest = {.alpn_listen = "127.0.0.1:0"};
    CHECK_OK(crypto_context_new(&(struct crypto_options){0}, &world->crypto, &error), error);
    const struct solvers_options options = {
        .manifest = &manifest, .crypto = world->crypto, .need_tls_alpn = true};
    CHECK_OK(solvers_new(&options, &world->solvers, &error), error);
    world->port = solvers_alpn_port(world->solvers);
    CHECK(world->port > 0);
    CHECK_INT(solvers_http_port(world->solvers), 0);
}

static void world_drop(struct world *world)
{
    solvers_free(world->solvers);
    crypto_context_free(world->crypto);
}

/* Whose answer the server name shows: "" for none. */
static bool shows(const struct world *world, const char *server_name, const char *authorization)
{
    const struct alpn_wish wish = {ACME_TLS, server_name, 0};
    char reason[256];
    X509 *certificate = alpn_ask(world->port, &wish, reason, sizeof reason);
    if (certificate == NULL) {
        CHECK_TEXT(reason, "tlsv1 unrecognized name");
        return authorization[0] == '\0';
    }
    ASN1_OBJECT *kind = OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1);
    X509_EXTENSION *extension =
        X509_get_ext(certificate, X509_get_ext_by_OBJ(certificate, kind, -1));
    const unsigned char *value = ASN1_STRING_get0_data(X509_EXTENSION_get_data(extension));
    unsigned char expected[SHA256_DIGEST_LENGTH];
    SHA256((const unsigned char *)authorization, strlen(authorization), expected);
    bool same = memcmp(value + 2, expected, sizeof expected) == 0;
    ASN1_OBJECT_free(kind);
    X509_free(certificate);
    return same;
}

static void submit(const struct world *world, struct solver_job *job, enum solver_step step)
{
    job->step = step;
    job->ok = false;
    solver_submit(world->solvers, job);
}

static void answers_come_and_go(void)
{
    struct world world;
    world_make(&world);
    struct solver_job host = alpn_job(SOLVER_PRESENT, "www.example.com", "t.1");
    struct solver_job four = alpn_job(SOLVER_PRESENT, "192.0.2.7", "t.2");
    struct solver_job six = alpn_job(SOLVER_PRESENT, "2001:db8::1", "t.3");
    submit(&world, &host, SOLVER_PRESENT);
    submit(&world, &four, SOLVER_PRESENT);
    submit(&world, &six, SOLVER_PRESENT);
    jobs_wait(3);
    CHECK(host.ok && four.ok && six.ok);
    CHECK(shows(&world, "www.example.com", "t.1"));
    CHECK(shows(&world, "7.2.0.192.in-addr.arpa", "t.2"));
    CHECK(shows(&world, "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
                "t.3"));
    submit(&world, &host, SOLVER_CLEANUP);
    jobs_wait(1);
    CHECK(host.ok);
    CHECK(shows(&world, "www.example.com", ""));
    CHECK(shows(&world, "7.2.0.192.in-addr.arpa", "t.2"));
    world_drop(&world);
}

static void a_shared_answer_goes_with_its_last_user(void)
{
    struct world world;
    world_make(&world);
    struct solver_job first = alpn_job(SOLVER_PRESENT, "a.example", "t.1");
    struct solver_job second = first;
    submit(&world, &first, SOLVER_PRESENT);
    submit(&world, &second, SOLVER_PRESENT);
    jobs_wait(2);
    submit(&world, &first, SOLVER_CLEANUP);
    CHECK(shows(&world, "a.example", "t.1"));
    submit(&world, &second, SOLVER_CLEANUP);
    CHECK(shows(&world, "a.example", ""));
    jobs_wait(2);
    world_drop(&world);
}

static void another_answer_waits_for_its_turn(void)
{
    struct world world;
    world_make(&world);
    struct solver_job one = alpn_job(SOLVER_PRESENT, "a.example", "t.1");
    struct solver_job two = alpn_job(SOLVER_PRESENT, "a.example", "t.2");
    struct solver_job three = alpn_job(SOLVER_PRESENT, "a.example", "t.3");
    struct solver_job two_again = two;
    submit(&world, &one, SOLVER_PRESENT);
    submit(&world, &two, SOLVER_PRESENT);
    submit(&world, &three, SOLVER_PRESENT);
    submit(&world, &two_again, SOLVER_PRESENT);
    jobs_wait(1);
    CHECK(one.ok && !two.ok);
    CHECK(shows(&world, "a.example", "t.1"));
    submit(&world, &one, SOLVER_CLEANUP);
    jobs_wait(3); /* the cleanup, and both that share the second answer */
    CHECK(two.ok && two_again.ok && !three.ok);
    CHECK(shows(&world, "a.example", "t.2"));
    submit(&world, &two, SOLVER_CLEANUP);
    submit(&world, &two_again, SOLVER_CLEANUP);
    jobs_wait(3);
    CHECK(three.ok);
    CHECK(shows(&world, "a.example", "t.3"));
    /* The end of the run cancels what waits. */
    submit(&world, &one, SOLVER_PRESENT);
    CHECK_INT(jobs_returned(), 0);
    world_drop(&world);
    jobs_wait(1);
    CHECK(!one.ok);
    CHECK_INT(one.error.kind, ERROR_CANCELLED);
}

static void wrong_jobs_fail(void)
{
    struct world world;
    world_make(&world);
    struct solver_job job = alpn_job(SOLVER_PRESENT, "not a name", "t.1");
    submit(&world, &job, SOLVER_PRESENT);
    jobs_wait(1);
    CHECK(!job.ok);
    CHECK_CONTAINS(job.error.text, "\"not a name\" is neither");
    struct solver_job never = alpn_job(SOLVER_CLEANUP, "never.example", "t.1");
    submit(&world, &never, SOLVER_CLEANUP); /* nothing to remove is no error */
    jobs_wait(1);
    CHECK(never.ok);
    world_drop(&world);
}

static const struct test tests[] = {
    TEST(answers_come_and_go),
    TEST(a_shared_answer_goes_with_its_last_user),
    TEST(another_answer_waits_for_its_turn),
    TEST(wrong_jobs_fail),
};
TESTS_MAIN(tests)
