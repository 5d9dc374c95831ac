#include "solver/route53_solver.h"

#include "aws/client.h"
#include "base/clock.h"
#include "io/dns_answer.h"
#include "io/resolver.h"
#include "solver/route53_work.h"

#include <arpa/nameser.h>
#include <errno.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LOOK_UP_MS 10000

struct route53_solver {
    struct loop *loop; /* these are the thread's */
    struct aws_profiles *profiles;
    struct aws_profiles *own_profiles; /* NULL: they are the caller's */
    struct aws_client *client;
    struct resolver *resolver;
    struct route53_work *work;
    pthread_t thread;
    int wake_fd;
    pthread_mutex_t lock; /* for all below */
    pthread_cond_t cleaned;
    struct job_list jobs;
    struct dns_record *leftovers;
    size_t leftover_count;
    bool cleaning, hurry, stopping;
};

static bool call_aws(void *context, const struct aws_request *request, struct error *error)
{
    struct route53_solver *solver = context;
    return aws_send(solver->client, request, error);
}

static void look_up(void *context, const char *name, uint64_t id)
{
    struct route53_solver *solver = context;
    resolver_ask(solver->resolver, name, ns_t_cname, id);
}

static double random_unit(void *context)
{
    unsigned char byte = 128;
    (void)context;
    (void)RAND_bytes(&byte, 1);
    return byte / 256.0;
}

static void aws_answered(void *context, const struct aws_reply *reply)
{
    struct route53_solver *solver = context;
    route53_work_reply(solver->work, reply, clock_monotonic_ms());
}

static bool text_passed(void *context, struct span text)
{
    (void)context;
    (void)text;
    return true;
}

static void dns_answered(void *context, uint64_t id, const void *message, size_t len,
                         const char *problem)
{
    struct route53_solver *solver = context;
    struct span answer = span_make(message, len);
    char alias[DNS_NAME_MAX] = "";
    if (problem != NULL && dns_answer_is_no_name(answer))
        problem = NULL;
    else if (problem == NULL && !dns_answer_walk(answer, text_passed, NULL, alias))
        problem = "malformed answer";
    route53_work_alias(solver->work, id, alias[0] != '\0' ? alias : NULL, problem,
                       clock_monotonic_ms());
}

static void addresses_found(void *context, uint64_t id, const struct place *places, size_t count,
                            const char *problem)
{
    (void)context;
    (void)id;
    (void)places;
    (void)count;
    (void)problem;
}

static void woken(void *context, uint32_t events)
{
    struct route53_solver *solver = context;
    eventfd_t count;
    (void)events;
    (void)!eventfd_read(solver->wake_fd, &count);
}

static void wake(struct route53_solver *solver)
{
    (void)!eventfd_write(solver->wake_fd, 1);
}

static void leftovers_begin(struct route53_solver *solver)
{
    int64_t now = clock_monotonic_ms();
    for (size_t i = 0; i < solver->leftover_count; i++)
        route53_work_remove(solver->work, &solver->leftovers[i], now);
    solver->leftovers = NULL;
}

static void leftovers_end(struct route53_solver *solver)
{
    pthread_mutex_lock(&solver->lock);
    if (solver->cleaning && solver->leftovers == NULL) {
        solver->cleaning = false;
        pthread_cond_signal(&solver->cleaned);
    }
    pthread_mutex_unlock(&solver->lock);
}

/* Takes what other threads want. True: the end is to come. */
static bool orders_take(struct route53_solver *solver)
{
    struct job_list jobs;
    job_list_init(&jobs);
    pthread_mutex_lock(&solver->lock);
    job_list_move(&solver->jobs, &jobs, SIZE_MAX);
    bool stopping = solver->stopping;
    bool hurry = solver->hurry;
    bool leftovers = solver->leftovers != NULL;
    pthread_mutex_unlock(&solver->lock);
    if (hurry)
        route53_work_hurry(solver->work);
    if (leftovers)
        leftovers_begin(solver);
    for (struct solver_job *job; (job = job_list_take(&jobs)) != NULL;)
        route53_work_submit(solver->work, job, clock_monotonic_ms());
    return stopping;
}

static void earlier(int64_t *wait_ms, int64_t other_ms)
{
    if (other_ms >= 0 && (*wait_ms < 0 || other_ms < *wait_ms))
        *wait_ms = other_ms;
}

static void turn(struct route53_solver *solver)
{
    struct error error;
    int64_t now = clock_monotonic_ms();
    aws_tick(solver->client, now);
    resolver_tick(solver->resolver);
    route53_work_tick(solver->work, now);
    if (route53_work_is_idle(solver->work))
        leftovers_end(solver);
    int64_t wait_ms = route53_work_wait_ms(solver->work, now);
    earlier(&wait_ms, aws_wait_ms(solver->client, now));
    earlier(&wait_ms, resolver_wait_ms(solver->resolver));
    /* Without epoll nothing goes on; the deadlines of what is under way still end it. */
    if (!loop_run_once(solver->loop, wait_ms, &error))
        (void)usleep(1000);
}

static void *solver_thread(void *context)
{
    struct route53_solver *solver = context;
    while (!orders_take(solver))
        turn(solver);
    route53_work_stop(solver->work, clock_monotonic_ms());
    route53_work_tick(solver->work, clock_monotonic_ms());
    while (!route53_work_is_idle(solver->work))
        turn(solver);
    leftovers_end(solver);
    return NULL;
}

static void solver_release(struct route53_solver *solver)
{
    /* Their callbacks still find the work. */
    aws_client_free(solver->client);
    resolver_free(solver->resolver);
    route53_work_free(solver->work);
    if (solver->wake_fd >= 0)
        close(solver->wake_fd);
    loop_free(solver->loop);
    aws_profiles_free(solver->own_profiles);
    pthread_cond_destroy(&solver->cleaned);
    pthread_mutex_destroy(&solver->lock);
    free(solver);
}

static bool profiles_take(struct route53_solver *solver,
                          const struct route53_solver_options *options, struct error *error)
{
    const struct manifest_route53 *manifest = &options->manifest->route53;
    if (options->profiles == NULL)
        TRY(aws_profiles_new(NULL, &solver->own_profiles, error));
    solver->profiles = options->profiles != NULL ? options->profiles : solver->own_profiles;
    TRY(aws_profile_check(solver->profiles, manifest->profile, error));
    for (const struct route53_zone *zone = manifest->zones; zone != NULL; zone = zone->next)
        if (zone->profile != NULL)
            TRY(aws_profile_check(solver->profiles, zone->profile, error));
    return true;
}

static bool solver_prepare(struct route53_solver *solver,
                           const struct route53_solver_options *options, struct error *error)
{
    const struct manifest_solvers *manifest = options->manifest;
    const struct route53_work_options work = {
        .manifest = &manifest->route53,
        .caller = {.send = call_aws, .look_up = look_up, .random = random_unit, .context = solver},
        .state = options->state,
        .propagation_ms = (int64_t)manifest->dns_propagation_s * 1000,
        .timeout_ms = (int64_t)manifest->dns_timeout_s * 1000,
        .names_expected = options->names_expected,
    };
    const struct resolver_handlers handlers = {
        .found = addresses_found, .answered = dns_answered, .context = solver};
    TRY(profiles_take(solver, options, error));
    TRY(loop_new(&solver->loop, error));
    const struct aws_client_options client = {.profiles = solver->profiles,
                                              .user_agent = "certmill/" CERTMILL_VERSION};
    TRY(aws_client_new(solver->loop, &client, aws_answered, solver, &solver->client, error));
    TRY(resolver_new(solver->loop, manifest->route53.resolver, LOOK_UP_MS, &handlers,
                     &solver->resolver, error));
    TRY(route53_work_new(&work, &solver->work, error));
    solver->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (solver->wake_fd < 0)
        return error_system(error, errno, "starting the Route 53 solver");
    return loop_watch(solver->loop, solver->wake_fd, EPOLLIN, woken, solver, error);
}

bool route53_solver_new(const struct route53_solver_options *options,
                        struct route53_solver **ret_solver, struct error *error)
{
    struct route53_solver *solver = calloc(1, sizeof *solver);
    if (solver == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for the Route 53 solver");
    solver->wake_fd = -1;
    job_list_init(&solver->jobs);
    pthread_mutex_init(&solver->lock, NULL);
    pthread_cond_init(&solver->cleaned, NULL);
    bool ok = solver_prepare(solver, options, error);
    int failure = ok ? pthread_create(&solver->thread, NULL, solver_thread, solver) : 0;
    if (failure != 0)
        ok = error_system(error, failure, "starting the Route 53 solver");
    if (!ok) {
        solver_release(solver);
        return false;
    }
    *ret_solver = solver;
    return true;
}

void route53_solver_submit(struct route53_solver *solver, struct solver_job *job)
{
    pthread_mutex_lock(&solver->lock);
    bool first = solver->jobs.count == 0;
    job_list_add(&solver->jobs, job);
    pthread_mutex_unlock(&solver->lock);
    if (first)
        wake(solver);
}

void route53_solver_hurry(struct route53_solver *solver)
{
    pthread_mutex_lock(&solver->lock);
    solver->hurry = true;
    pthread_mutex_unlock(&solver->lock);
    wake(solver);
}

void route53_solver_clean(struct route53_solver *solver, struct dns_record *records, size_t count)
{
    pthread_mutex_lock(&solver->lock);
    solver->leftovers = records;
    solver->leftover_count = count;
    solver->cleaning = true;
    wake(solver);
    while (solver->cleaning)
        pthread_cond_wait(&solver->cleaned, &solver->lock);
    pthread_mutex_unlock(&solver->lock);
}

void route53_solver_free(struct route53_solver *solver)
{
    if (solver == NULL)
        return;
    pthread_mutex_lock(&solver->lock);
    solver->stopping = true;
    pthread_mutex_unlock(&solver->lock);
    wake(solver);
    pthread_join(solver->thread, NULL);
    solver_release(solver);
}
