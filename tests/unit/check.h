/* The unit tests' harness: a test program is a table of functions, run in turn. A failed CHECK
 * prints the place and what was compared, and ends the program with exit code 1. */
#ifndef CERTMILL_TEST_CHECK_H
#define CERTMILL_TEST_CHECK_H

#include "base/span.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                              \
    do {                                                                              \
        if (!(condition)) {                                                           \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
            exit(1);                                                                  \
        }                                                                             \
    } while (0)

/* For calls that fill a `struct error`: shows its text when the call fails. */
#define CHECK_OK(call, error)                                                            \
    do {                                                                                 \
        if (!(call)) {                                                                   \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #call, (error).text); \
            exit(1);                                                                     \
        }                                                                                \
    } while (0)

#define CHECK_INT(actual, expected)                                                       \
    do {                                                                                  \
        long long check_actual = (long long)(actual);                                     \
        long long check_expected = (long long)(expected);                                 \
        if (check_actual != check_expected) {                                             \
            fprintf(stderr, "%s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, #actual, \
                    check_actual, check_expected);                                        \
            exit(1);                                                                      \
        }                                                                                 \
    } while (0)

#define CHECK_TEXT(actual, expected)                                                          \
    do {                                                                                      \
        const char *check_actual = (actual);                                                  \
        const char *check_expected = (expected);                                              \
        if (check_actual == NULL || strcmp(check_actual, check_expected) != 0) {              \
            fprintf(stderr, "%s:%d: %s is \"%s\", not \"%s\"\n", __FILE__, __LINE__, #actual, \
                    check_actual != NULL ? check_actual : "(null)", check_expected);          \
            exit(1);                                                                          \
        }                                                                                     \
    } while (0)

#define CHECK_CONTAINS(actual, part)                                                              \
    do {                                                                                          \
        const char *check_actual = (actual);                                                      \
        if (strstr(check_actual, (part)) == NULL) {                                               \
            fprintf(stderr, "%s:%d: %s is \"%s\", without \"%s\"\n", __FILE__, __LINE__, #actual, \
                    check_actual, (part));                                                        \
            exit(1);                                                                              \
        }                                                                                         \
    } while (0)

struct test {
    const char *name;
    void (*run)(void);
};

#define TEST(function)      \
    {                       \
#function, function \
    }

/* Runs the tests whose name holds argv[1], or all, `before` and `after` around each unless NULL. */
static inline int tests_run_around(const struct test *tests, size_t count, int argc, char **argv,
                                   void (*before)(void *context), void (*after)(void *context),
                                   void *context)
{
    size_t ran = 0;
    for (size_t i = 0; i < count; i++) {
        if (argc > 1 && strstr(tests[i].name, argv[1]) == NULL)
            continue;
        printf("%s\n", tests[i].name);
        fflush(stdout);
        if (before != NULL)
            before(context);
        tests[i].run();
        if (after != NULL)
            after(context);
        ran++;
    }
    printf("%zu tests ran\n", ran);
    return ran > 0 ? 0 : 1;
}

static inline int tests_run(const struct test *tests, size_t count, int argc, char **argv)
{
    return tests_run_around(tests, count, argc, argv, NULL, NULL, NULL);
}

#define TESTS_MAIN(tests)                                                        \
    int main(int argc, char **argv)                                              \
    {                                                                            \
        return tests_run(tests, sizeof(tests) / sizeof((tests)[0]), argc, argv); \
    }

#endif
