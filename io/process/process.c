/* posix_spawn starts the child: between fork and exec nothing of this program's may run, because
 * other threads may hold its locks. A pidfd tells when the child has ended, so that one poll waits
 * for output, end, deadline and cancellation. */
#include "io/process.h"

#include "base/clock.h"
#include "process/output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define KILL_AFTER_MS 5000
#define POLL_MAX_MS   60000
/* After the end, output still in the pipes is read up to here: a grandchild may write for ever. */
#define DRAIN_READS_MAX 64

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U
#endif

enum { INPUT, OUTPUT, ERROR_OUTPUT, STREAMS };

struct child {
    const struct process_request *request;
    struct process_result *result;
    pid_t pid;
    int pid_fd;
    int ours[STREAMS];   /* what is read here; -1: none or at its end */
    int theirs[STREAMS]; /* the child's 0, 1, 2; closed here once it runs */
    bool ending;         /* SIGTERM was sent */
    bool cancelled;
    int64_t next_signal_at_ms; /* -1: never */
};

static void fd_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Above 2, so that no descriptor gets in the way of the child's 0, 1 and 2. */
static int fd_raise(int fd)
{
    if (fd < 0 || fd > 2)
        return fd;
    int raised = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    int saved = errno;
    close(fd);
    errno = saved;
    return raised;
}

static bool write_all(int fd, struct span bytes)
{
    while (bytes.len > 0) {
        ssize_t count = write(fd, bytes.data, bytes.len);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return false;
        bytes = span_from(bytes, (size_t)count);
    }
    return true;
}

/* A file in memory and not a pipe: nothing has to be fed while the child runs, and a child that
 * does not read its input raises no SIGPIPE here. */
static int input_make(struct span input)
{
    if (input.len == 0)
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
    int fd = memfd_create("input", MFD_CLOEXEC | MFD_NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL) /* a kernel before 6.3 does not know the second flag */
        fd = memfd_create("input", MFD_CLOEXEC);
    if (fd < 0)
        return -1;
    if (!write_all(fd, input) || lseek(fd, 0, SEEK_SET) < 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

static bool pipe_make(int *ours, int *theirs)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return false;
    *ours = fd_raise(ends[0]);
    *theirs = fd_raise(ends[1]);
    return *ours >= 0 && *theirs >= 0 && fcntl(*ours, F_SETFL, O_NONBLOCK) == 0;
}

static bool streams_make(struct child *child, struct error *error)
{
    child->theirs[INPUT] = fd_raise(input_make(child->request->input));
    if (child->theirs[INPUT] < 0)
        return error_system(error, errno, "making the standard input of %s",
                            child->request->command[0]);
    for (int i = OUTPUT; i <= ERROR_OUTPUT; i++)
        if (!pipe_make(&child->ours[i], &child->theirs[i]))
            return error_system(error, errno, "making a pipe for %s", child->request->command[0]);
    return true;
}

/* The environment: what is inherited, less what is given anew. */

extern char **environ;

static size_t list_count(const char *const *list)
{
    size_t count = 0;
    while (list != NULL && list[count] != NULL)
        count++;
    return count;
}

static bool is_replaced(const char *inherited, const char *const *environment)
{
    size_t name_len = strcspn(inherited, "=");
    for (; environment != NULL && *environment != NULL; environment++)
        if (strncmp(inherited, *environment, name_len) == 0 && (*environment)[name_len] == '=')
            return true;
    return false;
}

static const char **environment_make(const char *const *environment)
{
    size_t inherited = list_count((const char *const *)environ);
    const char **all = calloc(inherited + list_count(environment) + 1, sizeof *all);
    if (all == NULL)
        return NULL;
    size_t count = 0;
    for (size_t i = 0; i < inherited; i++)
        if (!is_replaced(environ[i], environment))
            all[count++] = environ[i];
    for (; environment != NULL && *environment != NULL; environment++)
        all[count++] = *environment;
    return all;
}

static int actions_fill(posix_spawn_file_actions_t *actions, const struct child *child)
{
    int failed = 0;
    for (int i = INPUT; i < STREAMS && failed == 0; i++)
        failed = posix_spawn_file_actions_adddup2(actions, child->theirs[i], i);
    return failed != 0 ? failed : posix_spawn_file_actions_addclosefrom_np(actions, 3);
}

static int attributes_fill(posix_spawnattr_t *attributes)
{
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    int failed = posix_spawnattr_setflags(
        attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    if (failed == 0)
        failed = posix_spawnattr_setpgroup(attributes, 0);
    if (failed == 0)
        failed = posix_spawnattr_setsigdefault(attributes, &all);
    return failed != 0 ? failed : posix_spawnattr_setsigmask(attributes, &none);
}

/* Returns an errno, 0 when the child runs. */
static int child_spawn(struct child *child, const char **environment)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int failed = posix_spawn_file_actions_init(&actions);
    if (failed != 0)
        return failed;
    failed = posix_spawnattr_init(&attributes);
    if (failed != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return failed;
    }
    failed = actions_fill(&actions, child);
    if (failed == 0)
        failed = attributes_fill(&attributes);
    if (failed == 0)
        failed = posix_spawnp(&child->pid, child->request->command[0], &actions, &attributes,
                              (char *const *)child->request->command, (char *const *)environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return failed;
}

static bool child_reap(struct child *child, struct error *error)
{
    siginfo_t info = {0};
    while (waitid(P_PID, (id_t)child->pid, &info, WEXITED) < 0)
        if (errno != EINTR)
            return error_system(error, errno, "waiting for %s", child->request->command[0]);
    bool exited = info.si_code == CLD_EXITED;
    child->result->exit_code = exited ? info.si_status : -1;
    child->result->signal = exited ? 0 : info.si_status;
    return true;
}

static bool child_start(struct child *child, struct error *error)
{
    const char *name = child->request->command[0];
    TRY(streams_make(child, error));
    const char **environment = environment_make(child->request->environment);
    if (environment == NULL)
        return error_set(error, ERROR_MEMORY, "no memory to run %s", name);
    int failed = child_spawn(child, environment);
    free(environment);
    if (failed != 0)
        return error_system(error, failed, "%s cannot be run", name);
    for (int i = INPUT; i < STREAMS; i++)
        fd_close(&child->theirs[i]);
    child->pid_fd = pidfd_open(child->pid, 0);
    if (child->pid_fd < 0) {
        failed = errno;
        kill(-child->pid, SIGKILL);
        (void)child_reap(child, NULL);
        return error_system(error, failed, "watching %s", name);
    }
    return true;
}

/* SIGTERM at first, SIGKILL when the time for that is over. The process group cannot have become
 * another's: its leader is not reaped yet. */
static void child_end(struct child *child, int64_t now_ms)
{
    int64_t grace_ms = child->request->kill_after_ms;
    if (child->ending) {
        kill(-child->pid, SIGKILL);
        child->next_signal_at_ms = -1;
        return;
    }
    child->ending = true;
    kill(-child->pid, SIGTERM);
    child->next_signal_at_ms = now_ms + (grace_ms > 0 ? grace_ms : KILL_AFTER_MS);
}

static int wait_ms(const struct child *child, int64_t now_ms)
{
    if (child->next_signal_at_ms < 0)
        return -1;
    int64_t left = child->next_signal_at_ms - now_ms;
    return left <= 0 ? 0 : left > POLL_MAX_MS ? POLL_MAX_MS : (int)left;
}

static void stream_read(struct child *child, int stream)
{
    struct buf *output = stream == OUTPUT ? &child->result->output : &child->result->error_output;
    if (child->ours[stream] >= 0 &&
        output_read(output, child->request->output_limit, child->ours[stream]) == OUTPUT_END)
        fd_close(&child->ours[stream]);
}

static void streams_drain(struct child *child)
{
    for (int i = OUTPUT; i <= ERROR_OUTPUT; i++) {
        struct buf *output = i == OUTPUT ? &child->result->output : &child->result->error_output;
        for (int reads = 0; reads < DRAIN_READS_MAX && child->ours[i] >= 0; reads++)
            if (output_read(output, child->request->output_limit, child->ours[i]) != OUTPUT_MORE)
                break;
        output_trim(output, child->request->output_limit);
    }
}

/* Runs until the child has ended. */
static bool child_watch(struct child *child, int cancel_fd, struct error *error)
{
    enum { CHILD = STREAMS, CANCEL, POLLED };
    int64_t timeout_ms = child->request->timeout_ms;
    child->next_signal_at_ms = timeout_ms > 0 ? clock_monotonic_ms() + timeout_ms : -1;
    for (;;) {
        struct pollfd polled[POLLED] = {
            [INPUT] = {.fd = -1},
            [OUTPUT] = {.fd = child->ours[OUTPUT], .events = POLLIN},
            [ERROR_OUTPUT] = {.fd = child->ours[ERROR_OUTPUT], .events = POLLIN},
            [CHILD] = {.fd = child->pid_fd, .events = POLLIN},
            [CANCEL] = {.fd = child->ending ? -1 : cancel_fd, .events = POLLIN},
        };
        int count = poll(polled, POLLED, wait_ms(child, clock_monotonic_ms()));
        if (count < 0 && errno != EINTR)
            return error_system(error, errno, "poll");
        if (count < 0)
            continue;
        if (polled[CHILD].revents != 0)
            return true;
        for (int i = OUTPUT; i <= ERROR_OUTPUT; i++)
            if (polled[i].revents != 0)
                stream_read(child, i);
        int64_t now_ms = clock_monotonic_ms();
        bool cancelled = polled[CANCEL].revents != 0;
        bool due = child->next_signal_at_ms >= 0 && now_ms >= child->next_signal_at_ms;
        if (!child->ending) {
            child->result->cancelled = cancelled;
            child->result->timed_out = due && !cancelled;
        }
        if (cancelled || due)
            child_end(child, now_ms);
    }
}

static bool child_run(struct child *child, int cancel_fd, struct error *error)
{
    TRY(child_start(child, error));
    bool watched = child_watch(child, cancel_fd, error);
    /* Also what its group left behind, when it had to be ended. */
    if (!watched || child->ending)
        kill(-child->pid, SIGKILL);
    streams_drain(child);
    return child_reap(child, watched ? error : NULL) && watched;
}

bool process_run(const struct process_request *request, int cancel_fd,
                 struct process_result *ret_result, struct error *error)
{
    struct process_result result = {.exit_code = -1};
    output_init(&result.output, request->output_limit);
    output_init(&result.error_output, request->output_limit);
    result.output.secret = result.error_output.secret = request->secret_output;
    struct child child = {
        .request = request,
        .result = &result,
        .pid_fd = -1,
        .ours = {-1, -1, -1},
        .theirs = {-1, -1, -1},
    };
    bool ok = child_run(&child, cancel_fd, error);
    for (int i = INPUT; i < STREAMS; i++) {
        fd_close(&child.ours[i]);
        fd_close(&child.theirs[i]);
    }
    fd_close(&child.pid_fd);
    if (ok)
        *ret_result = result;
    else
        process_result_free(&result);
    return ok;
}

void process_result_free(struct process_result *result)
{
    buf_free(&result->output);
    buf_free(&result->error_output);
}

bool process_check(const struct process_result *result, const char *command, struct error *error)
{
    if (result->exit_code == 0 && !result->timed_out && !result->cancelled)
        return true;
    char line[256];
    output_last_line(&result->error_output, line, sizeof line);
    const char *colon = line[0] != '\0' ? ": " : "";
    if (result->cancelled)
        return error_set(error, ERROR_CANCELLED, "%s was ended with the run%s%s", command, colon,
                         line);
    if (result->timed_out)
        return error_set(error, ERROR_SYSTEM, "%s took too long and was ended%s%s", command, colon,
                         line);
    if (result->signal != 0) {
        const char *name = sigabbrev_np(result->signal);
        return error_set(error, ERROR_SYSTEM, "%s was ended by signal %d (SIG%s)%s%s", command,
                         result->signal, name != NULL ? name : "?", colon, line);
    }
    return error_set(error, ERROR_SYSTEM, "%s failed with exit code %d%s%s", command,
                     result->exit_code, colon, line);
}
