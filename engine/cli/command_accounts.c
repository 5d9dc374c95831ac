/* certmill accounts: which ACME accounts there are, and registering them ahead of the first run. */
#include "base/clock.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/message.h"
#include "cli/run_setup.h"
#include "run/account_file.h"
#include "run/run.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct account_view {
    const struct account *account;
    struct account_record record;
    char folder[PATH_MAX];
    bool has_key;
};

static bool view_read(const char *state_folder, const struct account *account,
                      struct account_view *view, struct error *error)
{
    char host[256];
    char path[PATH_MAX + 16];
    view->account = account;
    endpoint_host(account->endpoint, host, sizeof host);
    if (!account_folder(state_folder, host, account->alias, view->folder, sizeof view->folder))
        return error_set(error, ERROR_CONFIG, "the state folder's path is too long");
    snprintf(path, sizeof path, "%s/key.pem", view->folder);
    view->has_key = access(path, F_OK) == 0;
    return account_record_read(view->folder, &view->record, error);
}

static const char *standing(const struct account_view *view)
{
    if (view->record.url != NULL)
        return "registered";
    return view->has_key ? "key made" : "not registered";
}

static void view_print(const struct account_view *view)
{
    const struct account *account = view->account;
    char at[TIME_TEXT_MAX] = "-";
    if (view->record.registered_at != 0)
        time_format_rfc3339(view->record.registered_at, at);
    printf("%-24s %-14s %-20s %-4s %-11s %3d  %s\n", account->alias, standing(view), at,
           account->eab_key_id != NULL ? "EAB" : "-", key_spec_name(account->key),
           account->renew_before_days, account->endpoint);
}

static json_t *view_json(const struct account_view *view, const struct accounts *accounts)
{
    const struct account *account = view->account;
    char at[TIME_TEXT_MAX];
    bool registered = view->record.registered_at != 0;
    if (registered)
        time_format_rfc3339(view->record.registered_at, at);
    return json_pack("{s:s, s:s, s:s, s:s?, s:s?, s:s?, s:s?, s:s, s:i, s:s, s:s?, s:s?}", "alias",
                     account->alias, "status", standing(view), "endpoint", account->endpoint,
                     "email", account->email, "eab_key_id", account->eab_key_id, "account_url",
                     view->record.url, "registered_at", registered ? at : NULL, "key",
                     key_spec_name(account->key), "renew_before_days", account->renew_before_days,
                     "folder", view->folder, "file", accounts->file, "etag", accounts->etag);
}

static bool is_wanted(const struct command_options *options, const char *alias)
{
    for (size_t i = 0; i < options->alias_count; i++)
        if (strcmp(options->aliases[i], alias) == 0)
            return true;
    return options->alias_count == 0;
}

static bool aliases_check(const struct command_options *options, const struct accounts *accounts)
{
    bool known = true;
    for (size_t i = 0; i < options->alias_count; i++) {
        if (accounts_find(accounts, options->aliases[i]) != NULL)
            continue;
        message_text("there is no account %s in %s", options->aliases[i], accounts->file);
        known = false;
    }
    return known;
}

static int list(const struct command_options *options, const struct inputs *inputs)
{
    json_t *array = json_array();
    int code = ENDING_DONE;
    if (!options->json)
        printf("%-24s %-14s %-20s %-4s %-11s %s  %s\n", "ALIAS", "STATUS", "SINCE", "EAB", "KEYS",
               "DAYS", "ENDPOINT");
    for (size_t i = 0; i < inputs->accounts.count; i++) {
        const struct account *account = &inputs->accounts.list[i];
        struct account_view view = {0};
        struct error error;
        if (!is_wanted(options, account->alias))
            continue;
        if (!view_read(inputs->state_folder, account, &view, &error)) {
            message_text("account %s: %s", account->alias, error.text);
            code = ENDING_SOME_FAILED;
        } else if (options->json) {
            (void)json_array_append_new(array, view_json(&view, &inputs->accounts));
        } else {
            view_print(&view);
        }
        account_record_free(&view.record);
    }
    if (options->json) {
        (void)json_dumpf(array, stdout, JSON_INDENT(2));
        putchar('\n');
    }
    if (!options->json && inputs->accounts.etag != NULL)
        printf("from %s, ETag %s\n", inputs->accounts.file, inputs->accounts.etag);
    json_decref(array);
    return code;
}

static int register_all(const struct command_options *options, const struct run_setup *setup)
{
    const struct accounts *accounts = &setup->inputs.accounts;
    bool *wanted = calloc(accounts->count + 1, sizeof *wanted);
    if (wanted == NULL) {
        message_text("no memory for the accounts");
        return ENDING_USAGE;
    }
    for (size_t i = 0; i < accounts->count; i++)
        wanted[i] = is_wanted(options, accounts->list[i].alias);
    struct run_options run = run_setup_options(options, setup);
    run.register_only = wanted;
    run.report.accounts = true;
    run.report.json = false; /* standard output is the list's, as with "accounts list" */
    run.report.quiet = options->json;
    int code = run_setup_execute(setup, &run);
    free(wanted);
    if (code == ENDING_USAGE)
        return code;
    int listed = list(options, &setup->inputs);
    return code != ENDING_DONE ? code : listed;
}

int command_accounts(const struct command_options *options)
{
    struct run_setup setup CLEANUP(run_setup_free);
    if (!run_setup_make(options, &setup) || !aliases_check(options, &setup.inputs.accounts))
        return ENDING_USAGE;
    return options->action == ACCOUNTS_LIST ? list(options, &setup.inputs)
                                            : register_all(options, &setup);
}
