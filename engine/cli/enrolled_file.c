#include "cli/enrolled_file.h"

#include "config/enrolled.h"

#include <stdio.h>
#include <unistd.h>

bool enrolled_file_at(const struct command_options *options, struct enrolled_file *ret_file,
                      struct error *error)
{
    const char *folder =
        options->state_folder != NULL ? options->state_folder : OPTIONS_STATE_DEFAULT;
    int length = snprintf(ret_file->path, sizeof ret_file->path, "%s/" ENROLLED_FILE, folder);
    if (length < 0 || (size_t)length >= sizeof ret_file->path)
        return error_set(error, ERROR_CONFIG, "the state folder's path is too long");
    ret_file->state_folder = folder;
    return true;
}

bool enrolled_file_options(const struct command_options *options, struct enrolled_file *file,
                           struct command_options *ret_options, struct error *error)
{
    *ret_options = *options;
    if (options->manifest != NULL)
        return true;
    TRY(enrolled_file_at(options, file, error));
    if (access(file->path, F_OK) != 0)
        return error_set(error, ERROR_CONFIG,
                         "%s: nothing was enrolled with this state folder: name a manifest, or the "
                         "folder with --state",
                         file->path);
    ret_options->manifest = file->path;
    return true;
}
