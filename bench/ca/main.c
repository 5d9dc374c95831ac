/* certmill-ca: the load CA as a program. */
#include "base/clock.h"
#include "ca/program/service.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { ENDING_GOOD = 0, ENDING_FAILED = 1, ENDING_USAGE = 2 };

static int ending_of(const struct error *error)
{
    fprintf(stderr, "certmill-ca: %s\n", error->text);
    return error->kind == ERROR_CONFIG || error->kind == ERROR_NOT_FOUND ||
                   error->kind == ERROR_PROTOCOL || error->kind == ERROR_LIMIT
               ? ENDING_USAGE
               : ENDING_FAILED;
}

/* A connection is a descriptor: as many as the system allows. */
static void files_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* The lines that tell who started it that it serves; then the end of the file. */
static bool ready_tell(const struct service *service, struct error *error)
{
    const struct program_options *options = service->options;
    struct buf text CLEANUP(buf_free);
    buf_init(&text, 8192);
    const char *port = strrchr(options->control, ':');
    bool fits = port != NULL && buf_append_text(&text, "DIRECTORY=") &&
                service_directory(service, &text) &&
                buf_printf(&text, "\nCONTROL=http://%.*s:%d\n", (int)(port - options->control),
                           options->control, control_port(service->control));
    if (fits && options->root_file != NULL)
        fits = buf_printf(&text, "CA_FILE=%s\n", options->root_file);
    if (!fits)
        return error_set(error, ERROR_MEMORY, "no memory");
    int fd = options->ready_fd >= 0 ? options->ready_fd : STDOUT_FILENO;
    ssize_t written = write(fd, buf_text(&text), text.len);
    if (written != (ssize_t)text.len)
        return error_system(error, errno, "writing to file descriptor %d", fd);
    /* The number of a standard stream must not become a socket's. */
    if (options->ready_fd > STDERR_FILENO)
        (void)close(fd);
    if (freopen("/dev/null", "w", stdout) == NULL)
        return error_system(error, errno, "/dev/null");
    return true;
}

static void figures_tell(const struct service *service, int64_t start_ms)
{
    struct acme_counts counts;
    struct rusage usage = {0};
    acme_count(service->acme, &counts);
    (void)getrusage(RUSAGE_SELF, &usage);
    double cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                 (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
    fprintf(stderr, "certmill-ca: %llu certificates, %llu requests, %.2f s of CPU in %.1f s\n",
            (unsigned long long)counts.issued,
            (unsigned long long)handler_requests(service->handler), cpu,
            (double)(clock_monotonic_ms() - start_ms) / 1000);
}

static int serve(const struct program_options *options)
{
    struct service service;
    struct error error;
    sigset_t ends;
    int64_t start_ms = clock_monotonic_ms();
    /* Blocked before there is a second thread, so that none but this one takes them. */
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    files_raise();
    if (!service_start(options, clock_unix(), &service, &error))
        return ending_of(&error);
    int ending = ENDING_GOOD;
    if (ready_tell(&service, &error)) {
        int which;
        (void)sigwait(&ends, &which);
        figures_tell(&service, start_ms);
    } else {
        ending = ending_of(&error);
    }
    service_stop(&service);
    return ending;
}

int main(int argc, char **argv)
{
    struct program_options options;
    struct error error;
    if (!program_options_read(argc, argv, &options, &error)) {
        fprintf(stderr, "certmill-ca: %s (see \"certmill-ca --help\")\n", error.text);
        return ENDING_USAGE;
    }
    int ending = ENDING_GOOD;
    if (options.help)
        program_options_help(stdout);
    else
        ending = serve(&options);
    program_options_free(&options);
    return ending;
}
