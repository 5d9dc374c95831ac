#include "crl/lists.h"
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include <xxhash.h>

#define FRESH_S        (INT64_C(6) * 3600)
#define CACHE_PATH_MAX 4096

static bool cache_path(const struct crl_check *check, const struct crl_list *list, const char *end,
                       char *path)
{
    struct span url = span_of(list->url);
    XXH128_hash_t hash = XXH3_128bits(url.data, url.len);
    int len =
        snprintf(path, CACHE_PATH_MAX, "%s/crl/%016llx%016llx.%s", check->options.state_folder,
                 (unsigned long long)hash.high64, (unsigned long long)hash.low64, end);
    return len > 0 && len < CACHE_PATH_MAX;
}

enum crl_kept crl_cache_read(const struct crl_check *check, const struct crl_list *list,
                             struct buf *der)
{
    char path[CACHE_PATH_MAX];
    struct stat status;
    struct error error;
    buf_clear(der);
    if (!cache_path(check, list, "crl", path) || !file_read(path, der, &status, &error))
        return CRL_NOT_KEPT;
    int64_t age = check->options.now - (int64_t)status.st_mtime;
    return age > -FRESH_S && age < FRESH_S ? CRL_KEPT_FRESH : CRL_KEPT;
}

static bool write_all(int fd, struct span data)
{
    while (data.len > 0) {
        ssize_t count = write(fd, data.data, data.len);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return false;
        data = span_from(data, (size_t)count);
    }
    return true;
}

void crl_cache_write(const struct crl_check *check, const struct crl_list *list, struct span der)
{
    char path[CACHE_PATH_MAX];
    char temporary[CACHE_PATH_MAX];
    struct error error;
    int len = snprintf(path, sizeof path, "%s/crl", check->options.state_folder);
    if (len < 0 || (size_t)len >= sizeof path || !folder_make(path, S_IRWXU, &error) ||
        !cache_path(check, list, "crl", path) || !cache_path(check, list, "new", temporary))
        return;
    (void)unlink(temporary);
    int fd =
        open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0)
        return;
    bool written = write_all(fd, der);
    written = close(fd) == 0 && written;
    if (!written || rename(temporary, path) != 0)
        (void)unlink(temporary);
}
