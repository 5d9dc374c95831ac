/* certmill enroll: one certificate by command line, without a manifest of the operator's. It goes
 * into the manifest STATE/enrolled.yaml, and from there on is renewed like any other. */
#include "cli/command.h"
#include "cli/enrolled_file.h"
#include "cli/message.h"
#include "cli/run_setup.h"
#include "config/enrolled.h"
#include "config/names.h"
#include "io/file.h"
#include "io/yaml_document.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct enrolling {
    const struct command_options *options;
    struct enrolled_file file;
    struct enrolment enrolment;
    char name[CERTIFICATE_NAME_MAX + 1];
    char accounts_file[PATH_MAX];
    struct buf before, after; /* the file's text */
    bool is_new;
};

/* The file is read by later runs, from wherever they are started. */
static bool accounts_file_find(struct enrolling *enrolling, struct error *error)
{
    const char *given = enrolling->options->accounts_file;
    if (given == NULL || span_starts(span_of(given), "s3://")) {
        enrolling->enrolment.accounts_file = given;
        return true;
    }
    if (realpath(given, enrolling->accounts_file) == NULL) {
        int system_error = errno;
        return error_system(error, system_error, "--accounts %s", given);
    }
    enrolling->enrolment.accounts_file = enrolling->accounts_file;
    return true;
}

static bool name_find(struct enrolling *enrolling, struct error *error)
{
    const struct command_options *options = enrolling->options;
    enrolling->enrolment.name = options->name;
    enrolling->enrolment.name_chosen = options->name != NULL;
    if (options->name != NULL)
        return certificate_name_check(span_of(options->name), error) ||
               error_prefix(error, "--name %s: ", options->name);
    struct span domains = span_of(options->domains);
    struct domain first;
    if (!domain_read(span_trim(span_split(&domains, ',')), &first, error) ||
        !certificate_name_default(first.text, enrolling->name, error))
        return error_prefix(error, "--domains: ");
    enrolling->enrolment.name = enrolling->name;
    return true;
}

static bool enrolment_make(struct enrolling *enrolling, struct error *error)
{
    const struct command_options *options = enrolling->options;
    enrolling->enrolment = (struct enrolment){
        .account = options->account,
        .domains = options->domains,
        .key_type = options->key_type,
        .key_size = options->key_size,
        .challenge = options->challenge,
        .acm = !options->no_import,
        .profile = options->profile,
        .region = options->region,
        .arn = options->arn,
    };
    TRY(accounts_file_find(enrolling, error));
    TRY(name_find(enrolling, error));
    if (!file_read(enrolling->file.path, &enrolling->before, NULL, error) &&
        error->kind != ERROR_NOT_FOUND)
        return false;
    return enrolled_put(buf_span(&enrolling->before), &enrolling->enrolment, &enrolling->after,
                        &enrolling->is_new, error) ||
           error_prefix(error, "%s: ", enrolling->file.path);
}

/* What never became a certificate is not to fail in every later run too. */
static void take_back(struct enrolling *enrolling)
{
    struct error error;
    const char *name = enrolling->enrolment.name;
    if (store_live_sequence(enrolling->file.state_folder, name) != 0)
        return;
    bool taken;
    if (enrolling->before.len > 0)
        taken = file_write(enrolling->file.path, buf_span(&enrolling->before), 0600, &error);
    else
        taken = unlink(enrolling->file.path) == 0;
    if (taken)
        message_text("%s was not enrolled, and %s does not hold it: mend what failed and enroll "
                     "again",
                     name, enrolling->file.path);
}

static int enroll(struct enrolling *enrolling, struct error *error)
{
    struct run_setup setup CLEANUP(run_setup_free) = {0};
    struct command_options options = *enrolling->options;
    options.manifest = enrolling->file.path;
    options.accounts_file = NULL; /* the manifest has it, and the profile that fetches it */
    options.profile = NULL;
    options.only = enrolling->enrolment.name;
    /* All of the operator's mistakes show before anything is written or sent. */
    if (!run_setup_make_text(&options, buf_span(&enrolling->after), &setup)) {
        if (enrolling->before.len == 0)
            message_text("%s is not written yet: this is about what it would hold. What it needs "
                         "besides, such as solvers, may be put into it beforehand",
                         enrolling->file.path);
        return ENDING_USAGE;
    }
    if (!file_write(enrolling->file.path, buf_span(&enrolling->after), 0600, error)) {
        message_error(error);
        return ENDING_USAGE;
    }
    const struct run_options run = run_setup_options(&options, &setup);
    int code = run_setup_execute(&setup, &run);
    if (enrolling->is_new && (code == ENDING_SOME_FAILED || code == ENDING_USAGE))
        take_back(enrolling);
    return code;
}

int command_enroll(const struct command_options *options)
{
    struct enrolling enrolling = {.options = options};
    struct error error;
    char lock_path[PATH_MAX + sizeof ".lock"];
    int lock = -1;
    int code = ENDING_USAGE;
    buf_init(&enrolling.before, YAML_DOCUMENT_MAX);
    buf_init(&enrolling.after, YAML_DOCUMENT_MAX);
    bool ready = enrolled_file_at(options, &enrolling.file, &error) &&
                 folder_make(enrolling.file.state_folder, 0700, &error);
    if (ready) {
        snprintf(lock_path, sizeof lock_path, "%s.lock", enrolling.file.path);
        ready = file_lock(lock_path, &lock, &error) ||
                error_prefix(&error,
                             error.kind == ERROR_BUSY ? "another enrolment is under way: " : "");
    }
    if (ready && enrolment_make(&enrolling, &error))
        code = enroll(&enrolling, &error);
    else
        message_error(&error);
    buf_free(&enrolling.before);
    buf_free(&enrolling.after);
    if (lock >= 0)
        close(lock);
    return code;
}
