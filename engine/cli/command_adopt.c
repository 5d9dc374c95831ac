/* certmill adopt: links what is in ACM already. */
#include "base/clock.h"
#include "cli/command.h"
#include "cli/enrolled_file.h"
#include "cli/inputs.h"
#include "cli/message.h"
#include "crypto/context.h"
#include "deploy/acm_adopt.h"
#include "deploy/acm_deployer.h"
#include "io/file.h"
#include "report/ending.h"
#include "report/format.h"
#include "report/output.h"

#include <stdio.h>
#include <unistd.h>

static const char *const outcome_names[] = {
    [ADOPT_NOTHING] = "nothing-found", [ADOPT_LINKED] = "linked",
    [ADOPT_KNOWN] = "known",           [ADOPT_SHARED] = "shared",
    [ADOPT_AMBIGUOUS] = "ambiguous",   [ADOPT_FOREIGN] = "not-imported",
    [ADOPT_FAILED] = "failed",
};

static void words(const struct adopt_target *target, int64_t now, char *text, size_t size)
{
    char date[OUTPUT_DATE_MAX];
    switch (target->outcome) {
    case ADOPT_NOTHING:
        snprintf(text, size, "nothing there has just these names: the next run makes a new one");
        return;
    case ADOPT_LINKED:
        snprintf(text, size, "linked to %s%s, which expires %s", target->arn,
                 target->in_use ? " (in use)" : "", output_date(target->not_after, now, date));
        return;
    case ADOPT_KNOWN:
        snprintf(text, size, "is %s already", target->arn);
        return;
    case ADOPT_AMBIGUOUS:
        snprintf(text, size,
                 "%u certificates there have these names, %s among them: set arn: in the manifest",
                 target->candidates, target->arn);
        return;
    case ADOPT_SHARED:
        snprintf(text, size,
                 "%s has these names, and so have several certificates of the manifest: set arn: "
                 "for the one that it is",
                 target->arn);
        return;
    case ADOPT_FOREIGN:
        snprintf(text, size,
                 "%s has these names, but Amazon issued it: nothing can be imported over it",
                 target->arn);
        return;
    case ADOPT_FAILED:
        snprintf(text, size, "could not be asked: %s", target->problem);
        return;
    }
}

static void target_print(const struct adopt_target *target, int64_t now)
{
    char text[ERROR_TEXT_MAX + 512];
    const struct deploy_acm *acm = target->acm;
    words(target, now, text, sizeof text);
    format_printable(stdout, target->entry->name);
    printf(", %s %s: ", acm->profile != NULL ? acm->profile : "the default profile",
           acm->region != NULL ? acm->region : "in its region");
    format_printable(stdout, text);
    putchar('\n');
}

static json_t *target_json(const struct adopt_target *target)
{
    json_t *object = json_object();
    output_member_text(&object, "name", target->entry->name);
    output_member_text(&object, "profile", target->acm->profile);
    output_member_text(&object, "region", target->acm->region);
    output_member_text(&object, "outcome", outcome_names[target->outcome]);
    output_member_text(&object, "arn", target->arn);
    output_member_text(&object, "serial", target->serial);
    output_member_time(&object, "not_after", target->not_after);
    output_member(&object, "in_use", json_boolean(target->in_use));
    output_member_count(&object, "candidates", target->candidates);
    output_member_text(&object, "problem", target->problem);
    return object;
}

static bool adoption_print(const struct adoption *adoption, bool json, struct error *error)
{
    bool first = true;
    if (json)
        putchar('[');
    for (size_t i = 0; i < adoption->count; i++) {
        if (!json)
            target_print(&adoption->targets[i], clock_unix());
        else
            TRY(output_element(stdout, target_json(&adoption->targets[i]), &first, error));
    }
    if (json)
        fputs(first ? "]\n" : "\n]\n", stdout);
    else if (adoption->count == 0)
        puts("no certificate has an ACM target");
    return output_end(stdout, error);
}

/* What the operator has to look at. */
static bool is_open(const struct adopt_target *target)
{
    return target->outcome == ADOPT_FAILED || target->outcome == ADOPT_AMBIGUOUS ||
           target->outcome == ADOPT_SHARED || target->outcome == ADOPT_FOREIGN;
}

static int adoption_ending(const struct adoption *adoption)
{
    for (size_t i = 0; i < adoption->count; i++)
        if (is_open(&adoption->targets[i]))
            return ENDING_SOME_FAILED;
    return ENDING_DONE;
}

/* What is printed is durable: the state's closing commits it, and says when it could not. */
static bool adopt_and_close(const struct adopt_options *options, struct adoption *adoption,
                            struct error *error)
{
    bool ok = state_start(options->state, 0, error) && adopt_run(options, adoption, error);
    state_close(options->state);
    for (size_t i = 0; ok && i < adoption->count; i++) {
        const struct state_change *noted = adoption->targets[i].noted;
        if (noted != NULL && !noted->ok) {
            *error = noted->error;
            ok = false;
        }
    }
    return ok;
}

static int adopt(const struct command_options *options, const struct inputs *inputs,
                 struct error *error)
{
    struct adoption adoption CLEANUP(adoption_free) = {0};
    struct adopt_options adopt_options = {
        .manifest = &inputs->manifest,
        .profiles = inputs->profiles,
        .only = options->only,
        .user_agent = "certmill/" CERTMILL_VERSION,
        .cancel_fd = -1,
    };
    if (!acm_targets_check(&inputs->manifest, inputs->profiles, error) ||
        !state_open(inputs->state_folder, false, &adopt_options.state, error) ||
        !adopt_and_close(&adopt_options, &adoption, error) ||
        !adoption_print(&adoption, options->json, error)) {
        message_error(error);
        return ENDING_USAGE;
    }
    return adoption_ending(&adoption);
}

static bool lock_take(const char *state_folder, int *ret_lock, struct error *error)
{
    char path[PATH_MAX];
    TRY(folder_make(state_folder, 0700, error));
    snprintf(path, sizeof path, "%s/lock", state_folder);
    return file_lock(path, ret_lock, error) ||
           error_prefix(error, error->kind == ERROR_BUSY ? "another run is under way: " : "");
}

int command_adopt(const struct command_options *options)
{
    struct inputs inputs CLEANUP(inputs_free) = {0};
    struct enrolled_file file;
    struct command_options named;
    struct error error;
    int lock = -1;
    int code = ENDING_USAGE;
    if (!crypto_secure_heap_make(0, &error) ||
        !enrolled_file_options(options, &file, &named, &error)) {
        message_error(&error);
        return ENDING_USAGE;
    }
    if (!inputs_read_manifest(&named, &inputs))
        return ENDING_USAGE;
    if (!aws_profiles_new(NULL, &inputs.profiles, &error) ||
        !lock_take(inputs.state_folder, &lock, &error))
        message_error(&error);
    else
        code = adopt(&named, &inputs, &error);
    if (lock >= 0)
        close(lock);
    return code;
}
