/* Child processes: hooks, with data on standard input, output kept with a ceiling, and a deadline.
 */
#ifndef CERTMILL_IO_PROCESS_H
#define CERTMILL_IO_PROCESS_H

#include "base/buf.h"

struct process_request {
    const char *const *command;     /* NULL-terminated; [0] is looked up in PATH without a slash */
    const char *const *environment; /* more "NAME=value", NULL-terminated, or NULL; each takes the
                                       place of an inherited one */
    struct span input;              /* a file in memory: it need not be read */
    int64_t timeout_ms;    /* then SIGTERM to its process group, and SIGKILL later; 0: never */
    int64_t kill_after_ms; /* from SIGTERM to SIGKILL; 0: 5 s */
    size_t output_limit;   /* bytes kept of each output (the last ones); more is read and dropped */
    bool secret_output;    /* what was read of it is wiped */
};

struct process_result {
    int exit_code; /* -1 when it was ended by a signal */
    int signal;    /* 0 when it exited */
    bool timed_out;
    bool cancelled;          /* by `cancel_fd` */
    struct buf output;       /* standard output */
    struct buf error_output; /* standard error */
};

/* Runs a command and waits for it on the calling thread. The child gets no descriptor but 0, 1 and
 * 2, default signal handling and its own process group. True when it was started and ended, however
 * it ended; the caller then frees the result. `cancel_fd` (or -1): when it becomes readable, the
 * child is ended as at the deadline. What the command left running in the background is neither
 * waited for nor, unless the command had to be ended, killed. Needs the process's SIGCHLD at its
 * default. */
bool process_run(const struct process_request *request, int cancel_fd,
                 struct process_result *ret_result, struct error *error) MUST_USE;
void process_result_free(struct process_result *result);

/* True when it exited with 0. Otherwise sets the error (ERROR_SYSTEM, ERROR_CANCELLED): how it
 * ended, and the last line it wrote to standard error, made printable. */
bool process_check(const struct process_result *result, const char *command,
                   struct error *error) MUST_USE;

#endif
