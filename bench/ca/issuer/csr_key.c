#include "csr_internal.h"

#include "der.h"
#include "key_der.h"

#define RSA_BITS_LEAST 2048
#define RSA_BITS_MOST  4096
#define EXPONENT_MAX   8 /* bytes; a longer one only makes signatures dear to check */
#define EXPONENT_LEAST 65537

#define OID_EC  SPAN_LITERAL("\x2a\x86\x48\xce\x3d\x02\x01")
#define OID_RSA SPAN_LITERAL("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01")

/* A positive INTEGER in its shortest form, without its leading zero. */
static bool number_take(struct span *rest, struct span *ret_number)
{
    struct span number;
    TRY(der_take(rest, DER_INTEGER, &number) && number.len > 0);
    unsigned char first = (unsigned char)number.data[0];
    TRY(first < 0x80);
    if (first == 0) {
        TRY(number.len > 1 && ((unsigned char)number.data[1] & 0x80) != 0);
        number = span_from(number, 1);
    }
    *ret_number = number;
    return true;
}

static bool is_odd(struct span number)
{
    return (number.data[number.len - 1] & 1) != 0;
}

static uint64_t number_small(struct span number)
{
    uint64_t value = 0;
    for (size_t i = 0; i < number.len; i++)
        value = value << 8 | (unsigned char)number.data[i];
    return value;
}

static bool rsa_read(struct span parameters, struct span bits, struct public_numbers *numbers,
                     struct error *error)
{
    struct span pair;
    if (!der_skip(&parameters, DER_NULL) || parameters.len != 0 ||
        !der_take(&bits, DER_SEQUENCE, &pair) || bits.len != 0 ||
        !number_take(&pair, &numbers->modulus) || !number_take(&pair, &numbers->exponent) ||
        pair.len != 0)
        return csr_refuse(error, "has a damaged RSA key");
    size_t size = numbers->modulus.len * 8;
    if (size < RSA_BITS_LEAST || size > RSA_BITS_MOST ||
        ((unsigned char)numbers->modulus.data[0] & 0x80) == 0)
        return csr_refuse(error, "has an RSA key of a size that is not accepted: 2048 to 4096 bits "
                                 "are, in steps of 8");
    if (!is_odd(numbers->modulus) || !is_odd(numbers->exponent) ||
        numbers->exponent.len > EXPONENT_MAX || number_small(numbers->exponent) < EXPONENT_LEAST)
        return csr_refuse(error, "has a weak RSA key");
    numbers->spec = (struct key_spec){.type = KEY_RSA, .bits = (unsigned)size};
    return true;
}

static bool curve_read(struct span parameters, struct span bits, struct public_numbers *numbers,
                       struct error *error)
{
    static const unsigned sizes[] = {256, 384, 521};
    struct span curve;
    if (!der_take(&parameters, DER_OID, &curve) || parameters.len != 0)
        return csr_refuse(error, "has an elliptic curve key that does not name its curve");
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct key_spec spec = {.type = KEY_ECDSA, .bits = sizes[i]};
        if (!span_equal(curve, key_curve_oid(spec)))
            continue;
        if (bits.len != 1 + 2 * key_field_width(spec.bits) || bits.data[0] != 4)
            return csr_refuse(error, "has an elliptic curve key that is not a whole point");
        numbers->spec = spec;
        numbers->point = bits;
        return true;
    }
    return csr_refuse(error, "has a key on a curve that is not accepted: P-256, P-384 and P-521 "
                             "are");
}

/* SubjectPublicKeyInfo ::= SEQUENCE { SEQUENCE { algorithm, parameters }, BIT STRING } */
bool csr_key_read(struct span public_key, struct public_numbers *ret_numbers, struct error *error)
{
    struct public_numbers numbers = {0};
    struct span fields;
    struct span algorithm;
    struct span oid;
    struct span bits;
    if (!der_take(&public_key, DER_SEQUENCE, &fields) ||
        !der_take(&fields, DER_SEQUENCE, &algorithm) || !der_take(&algorithm, DER_OID, &oid) ||
        !der_take(&fields, DER_BIT_STRING, &bits) || fields.len != 0 || bits.len < 2 ||
        bits.data[0] != 0)
        return csr_refuse(error, "has a damaged public key");
    bits = span_from(bits, 1);
    if (span_equal(oid, OID_EC))
        TRY(curve_read(algorithm, bits, &numbers, error));
    else if (span_equal(oid, OID_RSA))
        TRY(rsa_read(algorithm, bits, &numbers, error));
    else
        return csr_refuse(error, "has a key of a kind that is not accepted: RSA and ECDSA are");
    *ret_numbers = numbers;
    return true;
}
