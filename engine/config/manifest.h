/* The manifest: which certificates there shall be. Read as a stream of libyaml events into compact
 * entries, so that 1,000,000 of them fit. Its form is described in the manual page, certmill(1). */
#ifndef CERTMILL_CONFIG_MANIFEST_H
#define CERTMILL_CONFIG_MANIFEST_H

#include "config/accounts.h"

#define MANIFEST_ENTRIES_MAX 2000000
#define MANIFEST_DOMAINS_MAX 100 /* names of one certificate; public CAs allow 100 to 250 */

enum challenge_type {
    CHALLENGE_NONE, /* authorizations are valid already */
    CHALLENGE_HTTP_01,
    CHALLENGE_DNS_01,
    CHALLENGE_TLS_ALPN_01,
};
const char *challenge_type_name(enum challenge_type type); /* "http-01"; "none" */

struct deploy_hook {
    const char *const *command; /* NULL-terminated */
    bool once;                  /* run once at the end of the run, not for each certificate */
    unsigned timeout_s;
    struct deploy_hook *next;
};

/* An import into AWS Certificate Manager. */
struct deploy_acm {
    const char *profile; /* NULL: AWS's default profile */
    const char *region;  /* NULL: the profile's */
    const char *arn;     /* NULL: found again by the state, else a new one */
    const struct deploy_tag *tags;
    unsigned tag_count;
    uint32_t line;
    struct deploy_acm *next;
};
struct deploy_tag {
    const char *key, *value;
};

struct manifest_entry {
    const char *name;
    const char *const *domains; /* as identifiers of the order: lower case, A-labels, no repeats */
    uint32_t domain_count;
    uint32_t account; /* index into the accounts; UINT32_MAX when no accounts were given */
    const char *account_alias;
    struct key_spec key;
    int renew_before_days;
    enum challenge_type challenge;
    uint16_t key_mode;         /* 0600 by default */
    uint16_t certificate_mode; /* 0644 by default */
    uid_t uid;                 /* (uid_t)-1: leave */
    gid_t gid;
    uint32_t line;
    const struct deploy_hook *deploy; /* NULL: none; shared between entries that inherit it */
    const struct deploy_acm *acm;     /* likewise */
    uint64_t digest; /* XXH3 of the set of names and the key type: another => reissue */
};

/* A Route 53 zone that belongs to another account than the solver's profile. */
struct route53_zone {
    const char *name;    /* lower case, without the final dot */
    const char *id;      /* NULL: looked up */
    const char *profile; /* NULL: the solver's */
    struct route53_zone *next;
};
struct manifest_route53 {
    bool given;
    const char *profile;              /* NULL: AWS's default profile */
    const struct route53_zone *zones; /* NULL: whatever the profile's account has */
    const char *resolver; /* "127.0.0.1:53", for CNAMEs of _acme-challenge; NULL: the system's */
};

struct manifest_solvers {
    const char *http_listen;         /* "0.0.0.0:80" by default */
    const char *http_webroot;        /* NULL: the embedded responder */
    const char *alpn_listen;         /* "0.0.0.0:443" by default */
    const char *dns_hook;            /* NULL: none; absolute, or beside the manifest */
    unsigned dns_propagation_s;      /* wait after a batch; 10 by default */
    unsigned dns_timeout_s;          /* for one call of the hook; 300 by default */
    struct manifest_route53 route53; /* instead of a hook */
};

struct manifest_limits {
    unsigned in_flight;         /* orders, a CA; 1000 by default */
    double requests_per_second; /* a CA; 200 by default; 0: no limit */
    unsigned order_timeout_s;   /* an order not done by then is parked for the next run; 600 */
};

struct manifest_aws {
    double imports_per_second;    /* an account and region; 1 by default */
    unsigned imports_per_year;    /* likewise, for warnings: 5000 by default */
    unsigned certificates_limit;  /* likewise: 2500 */
    bool drift;                   /* look whether ACM still holds what was imported; true */
    const char *accounts_profile; /* for an accounts file on S3; NULL: the default one */
};

struct manifest {
    struct arena arena;
    const char *file;
    const char *accounts_file; /* s3://..., or resolved against the manifest's folder; NULL when not
                                  given */
    const char *state_folder;  /* likewise */
    struct manifest_solvers solvers;
    struct manifest_limits limits;
    struct manifest_aws aws;
    bool crl;               /* look at certificates' revocation lists; true by default */
    bool has_acm;           /* any entry has an ACM target */
    enum crypto_way crypto; /* who makes keys */
    struct manifest_entry *entries;
    size_t count;
};

/* Fetches an accounts file that is not on disk, from "s3://bucket/key". `profile` is the manifest's
 * AWS profile for it, or NULL. Appends to both buffers; `text` is a secret one. */
typedef bool accounts_fetch(void *context, const char *url, const char *profile, struct buf *text,
                            struct buf *etag, struct error *error);

struct manifest_options {
    const char *file;          /* "-": standard input */
    struct span text;          /* what is in it, when it is not there yet; data NULL: read it */
    const char *accounts_file; /* --accounts; NULL: as the manifest says */
    bool without_accounts;     /* the accounts file is not read */
    accounts_fetch *fetch;     /* NULL: an accounts file on S3 is an error */
    void *fetch_context;
};

/* Reads the manifest and the accounts file that it (or the option) names, and checks one against
 * the other. All that is wrong goes to `diagnostics`; entries with errors are left out. False only
 * when a file cannot be read at all. Free both either way. */
bool manifest_read(const struct manifest_options *options, struct manifest *ret_manifest,
                   struct accounts *ret_accounts, struct diagnostics *diagnostics,
                   struct error *error) MUST_USE;
void manifest_free(struct manifest *manifest);

#endif
