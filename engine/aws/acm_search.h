/* Certificates that are already in ACM, found by their names: for adopting them. */
#ifndef CERTMILL_AWS_ACM_SEARCH_H
#define CERTMILL_AWS_ACM_SEARCH_H

#include "aws/acm.h"

/* What is looked for: certificates of just these names, in any order and case. */
struct acm_wanted {
    const char *const *names;
    size_t name_count;
};

/* Where. NULL: the default profile, the profile's region. */
struct acm_place {
    const char *profile, *region;
};

/* Valid during the callback. The detail's type may be one that cannot be imported to, and its
 * serial and use tell which of several is meant. */
struct acm_found {
    size_t wanted, place; /* their indexes */
    const struct acm_detail *detail;
};

struct acm_search {
    const struct aws_client_options *client;
    const struct acm_wanted *wanted;
    size_t wanted_count;
    const struct acm_place *places;
    size_t place_count;
    int cancel_fd; /* -1: none */
    /* Returning false ends the search, which then counts as done. */
    bool (*found)(void *context, const struct acm_found *found);
    /* A place could not be asked; the search goes on with the next. */
    void (*failed)(void *context, size_t place, const struct error *error);
    void *context;
};

/* One walk over ListCertificates a place, and DescribeCertificate for those whose names fit, or are
 * cut off in the list. Waits on the calling thread. False for lack of memory, and when it was
 * cancelled (ERROR_CANCELLED). */
bool acm_search_run(const struct acm_search *search, struct error *error) MUST_USE;

#endif
