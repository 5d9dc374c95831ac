/* The files of one certificate as ACM takes them, and what ACM would refuse, found before anything
 * is sent (docs.aws.amazon.com/acm, "Prerequisites for ACM SSL/TLS certificates"). */
#ifndef CERTMILL_DEPLOY_ACM_FILES_H
#define CERTMILL_DEPLOY_ACM_FILES_H

#include "aws/acm.h"
#include "config/manifest.h"

struct acm_files {
    struct buf certificate, chain; /* PEM */
    struct buf key;                /* PEM; secret; empty unless asked for */
    struct buf der;                /* the leaf's */
    struct certificate_info info;  /* points into `der` */
    uint64_t digest;               /* XXH3 of leaf and chain; never 0 */
};

/* Reads archive/NAME/SEQUENCE of the state folder. Free with acm_files_free, which wipes the key.
 */
bool acm_files_read(const char *state_folder, const char *name, unsigned sequence, bool with_key,
                    struct acm_files *ret_files, struct error *error) MUST_USE;
void acm_files_free(struct acm_files *files);

/* Key, sizes, names, chain, dates: for files with their key. The error says what to do. */
bool acm_files_check(const struct crypto_context *context, const struct acm_files *files,
                     const struct manifest_entry *entry, int64_t now, struct error *error) MUST_USE;

/* May the files take the place of what the ARN holds? It must be an imported certificate; while
 * others use it, ACM wants the same key algorithm and no key usage less, and CloudFront takes no
 * P-384 and P-521. */
bool acm_files_fit(const struct crypto_context *context, const struct acm_files *files,
                   const struct acm_detail *held, struct error *error) MUST_USE;

/* Names that the ARN serves now and the files do not have, comma-separated and cut to `size` bytes:
 * false when there is none. */
bool acm_files_lose_names(const struct acm_files *files, const struct acm_detail *held, char *text,
                          size_t size);
/* CloudFront reads certificates of us-east-1 alone and would not take this one. */
bool acm_files_unfit_for_cloudfront(const struct acm_files *files, const char *region);

#endif
