#include "solver/dns_hook.h"

#include "base/json.h"
#include "base/printable.h"
#include "io/process.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INPUT_MAX     ((size_t)16 * 1024 * 1024)
#define OUTPUT_MAX    ((size_t)4 * 1024 * 1024)
#define HOOK_LINE_MAX ((size_t)64 * 1024)
#define WORDS_MAX     300

bool dns_hook_check(const char *path, struct error *error)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return error_set(error, ERROR_CONFIG, "the dns-01 hook %s: %s", path,
                         strerrordesc_np(errno));
    if (!S_ISREG(status.st_mode) || access(path, X_OK) != 0)
        return error_set(error, ERROR_CONFIG,
                         "the dns-01 hook %s is not an executable file: chmod +x it", path);
    return true;
}

static bool input_build(const struct dns_record *records, size_t count, struct buf *input)
{
    for (size_t i = 0; i < count; i++) {
        CLEANUP(json_release)
        json_t *line =
            json_pack("{s:s, s:s, s:s, s:s}", "certificate", records[i].certificate, "domain",
                      records[i].domain, "fqdn", records[i].fqdn, "value", records[i].value);
        TRY(line != NULL && json_append(input, line) && buf_append_char(input, '\n'));
    }
    return true;
}

static void all_fail(struct dns_record *records, size_t count, const struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        records[i].ok = false;
        records[i].error = *error;
    }
}

static void record_refuse(struct dns_record *records, size_t count, const json_t *refusal)
{
    const char *fqdn = json_text(refusal, "fqdn", HOOK_LINE_MAX);
    const char *value = json_text(refusal, "value", HOOK_LINE_MAX);
    const char *words = json_text(refusal, "error", HOOK_LINE_MAX);
    if (fqdn == NULL || words == NULL)
        return;
    char clean[WORDS_MAX];
    printable_copy(span_of(words), clean, sizeof clean);
    for (size_t i = 0; i < count; i++) {
        bool named = strcmp(records[i].fqdn, fqdn) == 0 &&
                     (value == NULL || strcmp(records[i].value, value) == 0);
        if (!named)
            continue;
        records[i].ok = false;
        error_set(&records[i].error, ERROR_CONFIG, "the dns-01 hook: %s: %s", fqdn, clean);
        printable_error(&records[i].error);
    }
}

static void refusals_read(struct dns_record *records, size_t count, struct span output)
{
    while (output.data != NULL) {
        struct span line = span_trim(span_split(&output, '\n'));
        if (!span_starts(line, "{"))
            continue;
        CLEANUP(json_release) json_t *refusal = NULL;
        if (json_parse(line, HOOK_LINE_MAX, &refusal, NULL))
            record_refuse(records, count, refusal);
    }
}

static bool hook_call(const char *path, enum solver_step step, int64_t timeout_ms, int cancel_fd,
                      struct dns_record *records, size_t count, struct span input,
                      struct error *error)
{
    const char *const command[] = {path, step == SOLVER_PRESENT ? "present" : "cleanup", NULL};
    struct process_request request = {
        .command = command, .input = input, .timeout_ms = timeout_ms, .output_limit = OUTPUT_MAX};
    struct process_result result;
    if (!process_run(&request, cancel_fd, &result, error))
        return error_prefix(error, "the dns-01 hook: ");
    bool ok = process_check(&result, path, error);
    if (ok)
        refusals_read(records, count, buf_span(&result.output));
    else
        error_prefix(error, "the dns-01 hook: ");
    process_result_free(&result);
    return ok;
}

void dns_hook_run(const char *path, enum solver_step step, int64_t timeout_ms, int cancel_fd,
                  struct dns_record *records, size_t count)
{
    for (size_t i = 0; i < count; i++)
        records[i].ok = true;
    struct buf input;
    buf_init(&input, INPUT_MAX);
    struct error error = {0};
    bool ok =
        input_build(records, count, &input)
            ? hook_call(path, step, timeout_ms, cancel_fd, records, count, buf_span(&input), &error)
            : error_set(&error, ERROR_MEMORY, "no memory for the dns-01 hook's input");
    if (!ok) {
        printable_error(&error);
        all_fail(records, count, &error);
    }
    buf_free(&input);
}
