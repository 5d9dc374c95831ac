/* What is done with a certificate's files: deploy targets, modes and owners. */
#include "config/manifest_reading.h"

#include <grp.h>
#include <pwd.h>
#include <string.h>

#define TARGETS_MAX            1024
#define HOOKS_MAX              32
#define COMMAND_ARGUMENTS_MAX  64
#define HOOK_TIMEOUT_S_DEFAULT 300
#define HOOK_TIMEOUT_S_MAX     86400
#define LOOKUP_BYTES           16384

/* A hook while it is read. */
struct hook_draft {
    struct manifest_reading *reading;
    struct deploy_hook *hook;
    const char *arguments[COMMAND_ARGUMENTS_MAX + 1];
    size_t argument_count;
};

static bool argument_keep(struct config_input *input, struct hook_draft *draft, const char *text)
{
    draft->arguments[draft->argument_count] =
        arena_text(&draft->reading->manifest->arena, span_of(text));
    if (draft->arguments[draft->argument_count] == NULL)
        return config_no_memory(input);
    draft->argument_count++;
    return true;
}

static bool read_argument(struct config_input *input, const struct config_field *field,
                          const struct yaml_item *item, void *target)
{
    struct hook_draft *draft = target;
    if (item->kind != YAML_TEXT) {
        config_error(input, field, item, "is no text: an argument of the command is needed");
        return config_skip(input, item);
    }
    if (draft->argument_count > 0)
        return argument_keep(input, draft, item->text.data);
    struct span program;
    if (!config_text(input, field, item, &program))
        return true;
    if (memchr(program.data, '/', program.len) == NULL)
        return argument_keep(input, draft, item->text.data);
    TRY(manifest_path_keep(input, draft->reading, program, &draft->arguments[0]));
    draft->argument_count = 1;
    return true;
}

static bool command_keep(struct config_input *input, struct hook_draft *draft)
{
    size_t size = (draft->argument_count + 1) * sizeof draft->arguments[0];
    const char **command = arena_alloc(&draft->reading->manifest->arena, size);
    if (command == NULL)
        return config_no_memory(input);
    memcpy(command, draft->arguments, size);
    draft->hook->command = command;
    return true;
}

static bool read_command(struct config_input *input, const struct config_field *field,
                         const struct yaml_item *item, void *target)
{
    struct hook_draft *draft = target;
    if (item->kind == YAML_TEXT) {
        struct span text;
        if (!config_text(input, field, item, &text))
            return true;
        TRY(argument_keep(input, draft, "/bin/sh") && argument_keep(input, draft, "-c") &&
            argument_keep(input, draft, item->text.data));
    } else {
        size_t errors = input->diagnostics->errors;
        TRY(config_list(input, field, item, COMMAND_ARGUMENTS_MAX, read_argument, draft));
        if (draft->argument_count == 0 && input->diagnostics->errors == errors)
            config_error(input, field, item, "is empty: the program and its arguments are needed");
    }
    return command_keep(input, draft);
}

static bool read_once(struct config_input *input, const struct config_field *field,
                      const struct yaml_item *item, void *target)
{
    struct hook_draft *draft = target;
    if (!config_flag(input, field, item, &draft->hook->once))
        return config_skip(input, item);
    return true;
}

static bool read_timeout(struct config_input *input, const struct config_field *field,
                         const struct yaml_item *item, void *target)
{
    struct hook_draft *draft = target;
    if (!config_number(input, field, item, 1, HOOK_TIMEOUT_S_MAX, &draft->hook->timeout_s))
        return config_skip(input, item);
    return true;
}

static bool read_hook(struct config_input *input, const struct config_field *field,
                      const struct yaml_item *item, void *target)
{
    static const struct config_key keys[] = {
        {"command", read_command},
        {"once", read_once},
        {"timeout-seconds", read_timeout},
    };
    struct deploy_draft *deploy = target;
    struct hook_draft draft = {.reading = deploy->reading};
    unsigned seen = 0;
    draft.hook = arena_alloc(&deploy->reading->manifest->arena, sizeof *draft.hook);
    if (draft.hook == NULL)
        return config_no_memory(input);
    draft.hook->timeout_s = HOOK_TIMEOUT_S_DEFAULT;
    bool is_mapping = item->kind == YAML_MAPPING;
    TRY(config_mapping(input, field, item, keys, sizeof keys / sizeof keys[0], &draft, &seen));
    if (is_mapping && (seen & 1u) == 0)
        config_error(input, field, item, "command is missing");
    if (deploy->hook_count++ == HOOKS_MAX)
        config_error(input, field, item, "more than %d hooks", HOOKS_MAX);
    *deploy->hooks_last = draft.hook;
    deploy->hooks_last = &draft.hook->next;
    return true;
}

static bool read_target(struct config_input *input, const struct config_field *field,
                        const struct yaml_item *item, void *target)
{
    static const struct config_key keys[] = {{"hook", read_hook}, {"acm", manifest_acm_read}};
    size_t errors = input->diagnostics->errors;
    unsigned seen = 0;
    TRY(config_mapping(input, field, item, keys, sizeof keys / sizeof keys[0], target, &seen));
    if (seen == 0 && input->diagnostics->errors == errors)
        config_error(input, field, item, "is empty: a hook or acm is needed");
    if (seen == 3 && input->diagnostics->errors == errors)
        config_error(input, field, item,
                     "hook and acm are two targets: give each an element of the list");
    return true;
}

bool manifest_deploy_read(struct config_input *input, const struct config_field *field,
                          const struct yaml_item *item, void *target)
{
    struct draft *draft = target;
    struct deploy_draft deploy = {.reading = draft->reading};
    deploy.hooks_last = &deploy.hooks;
    deploy.acm_last = &deploy.acm;
    TRY(config_list(input, field, item, TARGETS_MAX, read_target, &deploy));
    draft->entry.deploy = deploy.hooks;
    draft->entry.acm = deploy.acm;
    draft->mark.given |= GIVEN_DEPLOY;
    return true;
}

/* Digits of a mode are octal, with or without the 0 or 0o in front, quoted or not. */
static bool read_mode(struct config_input *input, const struct config_field *field,
                      const struct yaml_item *item, uint16_t *ret_mode)
{
    struct span text;
    TRY(config_text(input, field, item, &text));
    struct span digits = span_starts(text, "0o") ? span_from(text, 2) : text;
    unsigned mode = 0;
    bool is_octal = digits.len >= 3 && digits.len <= 5;
    for (size_t i = 0; i < digits.len && is_octal; i++) {
        is_octal = digits.data[i] >= '0' && digits.data[i] <= '7';
        mode = mode * 8 + (unsigned)(digits.data[i] - '0');
    }
    if (!is_octal || (mode & ~0666u) != 0 || (mode & 0400) == 0) {
        config_error(input, field, item,
                     "%s is not allowed: use an octal mode such as 0640, without execute bits, "
                     "that lets the owner read",
                     config_quote(text).text);
        return false;
    }
    *ret_mode = (uint16_t)mode;
    return true;
}

static bool read_key_mode(struct config_input *input, const struct config_field *field,
                          const struct yaml_item *item, void *target)
{
    struct draft *draft = target;
    uint16_t mode;
    if (!read_mode(input, field, item, &mode))
        return config_skip(input, item);
    if ((mode & 0007) != 0) {
        config_error(input, field, item,
                     "%04o would let everybody on the machine at the private key: use 0600 or 0640",
                     (unsigned)mode);
        return true;
    }
    draft->entry.key_mode = mode;
    draft->mark.given |= GIVEN_KEY_MODE;
    return true;
}

static bool read_certificate_mode(struct config_input *input, const struct config_field *field,
                                  const struct yaml_item *item, void *target)
{
    struct draft *draft = target;
    uint16_t mode;
    if (!read_mode(input, field, item, &mode))
        return config_skip(input, item);
    if ((mode & 0002) != 0) {
        config_error(input, field, item,
                     "%04o would let everybody change the certificate: use "
                     "0644",
                     (unsigned)mode);
        return true;
    }
    draft->entry.certificate_mode = mode;
    draft->mark.given |= GIVEN_CERTIFICATE_MODE;
    return true;
}

static bool user_find(const char *name, uint32_t *ret_number)
{
    struct passwd record, *found = NULL;
    char bytes[LOOKUP_BYTES];
    if (getpwnam_r(name, &record, bytes, sizeof bytes, &found) != 0 || found == NULL)
        return false;
    *ret_number = record.pw_uid;
    return true;
}

static bool group_find(const char *name, uint32_t *ret_number)
{
    struct group record, *found = NULL;
    char bytes[LOOKUP_BYTES];
    if (getgrnam_r(name, &record, bytes, sizeof bytes, &found) != 0 || found == NULL)
        return false;
    *ret_number = record.gr_gid;
    return true;
}

/* A name of the system's database, asked once, or a number. *ret_found false: reported. */
static bool number_find(struct config_input *input, const struct config_field *field,
                        const struct yaml_item *item, struct draft *draft, bool is_user,
                        uint32_t *ret_number, bool *ret_found)
{
    struct span text;
    uint64_t number;
    *ret_found = false;
    if (!config_text(input, field, item, &text))
        return config_skip(input, item);
    struct name_table *known = is_user ? &draft->reading->users : &draft->reading->groups;
    const struct name_slot *slot = name_table_find(known, text);
    if (slot != NULL) {
        *ret_number = slot->value;
        *ret_found = true;
        return true;
    }
    /* The highest number means "nobody" to chown. */
    if (span_to_u64(text, UINT32_MAX - 1, &number)) {
        *ret_number = (uint32_t)number;
        *ret_found = true;
        return true;
    }
    const char *name = arena_text(&draft->reading->manifest->arena, text);
    if (name == NULL)
        return config_no_memory(input);
    if (!(is_user ? user_find : group_find)(name, ret_number)) {
        config_error(input, field, item, "this machine has no %s %s", is_user ? "user" : "group",
                     config_quote(text).text);
        return true;
    }
    *ret_found = true;
    return name_table_put(known, name, *ret_number) || config_no_memory(input);
}

static bool read_owner(struct config_input *input, const struct config_field *field,
                       const struct yaml_item *item, void *target)
{
    struct draft *draft = target;
    bool found;
    TRY(number_find(input, field, item, draft, true, &draft->entry.uid, &found));
    if (found)
        draft->mark.given |= GIVEN_OWNER;
    return true;
}

static bool read_group(struct config_input *input, const struct config_field *field,
                       const struct yaml_item *item, void *target)
{
    struct draft *draft = target;
    bool found;
    TRY(number_find(input, field, item, draft, false, &draft->entry.gid, &found));
    if (found)
        draft->mark.given |= GIVEN_GROUP;
    return true;
}

bool manifest_permissions_read(struct config_input *input, const struct config_field *field,
                               const struct yaml_item *item, void *target)
{
    static const struct config_key keys[] = {
        {"key", read_key_mode},
        {"certificate", read_certificate_mode},
        {"owner", read_owner},
        {"group", read_group},
    };
    return config_mapping(input, field, item, keys, sizeof keys / sizeof keys[0], target, NULL);
}
