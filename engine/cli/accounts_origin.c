#include "cli/accounts_origin.h"

#include "base/json.h"
#include "cli/message.h"
#include "io/file.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define ORIGIN_MAX ((size_t)16 * 1024)

static bool origin_path(const char *state_folder, char path[static PATH_MAX])
{
    int len = snprintf(path, PATH_MAX, "%s/accounts.etag", state_folder);
    return len > 0 && len < PATH_MAX;
}

void accounts_origin_compare(const char *state_folder, const struct accounts *accounts)
{
    char path[PATH_MAX];
    struct buf text CLEANUP(buf_free);
    json_t *kept CLEANUP(json_release) = NULL;
    buf_init(&text, ORIGIN_MAX);
    /* What cannot be read is as what is not there: the file is only for this message. */
    if (accounts->etag == NULL || !origin_path(state_folder, path) ||
        !file_read(path, &text, NULL, NULL) ||
        !json_parse(buf_span(&text), ORIGIN_MAX, &kept, NULL))
        return;
    const char *file = json_text(kept, "file", ORIGIN_MAX);
    const char *etag = json_text(kept, "etag", ORIGIN_MAX);
    if (file != NULL && etag != NULL && strcmp(file, accounts->file) == 0 &&
        strcmp(etag, accounts->etag) != 0)
        message_text("the accounts file %s has changed since the last run (ETag %s, was %s)", file,
                     accounts->etag, etag);
}

void accounts_origin_keep(const char *state_folder, const struct accounts *accounts)
{
    char path[PATH_MAX];
    struct error error;
    struct buf text CLEANUP(buf_free);
    buf_init(&text, ORIGIN_MAX);
    if (accounts->etag == NULL || !origin_path(state_folder, path))
        return;
    json_t *origin CLEANUP(json_release) =
        json_pack("{s:s, s:s}", "file", accounts->file, "etag", accounts->etag);
    if (origin == NULL || !json_append(&text, origin))
        return;
    if (!file_write(path, buf_span(&text), 0600, &error))
        message_error(&error);
}
