/* What the parts of the manifest's reader share: the entries as they were written, before the
 * defaults and the accounts, which may come later in the file, are applied to them. */
#ifndef CERTMILL_CONFIG_MANIFEST_READING_H
#define CERTMILL_CONFIG_MANIFEST_READING_H

#include "config/fields.h"
#include "config/manifest.h"
#include "config/name_table.h"

/* What an entry (or the defaults) says itself. */
enum given {
    GIVEN_ACCOUNT = 1 << 0,
    GIVEN_KEY_TYPE = 1 << 1,
    GIVEN_KEY_SIZE = 1 << 2,
    GIVEN_RENEW = 1 << 3,
    GIVEN_CHALLENGE = 1 << 4,
    GIVEN_DEPLOY = 1 << 5,
    GIVEN_KEY_MODE = 1 << 6,
    GIVEN_CERTIFICATE_MODE = 1 << 7,
    GIVEN_OWNER = 1 << 8,
    GIVEN_GROUP = 1 << 9,
    ENTRY_HAS_WILDCARD = 1 << 10,
    ENTRY_HAS_ADDRESS = 1 << 11,
    ENTRY_BROKEN = 1 << 12, /* an error was reported: it stays out of the manifest */
};

struct entry_mark {
    uint32_t given;
    uint32_t column;
    uint32_t account_line;
    uint32_t account_column;
};

/* An entry, or the defaults, while they are read. */
struct draft {
    struct manifest_reading *reading;
    struct manifest_entry entry;
    struct entry_mark mark;
};

struct manifest_reading {
    struct manifest *manifest;
    struct span folder;       /* the manifest's, with the final slash; empty: the current one */
    struct entry_mark *marks; /* beside manifest->entries */
    size_t capacity;          /* of both */
    struct draft defaults;
    struct name_table aliases; /* one text for each alias, however many entries name it */
    struct name_table users;   /* to their numbers */
    struct name_table groups;
    struct name_table texts;                   /* profiles and regions, likewise one text each */
    const char *domains[MANIFEST_DOMAINS_MAX]; /* of the entry that is being read */
    uint32_t domain_count;
};

/* A list of deploy targets while it is read. */
struct deploy_draft {
    struct manifest_reading *reading;
    struct deploy_hook *hooks;
    struct deploy_hook **hooks_last;
    struct deploy_acm *acm;
    struct deploy_acm **acm_last;
    size_t hook_count;
};

/* Elements of `certificates` and the value of `defaults`; the target is the reading. */
config_read manifest_entry_read;
config_read manifest_defaults_read;
/* Values inside of an entry; the target is the draft. */
config_read manifest_deploy_read;
config_read manifest_permissions_read;
/* An element of `deploy`; the target is the deploy_draft. */
config_read manifest_acm_read;
/* The target is the reading. */
config_read manifest_solvers_read;
config_read manifest_limits_read;
config_read manifest_crypto_read;
config_read manifest_route53_read;
config_read manifest_aws_read;
config_read manifest_revocation_read;

/* "ADDRESS:PORT", "[ADDRESS]:PORT" or ":PORT". */
bool manifest_address_is_valid(struct span text) MUST_USE;

/* A file that the manifest names: absolute, or beside the manifest. False without memory. */
bool manifest_path_keep(struct config_input *input, struct manifest_reading *reading,
                        struct span path, const char **ret_path) MUST_USE;
/* The same for a program, which must not be looked up in PATH. */
bool manifest_program_keep(struct config_input *input, struct manifest_reading *reading,
                           struct span path, const char **ret_path) MUST_USE;

/* The name of an AWS profile; *profile stays when it is wrong, which is reported. */
bool manifest_profile_read(struct config_input *input, const struct config_field *field,
                           const struct yaml_item *item, struct manifest_reading *reading,
                           const char **profile) MUST_USE;

/* Applies the defaults and the accounts, checks what hangs together, and leaves only entries
 * without fault. `accounts_broken`: the accounts file has errors, so that a missing alias is
 * nothing new. False without memory. */
bool manifest_resolve(struct config_input *input, struct manifest_reading *reading,
                      const struct accounts *accounts, bool accounts_broken) MUST_USE;

#endif
