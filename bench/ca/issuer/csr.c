#include "csr_internal.h"
#include "internal.h"

#include "der.h"
#include "signed_der.h"

#include <string.h>

bool csr_refuse(struct error *error, const char *why)
{
    return error_set(error, ERROR_PROTOCOL, "the certificate request %s", why);
}

static bool damaged(struct error *error, const char *where)
{
    return error_set(error, ERROR_PROTOCOL, "the certificate request is damaged: %s", where);
}

struct csr_parts {
    struct span info;       /* CertificationRequestInfo, whole: what is signed */
    struct span subject;    /* content */
    struct span public_key; /* whole */
    struct span attributes; /* content */
    struct span algorithm;  /* whole */
    struct span signature;
};

/* CertificationRequestInfo ::= SEQUENCE { version, subject, subjectPKInfo, [0] attributes } */
static bool info_walk(struct span info, struct csr_parts *parts, struct error *error)
{
    struct span version;
    struct span content;
    if (!der_take(&info, DER_SEQUENCE, &content) || !der_take(&content, DER_INTEGER, &version))
        return damaged(error, "its version");
    if (version.len != 1 || version.data[0] != 0)
        return csr_refuse(error, "is not of version 1");
    if (!der_take(&content, DER_SEQUENCE, &parts->subject))
        return damaged(error, "its subject");
    if (!der_take_whole(&content, DER_SEQUENCE, &parts->public_key))
        return damaged(error, "its public key");
    /* Some leave the attributes out when there are none. */
    if (content.len != 0 && !der_take(&content, DER_CONTEXT_CONSTRUCTED(0), &parts->attributes))
        return damaged(error, "its attributes");
    return content.len == 0 || damaged(error, "bytes behind its attributes");
}

/* CertificationRequest ::= SEQUENCE { info, signatureAlgorithm, signature BIT STRING } */
static bool csr_walk(struct span der, struct csr_parts *parts, struct error *error)
{
    struct span content;
    struct span bits;
    if (!der_take(&der, DER_SEQUENCE, &content))
        return csr_refuse(error, "is not a DER structure");
    if (der.len != 0)
        return damaged(error, "bytes behind its end");
    if (!der_take_whole(&content, DER_SEQUENCE, &parts->info))
        return damaged(error, "its contents");
    if (!der_take_whole(&content, DER_SEQUENCE, &parts->algorithm) ||
        !der_take(&content, DER_BIT_STRING, &bits) || bits.len < 2 || bits.data[0] != 0 ||
        content.len != 0)
        return damaged(error, "its signature");
    parts->signature = span_from(bits, 1);
    return info_walk(parts->info, parts, error);
}

static bool signature_check(struct issuer *issuer, const struct csr_parts *parts,
                            const struct public_numbers *numbers, struct error *error)
{
    const struct signature_algorithm *algorithm = signature_algorithm_find(parts->algorithm);
    if (algorithm == NULL ||
        strcmp(algorithm->key_type, numbers->spec.type == KEY_RSA ? "RSA" : "EC") != 0)
        return csr_refuse(error, "is signed by an algorithm that is not accepted: RSA (PKCS#1) or "
                                 "ECDSA with SHA-256, SHA-384 or SHA-512 is");
    struct tools *tools = tools_take(&issuer->shop);
    if (tools == NULL)
        return error_set(error, ERROR_MEMORY, "no memory to check a certificate request");
    enum verdict verdict = tools_verify(&issuer->shop, tools, numbers, algorithm->digest,
                                        parts->info, parts->signature);
    tools_give(&issuer->shop, tools);
    if (verdict == VERDICT_BAD_KEY)
        return csr_refuse(error, "has a public key that is none");
    return verdict == VERDICT_GOOD || csr_refuse(error, "has a signature that is not its key's");
}

bool csr_read(struct issuer *issuer, struct span der, struct csr_facts *ret_facts,
              struct error *error)
{
    struct csr_parts parts = {0};
    struct public_numbers numbers = {0};
    struct csr_facts facts = {0};
    TRY(csr_walk(der, &parts, error));
    TRY(csr_key_read(parts.public_key, &numbers, error));
    facts.public_key = parts.public_key;
    facts.key = numbers.spec;
    TRY(csr_attributes_read(parts.attributes, &facts, error));
    TRY(csr_subject_read(parts.subject, &facts, error));
    if (facts.name_count == 0)
        return csr_refuse(error, "names nothing");
    TRY(signature_check(issuer, &parts, &numbers, error));
    *ret_facts = facts;
    return true;
}
