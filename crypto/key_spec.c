#include "crypto/key.h"

bool key_spec_is_valid(struct key_spec spec)
{
    if (spec.type == KEY_RSA)
        return spec.bits == 2048 || spec.bits == 3072 || spec.bits == 4096;
    return spec.type == KEY_ECDSA && (spec.bits == 256 || spec.bits == 384 || spec.bits == 521);
}

bool key_spec_equal(struct key_spec a, struct key_spec b)
{
    return a.type == b.type && a.bits == b.bits;
}

const char *key_spec_name(struct key_spec spec)
{
    static const struct {
        struct key_spec spec;
        const char *name;
    } names[] = {
        {{KEY_RSA, 2048}, "RSA-2048"},    {{KEY_RSA, 3072}, "RSA-3072"},
        {{KEY_RSA, 4096}, "RSA-4096"},    {{KEY_ECDSA, 256}, "ECDSA-P256"},
        {{KEY_ECDSA, 384}, "ECDSA-P384"}, {{KEY_ECDSA, 521}, "ECDSA-P521"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (key_spec_equal(names[i].spec, spec))
            return names[i].name;
    return "unknown";
}
