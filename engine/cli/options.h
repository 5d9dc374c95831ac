/* The command line, read into one typed structure. The tables of commands and options are here
 * once: the parser, --help, and the tests of manual page and shell completion all go by them. */
#ifndef CERTMILL_CLI_OPTIONS_H
#define CERTMILL_CLI_OPTIONS_H

#include "crypto/key.h"
#include "io/store.h"
#include "report/report.h"

#define OPTIONS_PROVIDERS_MAX 16
#define OPTIONS_STATE_DEFAULT                                          \
    "/var/lib/certmill" /* when neither manifest nor --state names one \
                         */

enum command_id {
    COMMAND_RUN,
    COMMAND_PLAN,
    COMMAND_CHECK,
    COMMAND_LIST,
    COMMAND_STATUS,
    COMMAND_ACCOUNTS,
    COMMAND_ENROLL,
    COMMAND_RENEW,
    COMMAND_REVOKE,
    COMMAND_ADOPT,
    COMMAND_AWS,
};

struct command {
    enum command_id id;
    const char *name;
    const char *operands;    /* for the usage line */
    const char *summary;     /* one line, for the overview */
    const char *description; /* paragraphs, for its --help */
    const char *examples;
    unsigned operands_min, operands_max;
    const char *operand_missing; /* what to say when there are fewer */
};

enum option_id {
    OPTION_ACCOUNTS = 0x100, /* beyond the letters */
    OPTION_STATE,
    OPTION_MANIFEST,
    OPTION_CA_FILE,
    OPTION_ONLY,
    OPTION_FORCE,
    OPTION_EVENTS,
    OPTION_PROGRESS,
    OPTION_JSON,
    OPTION_QUIET,
    OPTION_IN_FLIGHT,
    OPTION_REQUESTS_PER_SECOND,
    OPTION_ACCOUNT_KEY,
    OPTION_IO,
    OPTION_WORKERS,
    OPTION_CRYPTO_THREADS,
    OPTION_CRYPTO,
    OPTION_PROVIDER,
    OPTION_PROPERTY_QUERY,
    OPTION_OPENSSL_CONFIG,
    OPTION_ACCOUNT,
    OPTION_DOMAINS,
    OPTION_NAME,
    OPTION_ARN,
    OPTION_PROFILE,
    OPTION_REGION,
    OPTION_NO_IMPORT,
    OPTION_CHALLENGE,
    OPTION_KEY,
    OPTION_REASON,

    OPTION_ALL,
    OPTION_HELP,
};

struct option_spec {
    enum option_id id;
    char letter;          /* 0: none */
    const char *name;     /* without the dashes */
    const char *argument; /* "FILE"; NULL: takes none */
    unsigned commands;    /* a bit for each command that takes it: 1U << COMMAND_RUN */
    const char *help;     /* lines of at most 54 characters, separated by line ends */
};

enum accounts_action { ACCOUNTS_LIST, ACCOUNTS_REGISTER };
enum aws_action { AWS_WHOAMI, AWS_POLICY };

enum options_wish {
    WISH_COMMAND, /* do the command */
    WISH_HELP,    /* print the help of `command`, or the overview when that is NULL */
    WISH_VERSION,
};

/* All texts belong to argv. */
struct command_options {
    enum options_wish wish;
    const struct command *command;

    const char *manifest;        /* "-": standard input; NULL: not given */
    const char *name;            /* status, --name: a certificate's */
    enum accounts_action action; /* accounts */
    enum aws_action aws_action;
    const char *const *aliases; /* accounts: alias_count of them; none means all */
    size_t alias_count;

    const char *accounts_file;       /* NULL: as the manifest says */
    const char *state_folder;        /* NULL: as the manifest says */
    const char *ca_file;             /* NULL: the system's */
    const char *account;             /* --account: an alias; NULL: any */
    const char *domains;             /* enroll: separated by commas */
    const char *arn;                 /* --arn: of a certificate in ACM */
    const char *profile;             /* --profile: AWS's; NULL: the default one */
    const char *region;              /* --region: AWS's; NULL: the profile's */
    const char *challenge;           /* enroll; NULL: none */
    const char *key_type, *key_size; /* enroll: as the manifest writes them; NULL: the account's */
    const char *reason;              /* revoke; NULL: none */
    const char *only;                /* a glob; NULL: all */
    bool force;
    const char *events; /* NULL: none; "-": standard output */
    enum progress_mode progress;
    bool json;
    bool quiet;
    bool all;       /* aws: every profile */
    bool no_import; /* enroll: not into ACM */

    unsigned in_flight;          /* 0: as the manifest says */
    double requests_per_second;  /* 0: no limit; negative: as the manifest says */
    struct key_spec account_key; /* for accounts that have no key yet */
    enum store_mode io;
    unsigned workers;                                 /* 0: by the number of cores */
    unsigned crypto_threads;                          /* likewise */
    enum crypto_way crypto;                           /* who makes keys */
    bool crypto_given;                                /* else as the manifest says */
    const char *providers[OPTIONS_PROVIDERS_MAX + 1]; /* NULL-terminated */
    size_t provider_count;                            /* 0: none */
    const char *property_query;                       /* NULL: none */
    const char *openssl_config;                       /* NULL: none */
};

/* Reads the command line; argv[0] is skipped, and argv is reordered (options before operands). The
 * error is one line that says what is wrong, what was perhaps meant, and where to read more. */
bool options_parse(int argc, char **argv, struct command_options *ret_options,
                   struct error *error) MUST_USE;

/* The tables; each gives its length. */
const struct command *options_commands(size_t *ret_count);
const struct option_spec *options_specs(size_t *ret_count);
bool option_applies(const struct option_spec *spec, const struct command *command);

#endif
