#include "check.h"
#include "io/bulk_read.h"
#include "no_ring.h"
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define MANY 500

static struct scratch scratch;
static enum store_mode mode;

static const char *at(const char *name)
{
    return scratch_path(&scratch, name);
}

static void file_make(const char *name, const char *data, size_t len)
{
    int fd = open(at(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    CHECK_INT(write(fd, data, len), len);
    close(fd);
}

/* --- Many files, as the store lays them out --------------------------------------------------- */

static unsigned char seen[MANY];

static bool many_path(void *context, size_t index, char *path, size_t size)
{
    (void)context;
    if (index % 10 == 3)
        return false;
    snprintf(path, size, "%s/live/n%zu/cert.pem", scratch.path, index);
    return true;
}

static void many_content(void *context, size_t index, struct span content, int system_error)
{
    size_t *calls = context;
    char expected[64];
    CHECK(index < MANY);
    CHECK_INT(seen[index], 0);
    seen[index] = 1;
    ++*calls;
    snprintf(expected, sizeof expected, "content of %zu", index);
    if (index % 10 == 7) {
        CHECK_INT(system_error, ENOENT);
        CHECK_INT(content.len, 0);
    } else {
        CHECK_INT(system_error, 0);
        CHECK(span_is(content, expected));
    }
}

static void many_make(void)
{
    char name[64];
    char text[64];
    CHECK_INT(mkdir(at("live"), 0700), 0);
    CHECK_INT(mkdir(at("archive"), 0700), 0);
    for (size_t i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "archive/n%zu", i);
        CHECK_INT(mkdir(at(name), 0700), 0);
        snprintf(text, sizeof text, "../archive/n%zu", i);
        snprintf(name, sizeof name, "live/n%zu", i);
        CHECK_INT(symlink(text, at(name)), 0);
        snprintf(name, sizeof name, "archive/n%zu/cert.pem", i);
        snprintf(text, sizeof text, "content of %zu", i);
        if (i % 10 != 7)
            file_make(name, text, strlen(text));
    }
}

static void many_read(enum store_mode read_mode)
{
    size_t calls = 0;
    memset(seen, 0, sizeof seen);
    struct bulk_read request = {.mode = read_mode,
                                .count = MANY,
                                .file_limit = 4096,
                                .path = many_path,
                                .content = many_content,
                                .context = &calls};
    struct error error = {0};
    CHECK_OK(bulk_read(&request, &error), error);
    CHECK_INT(calls, MANY - MANY / 10);
    for (size_t i = 0; i < MANY; i++)
        CHECK_INT(seen[i], i % 10 != 3);
}

static void reads_many(void)
{
    many_make();
    many_read(mode);
    many_read(mode);
}

/* --- Odd files -------------------------------------------------------------------------------- */

#define ODD_LIMIT 5000

static const struct odd {
    const char *name;
    size_t len; /* of what is read */
    int system_error;
} odd[] = {
    {"empty", 0, 0},        {"limit", ODD_LIMIT, 0},    {"over", 0, EFBIG},
    {"far-over", 0, EFBIG}, {"folder", 0, EISDIR},      {"fifo", 0, 0},
    {"loop", 0, ELOOP},     {"file/below", 0, ENOTDIR}, {"link-to-limit", ODD_LIMIT, 0},
    {"none", 0, ENOENT},
};
#define ODD_COUNT (sizeof odd / sizeof odd[0])

static char odd_data[ODD_LIMIT * 20];

static bool odd_path(void *context, size_t index, char *path, size_t size)
{
    (void)context;
    snprintf(path, size, "%s/%s", scratch.path, odd[index % ODD_COUNT].name);
    return true;
}

static void odd_content(void *context, size_t index, struct span content, int system_error)
{
    size_t *calls = context;
    ++*calls;
    CHECK_INT(system_error, odd[index % ODD_COUNT].system_error);
    CHECK_INT(content.len, odd[index % ODD_COUNT].len);
    CHECK(content.len == 0 || memcmp(content.data, odd_data, content.len) == 0);
}

static void reads_odd_files(void)
{
    for (size_t i = 0; i < sizeof odd_data; i++)
        odd_data[i] = (char)('a' + i % 23);
    file_make("empty", "", 0);
    file_make("file", "x", 1);
    file_make("limit", odd_data, ODD_LIMIT);
    file_make("over", odd_data, ODD_LIMIT + 1);
    file_make("far-over", odd_data, sizeof odd_data);
    CHECK_INT(mkdir(at("folder"), 0700), 0);
    CHECK_INT(mkfifo(at("fifo"), 0600), 0);
    CHECK_INT(symlink("loop", at("loop")), 0);
    CHECK_INT(symlink("limit", at("link-to-limit")), 0);
    size_t calls = 0;
    struct bulk_read request = {.mode = mode,
                                .count = 40 * ODD_COUNT,
                                .file_limit = ODD_LIMIT,
                                .path = odd_path,
                                .content = odd_content,
                                .context = &calls};
    struct error error = {0};
    CHECK_OK(bulk_read(&request, &error), error);
    CHECK_INT(calls, request.count);
}

static bool no_path(void *context, size_t index, char *path, size_t size)
{
    (void)context;
    (void)index;
    (void)path;
    (void)size;
    return false;
}

static void reads_nothing(void)
{
    size_t calls = 0;
    struct bulk_read request = {
        .mode = mode, .file_limit = 10, .path = no_path, .content = odd_content, .context = &calls};
    struct error error = {0};
    CHECK_OK(bulk_read(&request, &error), error);
    request.count = 5000;
    CHECK_OK(bulk_read(&request, &error), error);
    CHECK_INT(calls, 0);
    request.file_limit = BULK_FILE_LIMIT_MAX;
    CHECK_OK(bulk_read(&request, &error), error);
    request.file_limit++;
    CHECK(!bulk_read(&request, &error));
    CHECK_INT(error.kind, ERROR_LIMIT);
    request.file_limit = 0;
    CHECK(!bulk_read(&request, &error));
}

static void falls_back_where_the_ring_is_forbidden(void)
{
    many_make();
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        if (!ring_forbid(SYS_io_uring_setup, EPERM)) {
            printf("no system call filter here: skipped\n");
            exit(0);
        }
        struct error error = {0};
        struct bulk_read request = {
            .mode = STORE_RING, .file_limit = 10, .path = no_path, .content = odd_content};
        CHECK(!bulk_read(&request, &error));
        CHECK_INT(error.sys, EPERM);
        CHECK_CONTAINS(error.text, "io_uring is forbidden");
        many_read(STORE_AUTO);
        exit(0);
    }
    int status = -1;
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK_INT(status, 0);
}

/* The ring can be made, and then takes nothing. */
static void falls_back_where_the_ring_is_dead(void)
{
    many_make();
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        if (!ring_forbid(SYS_io_uring_enter, EPERM)) {
            printf("no system call filter here: skipped\n");
            exit(0);
        }
        many_read(STORE_AUTO);
        exit(0);
    }
    int status = -1;
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK_INT(status, 0);
}

static const struct test tests[] = {
    TEST(reads_many),
    TEST(reads_odd_files),
    TEST(reads_nothing),
    TEST(falls_back_where_the_ring_is_forbidden),
    TEST(falls_back_where_the_ring_is_dead),
};

static bool ring_is_there(void)
{
    struct bulk_read request = {
        .mode = STORE_RING, .file_limit = 10, .path = no_path, .content = odd_content};
    struct error error = {0};
    if (bulk_read(&request, &error))
        return true;
    printf("STORE_RING is skipped: %s\n", error.text);
    return false;
}

int main(int argc, char **argv)
{
    int failed = 0;
    for (int m = STORE_RING; m <= STORE_SYNC; m++) {
        mode = (enum store_mode)m;
        if (mode == STORE_RING && !ring_is_there())
            continue;
        printf("--- %s\n", mode == STORE_RING ? "STORE_RING" : "STORE_SYNC");
        failed |= scratch_tests_run(&scratch, tests, sizeof tests / sizeof tests[0], argc, argv);
    }
    return failed;
}
