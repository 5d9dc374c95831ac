#include "cli/certificate_find.h"

#include "cli/state_reading.h"
#include "config/enrolled.h"
#include "report/near_names.h"

#include <string.h>

static const char *name_keep(const struct manifest *manifest, const char *name)
{
    for (size_t i = 0; i < manifest->count; i++)
        if (strcmp(manifest->entries[i].name, name) == 0)
            return manifest->entries[i].name;
    return NULL;
}

/* Of a certificate that is not there: the manifest of "enroll" is taken when none is named. */
static const char *advice(const struct manifest *manifest)
{
    const char *base = strrchr(manifest->file, '/');
    bool is_enrolled = base != NULL && strcmp(base + 1, ENROLLED_FILE) == 0;
    return is_enrolled ? "; name the manifest if another one has it" : "";
}

static bool by_name(const struct inputs *inputs, const char *name, const char **ret_name,
                    struct error *error)
{
    const struct manifest *manifest = &inputs->manifest;
    const char *found = name_keep(manifest, name);
    if (found != NULL) {
        *ret_name = found;
        return true;
    }
    struct near_names near;
    char names[NEAR_NAMES_TEXT_MAX];
    near_names_init(&near, name);
    for (size_t i = 0; i < manifest->count; i++)
        near_names_offer(&near, manifest->entries[i].name);
    return error_set(error, ERROR_NOT_FOUND, "%s: no certificate %s%s%s", manifest->file, name,
                     near_names_text(&near, names), advice(manifest));
}

static const char *arn_in_manifest(const struct manifest *manifest, const char *arn)
{
    for (size_t i = 0; i < manifest->count; i++)
        for (const struct deploy_acm *acm = manifest->entries[i].acm; acm != NULL; acm = acm->next)
            if (acm->arn != NULL && strcmp(acm->arn, arn) == 0)
                return manifest->entries[i].name;
    return NULL;
}

struct arn_search {
    const struct manifest *manifest;
    const char *arn;
    const char *name; /* found */
};

static bool arn_row(void *context, const struct state_import *row)
{
    struct arn_search *search = context;
    if (strcmp(row->arn, search->arn) == 0)
        search->name = name_keep(search->manifest, row->name);
    return search->name == NULL;
}

static bool by_arn(const struct inputs *inputs, const char *arn, const char **ret_name,
                   struct error *error)
{
    struct arn_search search = {.manifest = &inputs->manifest, .arn = arn};
    search.name = arn_in_manifest(&inputs->manifest, arn);
    if (search.name == NULL) {
        struct state *state CLEANUP(state_reading_close) = NULL;
        TRY(state_reading_open(inputs->state_folder, &state, error));
        if (state != NULL)
            TRY(state_imports(state, arn_row, &search, error));
    }
    if (search.name == NULL)
        return error_set(error, ERROR_NOT_FOUND,
                         "no certificate of %s was imported as %s: \"certmill list\" shows the "
                         "ARNs, \"certmill adopt\" links what is in ACM already%s",
                         inputs->manifest.file, arn, advice(&inputs->manifest));
    *ret_name = search.name;
    return true;
}

bool certificate_find(const struct command_options *options, const struct inputs *inputs,
                      const char **ret_name, struct error *error)
{
    return options->name != NULL ? by_name(inputs, options->name, ret_name, error)
                                 : by_arn(inputs, options->arn, ret_name, error);
}
