#include "deploy/command.h"

#include "base/json.h"
#include "base/printable.h"
#include "io/process.h"

#include <string.h>
#include <xxhash.h>

#define TIMEOUT_DEFAULT_S 300 /* for hooks that come without one */
#define OUTPUT_MAX        ((size_t)64 * 1024)
#define ENVIRONMENT_MAX   ((size_t)256 * 1024)
#define COMMAND_TEXT_MAX  120

/* The command as the operator wrote it, cut: enough to find it in the manifest. */
static void command_text(const char *const *command, char *text, size_t size)
{
    struct buf whole;
    buf_init(&whole, (size_t)COMMAND_TEXT_MAX * 8);
    for (size_t i = 0; command[i] != NULL; i++)
        if ((i > 0 && !buf_append_char(&whole, ' ')) || !buf_append_text(&whole, command[i]))
            break;
    printable_copy(whole.len > 0 ? buf_span(&whole) : span_of(command[0]), text, size);
    buf_free(&whole);
}

bool hook_command_run(const char *const *command, unsigned timeout_s,
                      const char *const *environment, struct span input, int cancel_fd,
                      struct error *error)
{
    char text[COMMAND_TEXT_MAX];
    command_text(command, text, sizeof text);
    if (timeout_s == 0)
        timeout_s = TIMEOUT_DEFAULT_S;
    struct process_request request = {.command = command,
                                      .environment = environment,
                                      .input = input,
                                      .timeout_ms = (int64_t)timeout_s * 1000,
                                      .output_limit = OUTPUT_MAX};
    struct process_result result;
    if (!process_run(&request, cancel_fd, &result, error)) {
        error_prefix(error, "deploy hook \"%s\": ", text);
        return printable_error(error);
    }
    bool ok = process_check(&result, text, error);
    process_result_free(&result);
    if (ok)
        return true;
    error_prefix(error, "deploy hook: ");
    return printable_error(error);
}

static bool live_append(struct buf *out, const char *state_folder, const char *name)
{
    return buf_printf(out, "%s/live/%s", state_folder, name);
}

static bool domains_append(struct buf *out, const struct manifest_entry *entry)
{
    for (uint32_t i = 0; i < entry->domain_count; i++)
        TRY((i == 0 || buf_append_char(out, ' ')) && buf_append_text(out, entry->domains[i]));
    return true;
}

/* Offsets first: the buffer may move while it grows. */
static bool variables_append(struct buf *text, const char *state_folder,
                             const struct manifest_entry *entry, size_t *offsets)
{
    static const struct {
        const char *name;
        enum { VALUE_NAME, VALUE_DOMAINS, VALUE_LIVE } value;
    } variables[COMMAND_VARIABLES] = {
        {"CERTMILL_NAME", VALUE_NAME},      {"CERTMILL_DOMAINS", VALUE_DOMAINS},
        {"CERTMILL_LIVE", VALUE_LIVE},      {"RENEWED_LINEAGE", VALUE_LIVE},
        {"RENEWED_DOMAINS", VALUE_DOMAINS},
    };
    for (size_t i = 0; i < COMMAND_VARIABLES; i++) {
        offsets[i] = text->len;
        TRY(buf_printf(text, "%s=", variables[i].name));
        if (variables[i].value == VALUE_NAME)
            TRY(buf_append_text(text, entry->name));
        else if (variables[i].value == VALUE_DOMAINS)
            TRY(domains_append(text, entry));
        else
            TRY(live_append(text, state_folder, entry->name));
        TRY(buf_append_char(text, '\0'));
    }
    return true;
}

bool command_environment_make(const char *state_folder, const struct manifest_entry *entry,
                              struct command_environment *ret_environment)
{
    struct command_environment environment = {0};
    size_t offsets[COMMAND_VARIABLES];
    buf_init(&environment.text, ENVIRONMENT_MAX);
    if (!variables_append(&environment.text, state_folder, entry, offsets)) {
        buf_free(&environment.text);
        return false;
    }
    for (size_t i = 0; i < COMMAND_VARIABLES; i++)
        environment.variables[i] = environment.text.data + offsets[i];
    *ret_environment = environment;
    return true;
}

void command_environment_free(struct command_environment *environment)
{
    buf_free(&environment->text);
}

static json_t *domains_json(const struct manifest_entry *entry)
{
    json_t *domains = json_array();
    for (uint32_t i = 0; i < entry->domain_count; i++) {
        if (json_array_append_new(domains, json_string(entry->domains[i])) != 0) {
            json_decref(domains);
            return NULL;
        }
    }
    return domains;
}

bool command_line_append(const char *state_folder, const struct manifest_entry *entry,
                         unsigned sequence, struct buf *out)
{
    struct buf live;
    buf_init(&live, ENVIRONMENT_MAX);
    CLEANUP(json_release) json_t *line = NULL;
    json_t *domains = domains_json(entry);
    if (live_append(&live, state_folder, entry->name) && domains != NULL)
        line = json_pack("{s:s, s:I, s:O, s:s}", "name", entry->name, "sequence",
                         (json_int_t)sequence, "domains", domains, "live", buf_text(&live));
    json_decref(domains);
    buf_free(&live);
    return line != NULL && json_append(out, line) && buf_append_char(out, '\n');
}

bool commands_equal(const char *const *a, const char *const *b)
{
    if (a == b)
        return true;
    size_t i = 0;
    for (; a[i] != NULL && b[i] != NULL; i++)
        if (strcmp(a[i], b[i]) != 0)
            return false;
    return a[i] == NULL && b[i] == NULL;
}

uint64_t command_digest(const char *const *command)
{
    uint64_t digest = 0;
    for (size_t i = 0; command[i] != NULL; i++)
        digest = XXH3_64bits_withSeed(command[i], strlen(command[i]), digest + i);
    return digest;
}
