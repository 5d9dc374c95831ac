/* Runs one program and appends what it cost to a file, as one line of five numbers:
 *
 *     measure RESULT PROGRAM [ARGUMENT...]      wall_us user_us system_us peak_kib exit_code
 *
 * Times are of the program and all descendants that it waited for; the peak is the resident set of
 * the largest single one of them. It is a program of its own because the kernel counts the memory
 * of a process before exec too: measured from Python, nothing seems smaller than Python. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_USAGE = 2, EXIT_MEASURE = 125, EXIT_NO_PROGRAM = 127, SIGNAL_BASE = 128 };

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t timeval_us(struct timeval time)
{
    return (int64_t)time.tv_sec * 1000000 + time.tv_usec;
}

static int complain(const char *what)
{
    fprintf(stderr, "measure: %s: %s\n", what, strerror(errno));
    return EXIT_MEASURE;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fputs("usage: measure RESULT PROGRAM [ARGUMENT...]\n", stderr);
        return EXIT_USAGE;
    }
    int result = open(argv[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (result < 0)
        return complain(argv[1]);
    int64_t begin_us = now_us();
    pid_t child = fork();
    if (child < 0)
        return complain("fork");
    if (child == 0) {
        execvp(argv[2], argv + 2);
        complain(argv[2]);
        _exit(EXIT_NO_PROGRAM);
    }
    int status = 0;
    struct rusage usage;
    while (wait4(child, &status, 0, &usage) < 0) {
        if (errno != EINTR)
            return complain("wait4");
    }
    int64_t wall_us = now_us() - begin_us;
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : SIGNAL_BASE + WTERMSIG(status);
    if (dprintf(result, "%lld %lld %lld %ld %d\n", (long long)wall_us,
                (long long)timeval_us(usage.ru_utime), (long long)timeval_us(usage.ru_stime),
                usage.ru_maxrss, code) < 0)
        return complain(argv[1]);
    return code;
}
