#include "acme/objects.h"
#include "base/buf.h"
#include "io/file.h"
#include "solver/http_solver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#define CHALLENGE_FOLDER "/.well-known/acme-challenge"
#define PATH_LIMIT       4096
#define TEMPORARY_MAX    40

static bool webroot_check(const char *path, struct error *error)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return error_set(error, ERROR_CONFIG, "the webroot %s: %s", path, strerrordesc_np(errno));
    if (!S_ISDIR(status.st_mode))
        return error_set(error, ERROR_CONFIG, "the webroot %s is not a folder", path);
    return true;
}

static bool folder_open(const char *path, int *ret_fd, struct error *error)
{
    if (!folder_make(path, 0755, error)) {
        error->kind = ERROR_CONFIG;
        return error_prefix(error, "the webroot's folder for challenges: ");
    }
    if (faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) != 0)
        return error_set(error, ERROR_CONFIG, "%s must be writable for http-01: %s", path,
                         strerrordesc_np(errno));
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_set(error, ERROR_CONFIG, "opening %s: %s", path, strerrordesc_np(errno));
    *ret_fd = fd;
    return true;
}

bool webroot_open(const char *path, struct webroot *ret_webroot, struct error *error)
{
    TRY(webroot_check(path, error));
    struct buf text;
    buf_init(&text, PATH_LIMIT);
    if (!buf_printf(&text, "%s" CHALLENGE_FOLDER, path)) {
        buf_free(&text);
        return error_set(error, ERROR_CONFIG, "the webroot's path is too long");
    }
    struct webroot webroot = {.path = span_duplicate(buf_span(&text)), .folder_fd = -1};
    buf_free(&text);
    if (webroot.path == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a webroot");
    if (!folder_open(webroot.path, &webroot.folder_fd, error)) {
        free(webroot.path);
        return false;
    }
    *ret_webroot = webroot;
    return true;
}

void webroot_close(struct webroot *webroot)
{
    if (webroot->path == NULL)
        return;
    close(webroot->folder_fd);
    free(webroot->path);
    *webroot = (struct webroot){.folder_fd = -1};
}

static bool write_all(int fd, struct span data)
{
    while (data.len > 0) {
        ssize_t written = write(fd, data.data, data.len);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        data = span_from(data, (size_t)written);
    }
    return true;
}

/* Others may write into the folder too: never through a name that is there already. */
static bool temporary_write(const struct webroot *webroot, const char *name, struct span data)
{
    (void)unlinkat(webroot->folder_fd, name, 0);
    int fd = openat(webroot->folder_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                    0644);
    if (fd < 0)
        return false;
    /* fchmod: the umask must not keep the web server from reading it. */
    bool ok = write_all(fd, data) && fchmod(fd, 0644) == 0;
    int system_error = errno;
    if (close(fd) != 0 && ok) {
        ok = false;
        system_error = errno;
    }
    if (!ok)
        (void)unlinkat(webroot->folder_fd, name, 0);
    errno = system_error;
    return ok;
}

/* The token comes from the CA and becomes a file's name. */
static bool token_text(struct span token, char *text, struct error *error)
{
    TRY(acme_token_check(token, error));
    snprintf(text, ACME_TOKEN_MAX + 1, "%.*s", SPAN_PRINTF(token));
    return true;
}

bool webroot_put(const struct webroot *webroot, struct span token, struct span answer,
                 struct error *error)
{
    char name[ACME_TOKEN_MAX + 1];
    TRY(token_text(token, name, error));
    char temporary[TEMPORARY_MAX];
    snprintf(temporary, sizeof temporary, ".certmill-%016llx",
             (unsigned long long)XXH3_64bits(token.data, token.len));
    if (!temporary_write(webroot, temporary, answer))
        return error_system(error, errno, "writing a challenge's answer in %s", webroot->path);
    if (renameat(webroot->folder_fd, temporary, webroot->folder_fd, name) != 0) {
        int system_error = errno;
        (void)unlinkat(webroot->folder_fd, temporary, 0);
        return error_system(error, system_error, "renaming a challenge's answer in %s",
                            webroot->path);
    }
    return true;
}

bool webroot_remove(const struct webroot *webroot, struct span token, struct error *error)
{
    char name[ACME_TOKEN_MAX + 1];
    TRY(token_text(token, name, error));
    if (unlinkat(webroot->folder_fd, name, 0) != 0 && errno != ENOENT)
        return error_system(error, errno, "removing a challenge's answer in %s", webroot->path);
    return true;
}
