#include "provider/provider.h"

#include <openssl/bn.h>

/* All on the secure heap, and wiped with their BN_CTX. */
struct parts {
    BIGNUM *n, *d, *p, *q, *dp, *dq, *qinv, *e, *p_less_1, *q_less_1, *result;
};

static BIGNUM *part(BN_CTX *scratch, const unsigned char *bytes, size_t len)
{
    BIGNUM *number = BN_CTX_get(scratch);
    if (number == NULL || BN_bin2bn(bytes, (int)len, number) == NULL)
        return NULL;
    BN_set_flags(number, BN_FLG_CONSTTIME);
    return number;
}

static bool parts_read(const struct rsa_numbers *numbers, BN_CTX *scratch, struct parts *parts)
{
    size_t whole = numbers->bits / 8;
    size_t half = whole / 2;
    *parts = (struct parts){.n = part(scratch, numbers->n, whole),
                            .d = part(scratch, numbers->d, whole),
                            .p = part(scratch, numbers->p, half),
                            .q = part(scratch, numbers->q, half),
                            .dp = part(scratch, numbers->dp, half),
                            .dq = part(scratch, numbers->dq, half),
                            .qinv = part(scratch, numbers->qinv, half),
                            .e = BN_CTX_get(scratch),
                            .p_less_1 = part(scratch, numbers->p, half),
                            .q_less_1 = part(scratch, numbers->q, half),
                            .result = BN_CTX_get(scratch)};
    return parts->n != NULL && parts->d != NULL && parts->p != NULL && parts->q != NULL &&
           parts->dp != NULL && parts->dq != NULL && parts->qinv != NULL && parts->e != NULL &&
           parts->p_less_1 != NULL && parts->q_less_1 != NULL && parts->result != NULL &&
           BN_set_word(parts->e, RSA_EXPONENT) == 1 && BN_sub_word(parts->p_less_1, 1) == 1 &&
           BN_sub_word(parts->q_less_1, 1) == 1;
}

/* Whether a b = 1 modulo `modulus`. */
static bool are_inverse(const struct parts *parts, const BIGNUM *a, const BIGNUM *b,
                        const BIGNUM *modulus, BN_CTX *scratch)
{
    return BN_mod_mul(parts->result, a, b, modulus, scratch) == 1 && BN_is_one(parts->result);
}

static bool is_rest(const struct parts *parts, const BIGNUM *rest, const BIGNUM *modulus,
                    BN_CTX *scratch)
{
    return BN_mod(parts->result, parts->d, modulus, scratch) == 1 &&
           BN_cmp(parts->result, rest) == 0;
}

bool rsa_numbers_fit(const struct provider *provider, const struct rsa_numbers *numbers)
{
    struct parts parts;
    BN_CTX *scratch = BN_CTX_secure_new_ex(provider->library);
    if (scratch == NULL)
        return false;
    BN_CTX_start(scratch);
    bool fit = parts_read(numbers, scratch, &parts) &&
               BN_mul(parts.result, parts.p, parts.q, scratch) == 1 &&
               BN_cmp(parts.result, parts.n) == 0 &&
               are_inverse(&parts, parts.d, parts.e, parts.p_less_1, scratch) &&
               are_inverse(&parts, parts.d, parts.e, parts.q_less_1, scratch) &&
               is_rest(&parts, parts.dp, parts.p_less_1, scratch) &&
               is_rest(&parts, parts.dq, parts.q_less_1, scratch) &&
               are_inverse(&parts, parts.q, parts.qinv, parts.p, scratch);
    BN_CTX_end(scratch);
    BN_CTX_free(scratch);
    return fit;
}
