/* The command line of certmill-ca, and its configuration file, which has the same names. */
#ifndef CERTMILL_CA_PROGRAM_OPTIONS_H
#define CERTMILL_CA_PROGRAM_OPTIONS_H

#include "base/arena.h"
#include "base/json.h"
#include "ca/acme.h"

#include <stdio.h>

#define PROGRAM_PROFILES_MAX 16
#define PROGRAM_REFUSED_MAX  64

struct program_options {
    const char *listen, *control;
    const char *name; /* in URLs and in the certificate; NULL: localhost */
    const char *root_file;
    const char *dns, *resolve_all_to;
    const char *crl_url_base;      /* NULL: certificates point to nothing */
    json_t *weather;               /* NULL: calm */
    struct acme_eab_key *eab_keys; /* grown by realloc; texts in the arena */
    size_t eab_count;
    struct acme_profile profiles[PROGRAM_PROFILES_MAX];
    size_t profile_count;
    const char *refused[PROGRAM_REFUSED_MAX + 1];
    size_t refused_count;
    struct arena arena;
    uint64_t seed;
    struct key_spec key;
    unsigned threads;
    unsigned http_port, tls_port; /* 0: the protocol's own */
    unsigned intermediates;
    unsigned lifetime_days; /* 0: the protocol's own */
    unsigned names_max;
    int ready_fd; /* -1: standard output */
    bool help;
    bool has_seed;
    bool prevalidated, always_valid;
    bool eab_once;
    bool chain_with_root;
    bool reuse_authorizations, orders_list;
    const char *terms; /* NULL: none to agree to */
    bool no_tls, http1_only;
};

/* The caller frees what it gets. The error is for the operator: exit code 2. */
bool program_options_read(int argc, char **argv, struct program_options *ret_options,
                          struct error *error) MUST_USE;
void program_options_free(struct program_options *options);
void program_options_help(FILE *out);

#endif
