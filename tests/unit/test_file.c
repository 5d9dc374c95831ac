#include "check.h"
#include "io/file.h"
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static struct scratch scratch;

static const char *at(const char *name)
{
    return scratch_path(&scratch, name);
}

static void writes_and_reads(void)
{
    struct error error = {0};
    struct buf out;
    buf_init(&out, 100);
    mode_t old = umask(0777);
    bool wrote = file_write(at("a"), SPAN_LITERAL("hello"), 0644, &error);
    umask(old);
    CHECK_OK(wrote, error);
    CHECK(buf_append_text(&out, "> "));
    struct stat status;
    CHECK_OK(file_read(at("a"), &out, &status, &error), error);
    CHECK_TEXT(buf_text(&out), "> hello");
    CHECK_INT(status.st_mode & 07777, 0644);
    CHECK_INT(status.st_size, 5);

    CHECK_OK(file_write(at("a"), SPAN_LITERAL(""), 0600, &error), error);
    buf_clear(&out);
    CHECK_OK(file_read(at("a"), &out, &status, &error), error);
    CHECK_INT(out.len, 0);
    CHECK_INT(status.st_mode & 07777, 0600);
    CHECK_INT(folder_entries(scratch.path), 1);
    buf_free(&out);
}

static void refuses_to_read(void)
{
    struct error error = {0};
    struct buf out;
    buf_init(&out, 4);
    CHECK(buf_append_text(&out, "ab"));
    CHECK(!file_read(at("none"), &out, NULL, &error));
    CHECK_INT(error.kind, ERROR_NOT_FOUND);
    CHECK_CONTAINS(error.text, "none");

    CHECK_OK(file_write(at("two"), SPAN_LITERAL("cd"), 0600, &error), error);
    CHECK_OK(file_read(at("two"), &out, NULL, &error), error);
    CHECK_TEXT(buf_text(&out), "abcd");
    out.len = 2;
    CHECK_OK(file_write(at("three"), SPAN_LITERAL("cde"), 0600, &error), error);
    CHECK(!file_read(at("three"), &out, NULL, &error));
    CHECK_INT(error.kind, ERROR_LIMIT);
    CHECK_TEXT(buf_text(&out), "ab");

    CHECK(!file_read(scratch.path, &out, NULL, &error));
    CHECK_INT(error.kind, ERROR_CONFIG);
    CHECK_INT(mkfifo(at("fifo"), 0600), 0);
    CHECK(!file_read(at("fifo"), &out, NULL, &error));
    CHECK_CONTAINS(error.text, "not a regular file");
    CHECK(!file_read(at("two/below"), &out, NULL, &error));
    CHECK_INT(error.sys, ENOTDIR);
    CHECK_INT(symlink("loop", at("loop")), 0);
    CHECK(!file_read(at("loop"), &out, NULL, &error));
    CHECK_INT(error.sys, ELOOP);
    buf_free(&out);
}

static void reads_a_large_secret(void)
{
    enum { SIZE = 300000 };
    char *data = malloc(SIZE);
    CHECK(data != NULL);
    for (size_t i = 0; i < SIZE; i++)
        data[i] = (char)('a' + i % 26);
    struct error error = {0};
    CHECK_OK(file_write(at("large"), span_make(data, SIZE), 0600, &error), error);
    struct buf out;
    buf_init_secret(&out, SIZE);
    CHECK_OK(file_read(at("large"), &out, NULL, &error), error);
    CHECK_INT(out.len, SIZE);
    CHECK(memcmp(out.data, data, SIZE) == 0);
    buf_free(&out);
    free(data);
}

static void reads_standard_input(void)
{
    int ends[2];
    CHECK_INT(pipe2(ends, O_CLOEXEC), 0);
    CHECK_INT(write(ends[1], "piped", 5), 5);
    close(ends[1]);
    int saved = dup(STDIN_FILENO);
    CHECK(dup2(ends[0], STDIN_FILENO) == STDIN_FILENO);
    close(ends[0]);
    struct error error = {0};
    struct buf out;
    buf_init(&out, 100);
    CHECK_OK(file_read("-", &out, NULL, &error), error);
    CHECK_TEXT(buf_text(&out), "piped");
    CHECK(fcntl(STDIN_FILENO, F_GETFD) >= 0);
    if (saved >= 0)
        dup2(saved, STDIN_FILENO);
    close(saved);
    buf_free(&out);
}

static void keeps_the_old_file_when_writing_fails(void)
{
    struct error error = {0};
    CHECK_OK(file_write(at("kept"), SPAN_LITERAL("old"), 0600, &error), error);
    CHECK(!file_write(at("kept/below"), SPAN_LITERAL("x"), 0600, &error));
    CHECK_INT(error.sys, ENOTDIR);
    CHECK_CONTAINS(error.text, "kept/below");
    CHECK_INT(mkdir(at("taken"), 0700), 0);
    CHECK(!file_write(at("taken"), SPAN_LITERAL("x"), 0600, &error));
    CHECK_INT(error.sys, EISDIR);

    struct rlimit limit;
    CHECK_INT(getrlimit(RLIMIT_FSIZE, &limit), 0);
    struct rlimit small = {.rlim_cur = 10, .rlim_max = limit.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &small), 0);
    bool wrote = file_write(at("kept"), SPAN_LITERAL("more than ten bytes"), 0600, &error);
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
    signal(SIGXFSZ, SIG_DFL);
    CHECK(!wrote);
    CHECK_INT(error.sys, EFBIG);

    struct buf out;
    buf_init(&out, 100);
    CHECK_OK(file_read(at("kept"), &out, NULL, &error), error);
    CHECK_TEXT(buf_text(&out), "old");
    CHECK_INT(folder_entries(scratch.path), 2); /* no temporary file is left */
    buf_free(&out);
}

static void replaces_a_link_and_not_its_target(void)
{
    struct error error = {0};
    CHECK_OK(file_write(at("target"), SPAN_LITERAL("target"), 0600, &error), error);
    CHECK_INT(symlink("target", at("link")), 0);
    CHECK_OK(file_write(at("link"), SPAN_LITERAL("new"), 0600, &error), error);
    struct buf out;
    buf_init(&out, 100);
    CHECK_OK(file_read(at("target"), &out, NULL, &error), error);
    CHECK_TEXT(buf_text(&out), "target");
    struct stat status;
    CHECK_INT(lstat(at("link"), &status), 0);
    CHECK(S_ISREG(status.st_mode));
    buf_free(&out);
}

static void makes_folders(void)
{
    struct error error = {0};
    mode_t old = umask(0077);
    bool made = folder_make(at("x//y/z/"), 0755, &error);
    umask(old);
    CHECK_OK(made, error);
    struct stat status;
    CHECK_INT(stat(at("x"), &status), 0);
    CHECK_INT(status.st_mode & 07777, 0755);
    CHECK_INT(stat(at("x/y/z"), &status), 0);
    CHECK_INT(status.st_mode & 07777, 0755);
    CHECK_OK(folder_make(at("x/y/z"), 0700, &error), error);
    CHECK_INT(stat(at("x/y/z"), &status), 0);
    CHECK_INT(status.st_mode & 07777, 0755); /* an existing one is left as it is */
    CHECK_OK(folder_make("/", 0700, &error), error);
    CHECK_OK(folder_sync(at("x"), &error), error);

    CHECK_OK(file_write(at("file"), SPAN_LITERAL(""), 0600, &error), error);
    CHECK(!folder_make(at("file"), 0700, &error));
    CHECK_INT(error.sys, ENOTDIR);
    CHECK(!folder_make(at("file/below"), 0700, &error));
    CHECK_INT(error.sys, ENOTDIR);
    CHECK(!folder_sync(at("file"), &error));
    CHECK_INT(error.sys, ENOTDIR);
    CHECK(!folder_make("", 0700, &error));
    CHECK_INT(error.sys, ENOENT);
    char longest[5000];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    CHECK(!folder_make(longest, 0700, &error));
    CHECK_INT(error.sys, ENAMETOOLONG);
    CHECK(!file_write(longest, SPAN_LITERAL("x"), 0600, &error));
    CHECK_INT(error.sys, ENAMETOOLONG);
}

/* Takes the lock in a child, which then dies by a signal or waits for one. */
static pid_t lock_in_child(const char *path, int *ret_ready)
{
    int ends[2];
    CHECK_INT(pipe2(ends, O_CLOEXEC), 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        struct error error = {0};
        int fd = -1;
        char ok = file_lock(path, &fd, &error) ? 'y' : 'n';
        if (write(ends[1], &ok, 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ends[1]);
    *ret_ready = ends[0];
    return child;
}

static void locks(void)
{
    struct error error = {0};
    int fd = -1;
    CHECK_OK(file_lock(at("lock"), &fd, &error), error);
    struct stat status;
    CHECK_INT(stat(at("lock"), &status), 0);
    CHECK_INT(status.st_mode & 07777, 0600);
    int other = -7;
    CHECK(!file_lock(at("lock"), &other, &error));
    CHECK_INT(other, -7);
    CHECK_INT(error.kind, ERROR_BUSY);
    char expected[64];
    snprintf(expected, sizeof expected, "held by process %d", (int)getpid());
    CHECK_CONTAINS(error.text, expected);
    close(fd);

    int ready = -1;
    pid_t child = lock_in_child(at("lock"), &ready);
    char ok = 0;
    CHECK_INT(read(ready, &ok, 1), 1);
    CHECK_INT(ok, 'y');
    CHECK(!file_lock(at("lock"), &fd, &error));
    snprintf(expected, sizeof expected, "held by process %d", (int)child);
    CHECK_CONTAINS(error.text, expected);
    CHECK_INT(kill(child, SIGKILL), 0);
    CHECK_INT(waitpid(child, NULL, 0), child);
    close(ready);
    CHECK_OK(file_lock(at("lock"), &fd, &error), error); /* though the file names the dead one */

    /* A holder that has not yet written its number: the dead one's is not reported. */
    struct buf text;
    buf_init(&text, 100);
    CHECK(buf_printf(&text, "%d\n", (int)child));
    CHECK_INT(pwrite(fd, text.data, text.len, 0), text.len);
    CHECK_INT(ftruncate(fd, (off_t)text.len), 0);
    CHECK(!file_lock(at("lock"), &other, &error));
    CHECK_CONTAINS(error.text, "held by another process");
    buf_free(&text);
    close(fd);
}

static void refuses_bad_locks(void)
{
    struct error error = {0};
    int fd = -7;
    CHECK(!file_lock(at("none/lock"), &fd, &error));
    CHECK_INT(error.sys, ENOENT);
    CHECK_INT(symlink("elsewhere", at("planted")), 0);
    CHECK(!file_lock(at("planted"), &fd, &error));
    CHECK_INT(error.sys, ELOOP);
    CHECK_INT(fd, -7);
}

static const struct test tests[] = {
    TEST(writes_and_reads),
    TEST(refuses_to_read),
    TEST(reads_a_large_secret),
    TEST(reads_standard_input),
    TEST(keeps_the_old_file_when_writing_fails),
    TEST(replaces_a_link_and_not_its_target),
    TEST(makes_folders),
    TEST(locks),
    TEST(refuses_bad_locks),
};

int main(int argc, char **argv)
{
    return scratch_tests_run(&scratch, tests, sizeof tests / sizeof tests[0], argc, argv);
}
