#include "config/key_fields.h"

bool config_key_type(struct config_input *input, const struct config_field *field,
                     const struct yaml_item *item, enum key_type *ret_type)
{
    struct span text;
    TRY(config_text(input, field, item, &text));
    if (span_equal_nocase(text, SPAN_LITERAL("RSA"))) {
        *ret_type = KEY_RSA;
        return true;
    }
    if (span_equal_nocase(text, SPAN_LITERAL("ECDSA")) ||
        span_equal_nocase(text, SPAN_LITERAL("EC"))) {
        *ret_type = KEY_ECDSA;
        return true;
    }
    struct config_quote quote = config_quote(text);
    config_error(input, field, item, "%s is not allowed: use RSA or ECDSA",
                 input->secret ? "this value" : quote.text);
    return false;
}

bool config_key_bits(struct config_input *input, const struct config_field *field,
                     const struct yaml_item *item, unsigned *ret_bits)
{
    struct span text;
    TRY(config_text(input, field, item, &text));
    struct span digits = text;
    if (span_starts(text, "P-") || span_starts(text, "p-"))
        digits = span_from(text, 2);
    uint64_t bits = 0;
    if (span_to_u64(digits, UINT16_MAX, &bits)) {
        struct key_spec rsa = {.type = KEY_RSA, .bits = (unsigned)bits};
        struct key_spec ecdsa = {.type = KEY_ECDSA, .bits = (unsigned)bits};
        if (key_spec_is_valid(ecdsa) || (digits.len == text.len && key_spec_is_valid(rsa))) {
            *ret_bits = (unsigned)bits;
            return true;
        }
    }
    struct config_quote quote = config_quote(text);
    config_error(input, field, item, "%s is not allowed: use %s, or %s",
                 input->secret ? "this value" : quote.text, key_bits_allowed(KEY_RSA),
                 key_bits_allowed(KEY_ECDSA));
    return false;
}

unsigned key_bits_default(enum key_type type)
{
    return type == KEY_ECDSA ? 256 : 2048;
}

const char *key_bits_allowed(enum key_type type)
{
    return type == KEY_ECDSA ? "256, 384 or 521 for ECDSA" : "2048, 3072 or 4096 for RSA";
}
