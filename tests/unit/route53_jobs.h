/* Jobs for the Route 53 solver's work, and what came of them. */
#ifndef CERTMILL_TEST_ROUTE53_JOBS_H
#define CERTMILL_TEST_ROUTE53_JOBS_H

#include "route53_fake.h"

#define NEW_ZONE_1 "Z1 example.com"
#define ACME       "_acme-challenge."

static const struct manifest_route53 plain = {.given = true};

static inline void job_done(struct solver_job *job)
{
    struct fake *fake = job->owner;
    fake->returned++;
    job->owner = NULL;
}

static inline struct fake *fake_new(const char *zones)
{
    struct fake *fake = calloc(1, sizeof *fake);
    CHECK(fake != NULL);
    fake->zones = zones;
    return fake;
}

static inline struct fake *fake_of(const char *zones)
{
    struct fake *fake = fake_new(zones);
    fake_begin(fake, &plain, NULL);
    return fake;
}

static inline void submit(struct fake *fake, struct solver_job *job, enum solver_step step,
                          const char *domain, const char *value)
{
    *job = (struct solver_job){.owner = fake,
                               .step = step,
                               .type = CHALLENGE_DNS_01,
                               .certificate = "www",
                               .identifier = domain,
                               .dns_value = value,
                               .done = job_done};
    route53_work_submit(fake->work, job, fake->now_ms);
}

static inline void present(struct fake *fake, struct solver_job *job, const char *domain,
                           const char *value)
{
    submit(fake, job, SOLVER_PRESENT, domain, value);
}

static inline void cleanup(struct fake *fake, struct solver_job *job)
{
    CHECK(job->owner == NULL);
    submit(fake, job, SOLVER_CLEANUP, job->identifier, job->dns_value);
}

static inline void check_ok(const struct solver_job *job)
{
    CHECK(job->owner == NULL);
    CHECK_OK(job->ok, job->error);
}

static inline void check_failed(const struct solver_job *job, const char *words)
{
    CHECK(job->owner == NULL);
    CHECK(!job->ok);
    CHECK_CONTAINS(job->error.text, words);
}

#endif
