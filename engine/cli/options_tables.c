/* What commands and options there are. */
#include "cli/options.h"

#define RUN      (1U << COMMAND_RUN)
#define PLAN     (1U << COMMAND_PLAN)
#define CHECK    (1U << COMMAND_CHECK)
#define LIST     (1U << COMMAND_LIST)
#define STATUS   (1U << COMMAND_STATUS)
#define ACCOUNTS (1U << COMMAND_ACCOUNTS)
#define ENROLL   (1U << COMMAND_ENROLL)
#define RENEW    (1U << COMMAND_RENEW)
#define REVOKE   (1U << COMMAND_REVOKE)
#define ADOPT    (1U << COMMAND_ADOPT)
#define AWS      (1U << COMMAND_AWS)
#define ALL      (RUN | PLAN | CHECK | LIST | STATUS | ACCOUNTS | ENROLL | RENEW | REVOKE | ADOPT | AWS)
#define RUNS     (RUN | ENROLL | RENEW) /* these order certificates */

static const struct command commands[] = {
    {
        .id = COMMAND_RUN,
        .name = "run",
        .operands = "MANIFEST",
        .summary = "Renew the certificates of the manifest that are due",
        .description =
            "Reads the manifest, decides which certificates are due, orders those from\n"
            "their CAs by ACME, stores them under the state folder and runs their deploy\n"
            "hooks. A certificate that fails stops no other one and leaves what is live\n"
            "as it was. A run that was interrupted goes on where it stopped when it is\n"
            "started again.\n"
            "\n"
            "Naming an account in the accounts file means that you agree to the terms of\n"
            "service of its CA: certmill says so to the CA when it registers the account.\n"
            "\n"
            "To see what a run would do, use \"certmill plan\".\n",
        .examples = "  certmill run /etc/certmill/fleet.yaml\n"
                    "  certmill run fleet.yaml --only 'shop-*' --force\n"
                    "  certmill run fleet.yaml --events events.jsonl --json > summary.json\n",
        .operands_min = 1,
        .operands_max = 1,
        .operand_missing = "no manifest given",
    },
    {
        .id = COMMAND_PLAN,
        .name = "plan",
        .operands = "MANIFEST",
        .summary = "Show what a run would do, and why",
        .description = "Prints which certificates are due and why, and when the others will be.\n"
                       "Sends nothing and changes nothing.\n",
        .examples = "  certmill plan fleet.yaml\n"
                    "  certmill plan fleet.yaml --json | jq '.due[].name'\n",
        .operands_min = 1,
        .operands_max = 1,
        .operand_missing = "no manifest given",
    },
    {
        .id = COMMAND_CHECK,
        .name = "check",
        .operands = "MANIFEST",
        .summary = "Check the manifest and the accounts file",
        .description =
            "Reads both files and names every mistake with its file, line and field.\n"
            "Sends nothing and changes nothing. Exit status 2 when there is a mistake.\n",
        .examples = "  certmill check fleet.yaml\n"
                    "  generate-manifest | certmill check -\n",
        .operands_min = 1,
        .operands_max = 1,
        .operand_missing = "no manifest given",
    },
    {
        .id = COMMAND_LIST,
        .name = "list",
        .operands = "[MANIFEST | --state DIR]",
        .summary = "List the certificates, their expiry and their state",
        .description =
            "Lists the certificates that the state folder knows: that of the manifest, the\n"
            "one that --state names, or the default one.\n",
        .examples = "  certmill list fleet.yaml\n"
                    "  certmill list --account scm_demo\n"
                    "  certmill list --state /var/lib/certmill --only 'shop-*' --json\n",
        .operands_min = 0,
        .operands_max = 1,
    },
    {
        .id = COMMAND_STATUS,
        .name = "status",
        .operands = "NAME [MANIFEST | --state DIR]",
        .summary = "Show everything known of one certificate",
        .description =
            "Shows what is live, what happened last, and an order that is open at the CA.\n",
        .examples = "  certmill status www fleet.yaml\n"
                    "  certmill status www --state /var/lib/certmill --json\n",
        .operands_min = 1,
        .operands_max = 2,
        .operand_missing = "no certificate named",
    },
    {
        .id = COMMAND_ACCOUNTS,
        .name = "accounts",
        .operands = "list|register MANIFEST [ALIAS...]",
        .summary = "List the ACME accounts, or register them with their CAs",
        .description =
            "\"list\" shows the accounts of the accounts file and whether they are\n"
            "registered. \"register\" makes the accounts' keys and registers them with\n"
            "their CAs; \"run\" does the same for the accounts it needs. Without an ALIAS,\n"
            "all accounts.\n"
            "\n"
            "Registering an account means that you agree to the terms of service of its\n"
            "CA: certmill says so to the CA.\n",
        .examples = "  certmill accounts list fleet.yaml\n"
                    "  certmill accounts register fleet.yaml scm_demo\n",
        .operands_min = 2,
        .operands_max = 10000,
        .operand_missing = "an action (list or register) and a manifest are needed",
    },
    {
        .id = COMMAND_ENROLL,
        .name = "enroll",
        .operands = "--account ALIAS --domains NAME[,NAME...]",
        .summary = "Get one certificate by command line, and import it into ACM",
        .description =
            "Orders a certificate for the domains with an account of the accounts file,\n"
            "stores it under the state folder and imports it into AWS Certificate Manager:\n"
            "of the default AWS profile and its region, or as --profile, --region and\n"
            "--arn say. What is enrolled is kept in STATE/enrolled.yaml, a manifest like\n"
            "any other: \"certmill renew\" renews all of it that is due.\n"
            "\n"
            "Enrolling the same name again changes the entry, and orders a certificate if\n"
            "the live one does not fit any more.\n",
        .examples = "  certmill enroll --accounts acme_accounts.yaml --account scm_demo \\\n"
                    "      --domains www.example.com,example.com --profile aws_account_1\n"
                    "  certmill enroll --account scm_demo --domains shop.example.com --no-import\n",
        .operands_min = 0,
        .operands_max = 0,
    },
    {
        .id = COMMAND_RENEW,
        .name = "renew",
        .operands = "[--name NAME | --arn ARN] [MANIFEST]",
        .summary = "Renew one certificate now, or those that are due",
        .description = "With --name or --arn, renews that certificate whether it is due or not;\n"
                       "without, does what \"run\" does. The manifest is the one of \"enroll\"\n"
                       "(STATE/enrolled.yaml) when none is named.\n",
        .examples = "  certmill renew\n"
                    "  certmill renew --arn arn:aws:acm:us-east-1:123456789012:certificate/...\n"
                    "  certmill renew --name www fleet.yaml\n",
        .operands_min = 0,
        .operands_max = 1,
    },
    {
        .id = COMMAND_REVOKE,
        .name = "revoke",
        .operands = "--name NAME | --arn ARN  [MANIFEST]",
        .summary = "Have the CA revoke a certificate",
        .description =
            "Asks the CA to revoke the live certificate, with the account that ordered it,\n"
            "and notes that it is due: the next run replaces it. The files stay, and what\n"
            "is in ACM stays until then. The manifest is the one of \"enroll\"\n"
            "(STATE/enrolled.yaml) when none is named.\n",
        .examples = "  certmill revoke --name www --reason keyCompromise fleet.yaml\n"
                    "  certmill revoke --arn arn:aws:acm:us-east-1:123456789012:certificate/...\n",
        .operands_min = 0,
        .operands_max = 1,
    },
    {
        .id = COMMAND_ADOPT,
        .name = "adopt",
        .operands = "[MANIFEST]",
        .summary = "Link certificates that are in ACM already",
        .description =
            "Looks for each certificate of the manifest in the accounts and regions of its\n"
            "ACM targets, by its names, and notes the ARN: the next run imports there\n"
            "instead of making a new one. Of several with the same names the one that is\n"
            "in use is taken; where that does not decide, the manifest has to (arn:).\n"
            "Changes nothing in AWS. The manifest is the one of \"enroll\"\n"
            "(STATE/enrolled.yaml) when none is named.\n",
        .examples = "  certmill adopt fleet.yaml\n"
                    "  certmill adopt fleet.yaml --only 'shop-*' --json\n",
        .operands_min = 0,
        .operands_max = 1,
    },
    {
        .id = COMMAND_AWS,
        .name = "aws",
        .operands = "whoami|policy [MANIFEST]",
        .summary = "Check AWS profiles, or print the IAM policy they need",
        .description =
            "\"whoami\" asks AWS who a profile is (STS GetCallerIdentity), and says what is\n"
            "wrong when it does not work. Profiles and credentials are those of the AWS\n"
            "CLI: the environment, ~/.aws/config and ~/.aws/credentials.\n"
            "\n"
            "\"policy\" prints the least that an IAM policy must allow, as JSON: for the\n"
            "calls that the manifest leads to (with --profile, those by that profile), or\n"
            "for all that certmill can do. It sends nothing.\n",
        .examples = "  certmill aws whoami\n"
                    "  certmill aws whoami --all --json | jq -r '.[] | select(.works | not)'\n"
                    "  certmill aws policy fleet.yaml |\n"
                    "      aws iam create-policy --policy-name certmill \\\n"
                    "          --policy-document file:///dev/stdin\n",
        .operands_min = 1,
        .operands_max = 2,
        .operand_missing = "an action (whoami or policy) is needed",
    },
};

static const struct option_spec specs[] = {
    {OPTION_ACCOUNTS, 'a', "accounts", "FILE", ALL,
     "the ACME accounts file, or s3://BUCKET/KEY, in place\n"
     "of the one that the manifest names"},
    {OPTION_STATE, 's', "state", "DIR", ADOPT | RUNS | REVOKE | PLAN | LIST | STATUS | ACCOUNTS,
     "the state folder, in place of the one that the\n"
     "manifest names (default: " OPTIONS_STATE_DEFAULT ")"},
    {OPTION_MANIFEST, 'm', "manifest", "FILE", STATUS, "the manifest, in place of the operand"},
    {OPTION_CA_FILE, 0, "ca-file", "PEM", RUNS | REVOKE | ACCOUNTS,
     "trust these CA certificates for HTTPS to the ACME\n"
     "servers, in place of the system's"},
    {OPTION_ONLY, 'o', "only", "GLOB", ADOPT | RUN | PLAN | LIST,
     "only certificates whose name matches the pattern"},
    {OPTION_FORCE, 'f', "force", NULL, RUN | PLAN, "treat every selected certificate as due"},
    {OPTION_EVENTS, 0, "events", "FILE", RUNS,
     "append what happens to FILE as JSON lines; \"-\" is\n"
     "standard output"},
    {OPTION_PROGRESS, 0, "progress", "WHEN", RUNS,
     "auto: a progress line on a terminal, else a line every\n"
     "10 seconds (default); always: the progress line\n"
     "everywhere; never: none"},
    {OPTION_JSON, 'j', "json", NULL, ADOPT | RUNS | PLAN | LIST | STATUS | ACCOUNTS | AWS,
     "print JSON on standard output in place of text"},
    {OPTION_QUIET, 'q', "quiet", NULL, RUNS, "print only warnings and failures"},
    {OPTION_IN_FLIGHT, 0, "in-flight", "N", RUN,
     "orders at one CA at the same time, in place of the\n"
     "manifest's limit (1 to 100000)"},
    {OPTION_REQUESTS_PER_SECOND, 0, "requests-per-second", "X", RUN,
     "requests to one CA, in place of the manifest's limit;\n"
     "0 is no limit"},
    {OPTION_ACCOUNT_KEY, 0, "account-key", "ALGORITHM", RUNS | REVOKE | ACCOUNTS,
     "key of accounts that have none yet: ES256 (default),\n"
     "ES384 or RS256"},
    {OPTION_IO, 0, "io", "MODE", RUNS,
     "how files are written: ring (io_uring), sync (plain\n"
     "system calls), auto (ring where it works; default)"},
    {OPTION_WORKERS, 0, "workers", "N", RUNS,
     "network threads, 1 to 64 (default: one a core, at\n"
     "most 4)"},
    {OPTION_CRYPTO_THREADS, 0, "crypto-threads", "N", RUNS,
     "threads that make keys, 1 to 1024 (default: one a\n"
     "core)"},
    {OPTION_CRYPTO, 0, "crypto", "WAY", RUNS | REVOKE | ACCOUNTS,
     "who makes keys: ifma, portable (certmill's search for\n"
     "RSA primes with AVX-512 IFMA or without), openssl, or\n"
     "auto (ifma where the processor has it, else portable;\n"
     "default)"},
    {OPTION_PROVIDER, 0, "provider", "NAME", RUNS | REVOKE | ACCOUNTS,
     "load this OpenSSL provider and make keys by it; may be\n"
     "given again"},
    {OPTION_PROPERTY_QUERY, 0, "property-query", "QUERY", RUNS | REVOKE | ACCOUNTS,
     "which implementations OpenSSL shall choose, such as\n"
     "fips=yes"},
    {OPTION_OPENSSL_CONFIG, 0, "openssl-config", "FILE", RUNS | REVOKE | ACCOUNTS,
     "load this OpenSSL configuration"},
    {OPTION_ACCOUNT, 0, "account", "ALIAS", ENROLL | LIST, "an account of the accounts file"},
    {OPTION_DOMAINS, 'd', "domains", "NAMES", ENROLL,
     "domain names and IP addresses, separated by commas"},
    {OPTION_NAME, 'n', "name", "NAME", ENROLL | RENEW | REVOKE,
     "the certificate's name (enroll: the first domain's by\n"
     "default)"},
    {OPTION_ARN, 0, "arn", "ARN", ENROLL | RENEW | REVOKE,
     "a certificate in ACM; enroll: the one to import into"},
    {OPTION_PROFILE, 0, "profile", "PROFILE", ALL,
     "the AWS profile for an accounts file on S3 (enroll:\n"
     "and for ACM), in place of AWS_PROFILE and the default\n"
     "one"},
    {OPTION_REGION, 0, "region", "REGION", ALL & ~AWS,
     "the AWS region there, in place of the profile's"},
    {OPTION_NO_IMPORT, 0, "no-import", NULL, ENROLL, "do not import into ACM"},
    {OPTION_CHALLENGE, 0, "challenge", "TYPE", ENROLL,
     "none (the domains are validated already; default),\n"
     "http-01, dns-01 or tls-alpn-01"},
    {OPTION_KEY, 0, "key", "KEY", ENROLL,
     "RSA-2048, RSA-3072, RSA-4096, P-256, P-384 or P-521\n"
     "(default: the account's)"},
    {OPTION_REASON, 0, "reason", "REASON", REVOKE,
     "unspecified, keyCompromise, affiliationChanged,\n"
     "superseded or cessationOfOperation"},
    {OPTION_ALL, 0, "all", NULL, AWS, "whoami: every profile of AWS's files"},
    {OPTION_HELP, 'h', "help", NULL, ALL, "print this text"},
};

const struct command *options_commands(size_t *ret_count)
{
    *ret_count = sizeof commands / sizeof commands[0];
    return commands;
}

const struct option_spec *options_specs(size_t *ret_count)
{
    *ret_count = sizeof specs / sizeof specs[0];
    return specs;
}

bool option_applies(const struct option_spec *spec, const struct command *command)
{
    return (spec->commands & (1U << command->id)) != 0;
}
