/* certmill revoke: asks the CA to revoke what is live. */
#include "base/base64.h"
#include "cli/certificate_find.h"
#include "cli/command.h"
#include "cli/enrolled_file.h"
#include "cli/message.h"
#include "cli/run_setup.h"
#include "crypto/certificate.h"
#include "io/file.h"
#include "report/format.h"
#include "run/revoker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a subscriber may give (RFC 5280 section 5.3.1; Baseline Requirements section 7.2.2). */
static const struct {
    const char *name;
    int code;
} reasons[] = {
    {"unspecified", 0}, {"keyCompromise", 1},        {"affiliationChanged", 3},
    {"superseded", 4},  {"cessationOfOperation", 5},
};

static bool reason_find(const char *text, int *ret_reason, struct error *error)
{
    *ret_reason = REVOCATION_REASON_NONE;
    if (text == NULL)
        return true;
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (span_equal_nocase(span_of(reasons[i].name), span_of(text))) {
            *ret_reason = reasons[i].code;
            return true;
        }
    }
    return error_set(error, ERROR_CONFIG,
                     "--reason is \"%.40s\", not unspecified, keyCompromise, affiliationChanged, "
                     "superseded or cessationOfOperation",
                     text);
}

/* The live certificate, and the account that ordered it. */
static bool revocation_make(const struct run_setup *setup, const char *name, struct buf *der,
                            struct revocation *revocation, struct error *error)
{
    const struct inputs *inputs = &setup->inputs;
    const struct manifest_entry *entry = inputs->manifest.entries;
    while (strcmp(entry->name, name) != 0)
        entry++;
    struct certificate_info info;
    struct buf path CLEANUP(buf_free);
    struct buf pem CLEANUP(buf_free);
    buf_init(&path, 4096);
    buf_init(&pem, CERTIFICATE_PEM_MAX);
    if (!buf_printf(&path, "%s/live/%s/cert.pem", inputs->state_folder, name))
        return error_set(error, ERROR_LIMIT, "the path of the state folder is too long");
    if (!file_read(buf_text(&path), &pem, NULL, error))
        return error_prefix(error, "%s has no certificate to revoke: ", name);
    if (!certificate_read(buf_span(&pem), der, &info, error))
        return error_prefix(error, "%s: ", buf_text(&path));
    revocation->name = name;
    revocation->account = &inputs->accounts.list[entry->account];
    revocation->certificate = buf_span(der);
    return true;
}

static int outcome_print(const struct revocation *revocation)
{
    if (!revocation->revoked) {
        message_text("%s was not revoked: %s%s%s", revocation->name, revocation->error.text,
                     revocation->advice[0] != '\0' ? "; " : "", revocation->advice);
        return ENDING_SOME_FAILED;
    }
    format_printable(stdout, revocation->name);
    printf("%s. The next run replaces it; \"certmill renew --name %s\" does now. If it is not "
           "needed any more, take it out of the manifest.\n",
           revocation->was_revoked ? " was revoked before" : " is revoked", revocation->name);
    return ENDING_DONE;
}

static int revoke(const struct command_options *options, const struct run_setup *setup,
                  struct revocation *revocation)
{
    const struct accounts *accounts = &setup->inputs.accounts;
    bool *wanted = calloc(accounts->count, sizeof *wanted);
    if (wanted == NULL) {
        message_text("no memory for the accounts");
        return ENDING_USAGE;
    }
    wanted[revocation->account - accounts->list] = true;
    struct run_options run = run_setup_options(options, setup);
    run.register_only = wanted;
    run.revocations = revocation;
    run.revocation_count = 1;
    run.report.accounts = true;
    run.report.json = false;
    run.report.quiet = true;
    int code = run_setup_execute(setup, &run);
    free(wanted);
    if (code == ENDING_DONE || revocation->revoked || revocation->error.kind != ERROR_NONE)
        code = outcome_print(revocation);
    return code;
}

int command_revoke(const struct command_options *options)
{
    struct run_setup setup CLEANUP(run_setup_free) = {0};
    struct enrolled_file file;
    struct command_options named;
    struct revocation revocation = {0};
    struct error error;
    struct buf der CLEANUP(buf_free);
    const char *name;
    buf_init(&der, CERTIFICATE_DER_MAX);
    if (!reason_find(options->reason, &revocation.reason, &error) ||
        !enrolled_file_options(options, &file, &named, &error)) {
        message_error(&error);
        return ENDING_USAGE;
    }
    if (!run_setup_make(&named, &setup))
        return ENDING_USAGE;
    if (!certificate_find(&named, &setup.inputs, &name, &error) ||
        !revocation_make(&setup, name, &der, &revocation, &error)) {
        message_error(&error);
        return ENDING_USAGE;
    }
    return revoke(&named, &setup, &revocation);
}
