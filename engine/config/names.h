/* Names as the operator writes them, made into identifiers of an ACME order: domain names in lower
 * case with A-labels (IDNA 2008 over UTS #46), wildcards, IP addresses (RFC 8738); and the names of
 * certificates, which become folders. */
#ifndef CERTMILL_CONFIG_NAMES_H
#define CERTMILL_CONFIG_NAMES_H

#include "base/buf.h"

#define DOMAIN_MAX           253 /* RFC 1035 section 2.3.4, in text form without the final dot */
#define DOMAIN_LABEL_MAX     63
#define CERTIFICATE_NAME_MAX 200

enum domain_kind {
    DOMAIN_NAME,
    DOMAIN_WILDCARD, /* "*.example.com" */
    DOMAIN_ADDRESS,  /* IPv4 or IPv6 in its canonical text form */
};

struct domain {
    enum domain_kind kind;
    size_t len;
    char text[DOMAIN_MAX + 1];
};

/* A final dot is taken off. The error (ERROR_CONFIG) quotes the name and says what is wrong. */
bool domain_read(struct span text, struct domain *ret_domain, struct error *error) MUST_USE;

/* What a file name can be on every system and a command line takes for no option: letters, digits,
 * '.', '_' and '-', not first '.' or '-', at most CERTIFICATE_NAME_MAX bytes. */
bool certificate_name_check(struct span name, struct error *error) MUST_USE;

/* The name of a certificate that the manifest gives none: its first domain, as domain_read made it;
 * "*.example.com" gives "_wildcard.example.com", and an IPv6 address "ip6-" with '-' for ':'.
 * Written to `name`, of CERTIFICATE_NAME_MAX + 1 bytes; fails when the domain is too long. */
bool certificate_name_default(const char *domain, char *name, struct error *error) MUST_USE;

#endif
