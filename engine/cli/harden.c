#include "cli/harden.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* LeakSanitizer attaches to its own process, which must be dumpable for that. */
#if defined(__SANITIZE_ADDRESS__)
#define IS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(leak_sanitizer)
#define IS_SANITIZED 1
#endif
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED 0
#endif

/* Opened the wrong way round: a file opened later cannot get the number, and reading standard input
 * or writing standard output fails as it did before. */
static bool descriptors_fill(struct error *error)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
            continue;
        int opened = open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
        if (opened != fd)
            return error_system(error, errno, "opening /dev/null");
    }
    return true;
}

static void descriptors_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        /* Refused: the run goes on with what it has. */
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

bool process_harden(struct error *error)
{
    TRY(descriptors_fill(error));
    if (!IS_SANITIZED && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return error_system(error, errno, "forbidding core dumps");
    if (setrlimit(RLIMIT_CORE, &(struct rlimit){0}) != 0)
        return error_system(error, errno, "forbidding core dumps");
    umask(077);
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return error_system(error, errno, "ignoring SIGPIPE");
    descriptors_raise();
    return true;
}
