/* A temporary folder for one test, and the files and hook scripts in it. */
#ifndef CERTMILL_TEST_HOOK_FOLDER_H
#define CERTMILL_TEST_HOOK_FOLDER_H

#include "scratch.h"

#include "base/clock.h"
#include "io/file.h"

#include <sys/stat.h>
#include <time.h>

#define DEADLINE_MS 30000

#define PATHS_MAX 256

static struct scratch scratch;
static char *scratch_paths[PATHS_MAX];
static size_t scratch_path_count;

/* Lives until folder_end: threads of what is tested may still read it. */
static inline const char *path_in(const char *name)
{
    CHECK(scratch_path_count < PATHS_MAX);
    char **path = &scratch_paths[scratch_path_count++];
    CHECK(asprintf(path, "%s/%s", scratch.path, name) > 0);
    return *path;
}

static inline void folder_begin(void)
{
    scratch_make(&scratch);
}

static inline void folder_end(void)
{
    scratch_remove(&scratch);
    while (scratch_path_count > 0)
        free(scratch_paths[--scratch_path_count]);
}

static inline void file_put(const char *name, mode_t mode, const char *text)
{
    struct error error;
    CHECK_OK(file_write(path_in(name), span_of(text), mode, &error), error);
}

/* A shell script with $D as the test's folder. */
static inline void hook_put(const char *name, const char *script)
{
    char text[4096];
    snprintf(text, sizeof text, "#!/bin/sh\nD='%s'\n%s", scratch.path, script);
    file_put(name, 0755, text);
}

/* "" when there is none. */
static inline const char *file_text(const char *name)
{
    static char text[65536];
    struct buf content;
    struct error error;
    buf_init(&content, sizeof text - 1);
    text[0] = '\0';
    if (file_read(path_in(name), &content, NULL, &error))
        memcpy(text, buf_text(&content), content.len + 1);
    buf_free(&content);
    return text;
}

static inline size_t count_of(const char *text, const char *part)
{
    size_t count = 0;
    for (; (text = strstr(text, part)) != NULL; text += strlen(part))
        count++;
    return count;
}

/* Waits until a hook has written the file. */
static inline void file_wait(const char *name)
{
    int64_t until = clock_monotonic_ms() + DEADLINE_MS;
    struct timespec pause = {.tv_nsec = 2000000};
    const char *path = path_in(name);
    while (access(path, F_OK) != 0) {
        CHECK(clock_monotonic_ms() < until);
        nanosleep(&pause, NULL);
    }
}

#endif
