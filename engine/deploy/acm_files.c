#include "deploy/acm_files.h"

#include "base/clock.h"
#include "io/file.h"

#include <openssl/x509v3.h>
#include <string.h>
#include <xxhash.h>

#define KEY_PEM_MAX         5120
#define CERTIFICATE_MAX     32768
#define CHAIN_MAX           2097152
#define FILE_MAX            ((size_t)4 * 1024 * 1024)
#define CLOUDFRONT_REGION   "us-east-1"
#define CLOCK_SKEW_S        0 /* what ACM's clock has not reached yet it refuses */
#define PEM_END_CERTIFICATE "-----END CERTIFICATE-----"

static bool one_read(const char *folder, const char *name, unsigned sequence, const char *file,
                     struct buf *out, struct error *error)
{
    struct buf path CLEANUP(buf_free);
    buf_init(&path, 4096);
    if (!buf_printf(&path, "%s/archive/%s/%u/%s", folder, name, sequence, file))
        return error_set(error, ERROR_LIMIT, "the path of %s of %s is too long", file, name);
    return file_read(buf_text(&path), out, NULL, error);
}

static bool files_read(const char *folder, const char *name, unsigned sequence, bool with_key,
                       struct acm_files *files, struct error *error)
{
    TRY(one_read(folder, name, sequence, "cert.pem", &files->certificate, error));
    TRY(one_read(folder, name, sequence, "chain.pem", &files->chain, error));
    if (with_key)
        TRY(one_read(folder, name, sequence, "privkey.pem", &files->key, error));
    return certificate_read(buf_span(&files->certificate), &files->der, &files->info, error);
}

static uint64_t digest_of(const struct acm_files *files)
{
    uint64_t leaf = XXH3_64bits(buf_text(&files->certificate), files->certificate.len);
    uint64_t digest = XXH3_64bits_withSeed(buf_text(&files->chain), files->chain.len, leaf);
    return digest != 0 ? digest : 1;
}

bool acm_files_read(const char *state_folder, const char *name, unsigned sequence, bool with_key,
                    struct acm_files *ret_files, struct error *error)
{
    struct acm_files files = {0};
    buf_init(&files.certificate, FILE_MAX);
    buf_init(&files.chain, FILE_MAX);
    buf_init_secret(&files.key, FILE_MAX);
    buf_init(&files.der, CERTIFICATE_DER_MAX);
    if (!files_read(state_folder, name, sequence, with_key, &files, error)) {
        acm_files_free(&files);
        return false;
    }
    files.digest = digest_of(&files);
    *ret_files = files;
    return true;
}

void acm_files_free(struct acm_files *files)
{
    buf_free(&files->certificate);
    buf_free(&files->chain);
    buf_free(&files->key);
    buf_free(&files->der);
    files->info.names = (struct span){0};
}

static bool sizes_check(const struct acm_files *files, struct error *error)
{
    if (files->key.len > KEY_PEM_MAX)
        return error_set(error, ERROR_CONFIG,
                         "its private key has %zu bytes of PEM, and ACM takes %d: use a smaller "
                         "key",
                         files->key.len, KEY_PEM_MAX);
    if (files->certificate.len > CERTIFICATE_MAX)
        return error_set(error, ERROR_CONFIG,
                         "it has %zu bytes of PEM, and ACM takes %d: use fewer names",
                         files->certificate.len, CERTIFICATE_MAX);
    if (files->chain.len > CHAIN_MAX)
        return error_set(error, ERROR_CONFIG, "its chain has %zu bytes of PEM, and ACM takes %d",
                         files->chain.len, CHAIN_MAX);
    return true;
}

static bool kind_check(const struct acm_files *files, struct error *error)
{
    if (!files->info.key_known)
        return error_set(error, ERROR_CONFIG,
                         "ACM does not take its kind of key: use RSA of 2048 to 4096 bits, or "
                         "ECDSA P-256, P-384 or P-521");
    if (files->info.name_count > MANIFEST_DOMAINS_MAX)
        return error_set(error, ERROR_CONFIG,
                         "it has %zu names, and ACM takes %d: split it into several",
                         files->info.name_count, MANIFEST_DOMAINS_MAX);
    return true;
}

/* The leaf itself in the chain: a mistake of some CAs' bundles, of which ACM says only that the
 * chain is not valid. */
static bool chain_is_without_leaf(const struct acm_files *files, struct error *error)
{
    struct buf der CLEANUP(buf_free);
    buf_init(&der, CERTIFICATE_DER_MAX);
    struct certificate_info info;
    const char *at = buf_text(&files->chain);
    while (certificate_read(span_of(at), &der, &info, NULL)) {
        if (span_equal(buf_span(&der), buf_span(&files->der)))
            return error_set(error, ERROR_CONFIG,
                             "chain.pem holds the certificate itself, which ACM refuses: have it "
                             "issued anew, or remove it from the file");
        at = strstr(at, PEM_END_CERTIFICATE);
        if (at == NULL)
            break;
        at += strlen(PEM_END_CERTIFICATE);
    }
    return true;
}

/* Key, names, order and signatures of the chain, dates: the check of issuance, done anew, since the
 * files have been on a disk that others may write to. */
static bool pair_check(const struct crypto_context *context, const struct acm_files *files,
                       const struct manifest_entry *entry, int64_t now, struct error *error)
{
    EVP_PKEY *key CLEANUP(key_release) = NULL;
    struct buf public_key CLEANUP(buf_free);
    struct buf full CLEANUP(buf_free);
    buf_init(&public_key, CERTIFICATE_DER_MAX);
    buf_init(&full, 2 * FILE_MAX);
    TRY(key_from_pem(context, buf_span(&files->key), &key, error));
    TRY(key_public_der(key, &public_key, error));
    if (!buf_append_span(&full, buf_span(&files->certificate)) || !buf_append_char(&full, '\n') ||
        !buf_append_span(&full, buf_span(&files->chain)))
        return error_set(error, ERROR_MEMORY, "no memory for a chain");
    struct certificate_request request = {
        .names = entry->domains,
        .count = entry->domain_count,
        .public_key = buf_span(&public_key),
        .now = now,
        .clock_skew = CLOCK_SKEW_S,
    };
    struct certificate_chain chain;
    TRY(certificate_check(context, buf_span(&full), &request, &chain, error));
    certificate_chain_free(&chain);
    return true;
}

bool acm_files_check(const struct crypto_context *context, const struct acm_files *files,
                     const struct manifest_entry *entry, int64_t now, struct error *error)
{
    return sizes_check(files, error) && kind_check(files, error) &&
           chain_is_without_leaf(files, error) && pair_check(context, files, entry, now, error);
}

/* ACM's names for key algorithms, of which it has two spellings. NULL: not one that is known. */
static const char *algorithm_of(struct key_spec spec)
{
    if (spec.type == KEY_RSA)
        return spec.bits == 2048 ? "RSA_2048" : spec.bits == 3072 ? "RSA_3072" : "RSA_4096";
    return spec.bits == 256 ? "EC_prime256v1" : spec.bits == 384 ? "EC_secp384r1" : "EC_secp521r1";
}

static bool algorithms_equal(const char *held, const char *ours)
{
    size_t i = 0;
    for (; held[i] != '\0' && ours[i] != '\0'; i++)
        if (held[i] != ours[i] && !(held[i] == '-' && ours[i] == '_'))
            return false;
    return held[i] == ours[i];
}

struct usage {
    const char *name; /* as ACM has it */
    uint32_t bit;
};

static const struct usage key_usage_names[] = {
    {"DIGITAL_SIGNATURE", KU_DIGITAL_SIGNATURE},
    {"NON_REPUDIATION", KU_NON_REPUDIATION},
    {"KEY_ENCIPHERMENT", KU_KEY_ENCIPHERMENT},
    {"DATA_ENCIPHERMENT", KU_DATA_ENCIPHERMENT},
    {"KEY_AGREEMENT", KU_KEY_AGREEMENT},
    {"CERTIFICATE_SIGNING", KU_KEY_CERT_SIGN},
    {"CRL_SIGNING", KU_CRL_SIGN},
    {"ENCIPHER_ONLY", KU_ENCIPHER_ONLY},
    {"DECIPHER_ONLY", KU_DECIPHER_ONLY},
};
static const struct usage extended_usage_names[] = {
    {"TLS_WEB_SERVER_AUTHENTICATION", XKU_SSL_SERVER},
    {"TLS_WEB_CLIENT_AUTHENTICATION", XKU_SSL_CLIENT},
    {"CODE_SIGNING", XKU_CODE_SIGN},
    {"EMAIL_PROTECTION", XKU_SMIME},
    {"TIME_STAMPING", XKU_TIMESTAMP},
    {"OCSP_SIGNING", XKU_OCSP_SIGN},
};

/* The first usage that is held and not in `bits`; NULL: none. An absent extension allows all. Names
 * that are not in the table are left to ACM. */
static const char *usage_lost(const struct usage *known, size_t known_count,
                              const char *const *held, size_t count, uint32_t bits)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < known_count; k++)
            if (strcmp(held[i], known[k].name) == 0 && (bits & known[k].bit) == 0)
                return held[i];
    return NULL;
}

static bool usages_check(const struct crypto_context *context, const struct acm_files *files,
                         const struct acm_detail *held, struct error *error)
{
    struct certificate_usages usages;
    TRY(certificate_usages(context, buf_span(&files->der), &usages, error));
    const char *lost =
        usage_lost(key_usage_names, sizeof key_usage_names / sizeof key_usage_names[0],
                   held->key_usages, held->key_usage_count, usages.key_usage);
    if (lost == NULL)
        lost = usage_lost(
            extended_usage_names, sizeof extended_usage_names / sizeof extended_usage_names[0],
            held->extended_key_usages, held->extended_key_usage_count, usages.extended_key_usage);
    if (lost != NULL)
        return error_set(error, ERROR_CONFIG,
                         "%s holds a certificate with the key usage %s, which the new one lacks, "
                         "and ACM takes none that lacks one: have it issued with that usage (by a "
                         "profile of the CA that gives it), or import it as a new certificate and "
                         "point to that what uses this one",
                         held->summary.arn, lost);
    return true;
}

static const char *cloudfront_of(const struct acm_detail *held)
{
    for (size_t i = 0; i < held->in_use_count; i++)
        if (strstr(held->in_use_by[i], ":cloudfront:") != NULL)
            return held->in_use_by[i];
    return NULL;
}

static bool is_large_curve(const struct acm_files *files)
{
    return files->info.key_known && files->info.key.type == KEY_ECDSA &&
           files->info.key.bits != 256;
}

bool acm_files_fit(const struct crypto_context *context, const struct acm_files *files,
                   const struct acm_detail *held, struct error *error)
{
    const struct acm_summary *summary = &held->summary;
    if (summary->type[0] != '\0' && strcmp(summary->type, "IMPORTED") != 0)
        return error_set(error, ERROR_CONFIG,
                         "%s is a certificate of the type %s: only one that was imported can be "
                         "imported anew. Remove `arn`, so that a new one is made, and point to "
                         "that what uses this one",
                         summary->arn, summary->type);
    if (held->in_use_count == 0)
        return true;
    const char *distribution = cloudfront_of(held);
    if (distribution != NULL && is_large_curve(files))
        return error_set(error, ERROR_CONFIG,
                         "%s is used by %s, and CloudFront does not take %s keys: set `key` to "
                         "ECDSA 256 or RSA 2048",
                         summary->arn, distribution, key_spec_name(files->info.key));
    const char *algorithm = algorithm_of(files->info.key);
    if (summary->key_algorithm[0] != '\0' && files->info.key_known &&
        !algorithms_equal(summary->key_algorithm, algorithm))
        return error_set(error, ERROR_CONFIG,
                         "%s holds a key of the kind %s, the new certificate has %s, and ACM does "
                         "not change the kind while %s uses it: set `key` to the same kind, or "
                         "import it as a new certificate",
                         summary->arn, summary->key_algorithm, algorithm, held->in_use_by[0]);
    return usages_check(context, files, held, error);
}

static bool has_name(const struct acm_files *files, const char *name)
{
    char text[CERTIFICATE_NAME_TEXT];
    struct span rest = files->info.names;
    while (certificate_name_next(&rest, text))
        if (span_equal_nocase(span_of(text), span_of(name)))
            return true;
    return false;
}

bool acm_files_lose_names(const struct acm_files *files, const struct acm_detail *held, char *text,
                          size_t size)
{
    size_t len = 0;
    text[0] = '\0';
    for (size_t i = 0; i < held->summary.name_count; i++) {
        const char *name = held->summary.names[i];
        if (has_name(files, name))
            continue;
        int more = snprintf(text + len, size - len, "%s%s", len > 0 ? ", " : "", name);
        if (more < 0 || (size_t)more >= size - len) {
            if (size > 4)
                memcpy(text + size - 4, "...", 4);
            return true;
        }
        len += (size_t)more;
    }
    return len > 0;
}

bool acm_files_unfit_for_cloudfront(const struct acm_files *files, const char *region)
{
    return strcmp(region, CLOUDFRONT_REGION) == 0 && is_large_curve(files);
}
