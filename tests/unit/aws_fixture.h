/* AWS profiles from files and an environment that a test writes. */
#ifndef CERTMILL_TEST_AWS_FIXTURE_H
#define CERTMILL_TEST_AWS_FIXTURE_H

#include "scratch.h"

#include "aws/profile.h"

#include <sys/stat.h>

#define AWS_NOW 1764000000 /* 2025-11-24T16:00:00Z */

struct aws_fixture {
    struct scratch scratch;
    const char *const *environment; /* "NAME=value", NULL-terminated; or NULL */
    struct aws_profiles *profiles;
};

/* HOME is the scratch folder, unless the test says otherwise. */
static inline const char *aws_fixture_get(void *context, const char *name)
{
    const struct aws_fixture *fixture = context;
    size_t len = strlen(name);
    for (size_t i = 0; fixture->environment != NULL && fixture->environment[i] != NULL; i++)
        if (strncmp(fixture->environment[i], name, len) == 0 && fixture->environment[i][len] == '=')
            return fixture->environment[i] + len + 1;
    return strcmp(name, "HOME") == 0 ? fixture->scratch.path : NULL;
}

static inline void aws_fixture_file(struct aws_fixture *fixture, const char *name, const char *text)
{
    FILE *file = fopen(scratch_path(&fixture->scratch, name), "w");
    CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

/* The texts are ~/.aws/config and ~/.aws/credentials; NULL: there is none. */
static inline bool aws_fixture_read(struct aws_fixture *fixture, const char *config,
                                    const char *credentials, struct error *error)
{
    scratch_make(&fixture->scratch);
    CHECK(mkdir(scratch_path(&fixture->scratch, ".aws"), 0700) == 0);
    if (config != NULL)
        aws_fixture_file(fixture, ".aws/config", config);
    if (credentials != NULL)
        aws_fixture_file(fixture, ".aws/credentials", credentials);
    const struct aws_environment environment = {aws_fixture_get, fixture};
    return aws_profiles_new(&environment, &fixture->profiles, error);
}

static inline void aws_fixture_open(struct aws_fixture *fixture, const char *const *environment,
                                    const char *config, const char *credentials)
{
    struct error error;
    *fixture = (struct aws_fixture){.environment = environment};
    CHECK_OK(aws_fixture_read(fixture, config, credentials, &error), error);
}

static inline void aws_fixture_close(struct aws_fixture *fixture)
{
    aws_profiles_free(fixture->profiles);
    scratch_remove(&fixture->scratch);
}

#define ENVIRONMENT(...) ((const char *const[]){__VA_ARGS__, NULL})

#endif
