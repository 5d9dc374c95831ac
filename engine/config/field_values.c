/* Single values of configuration fields. */
#include "config/fields.h"

#include <string.h>

bool config_text(struct config_input *input, const struct config_field *field,
                 const struct yaml_item *item, struct span *ret_text)
{
    if (item->kind != YAML_TEXT) {
        config_error(input, field, item, "is a %s, but a single value is needed",
                     item->kind == YAML_LIST ? "list" : "mapping");
        return false;
    }
    struct span text = span_trim(item->text);
    if (text.len == 0 || yaml_is_null(item)) {
        config_error(input, field, item, "has no value: fill it in or remove the key");
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.data[i] >= 0x20 && text.data[i] != 0x7f)
            continue;
        config_error(input, field, item, "holds a line end or control character");
        return false;
    }
    *ret_text = text;
    return true;
}

/* "2048 is", or, in a file of secrets, "this is". */
static const char *shown(const struct config_input *input, const struct config_quote *quote)
{
    return input->secret ? "this value" : quote->text;
}

bool config_number(struct config_input *input, const struct config_field *field,
                   const struct yaml_item *item, unsigned min, unsigned max, unsigned *ret_number)
{
    struct span text;
    TRY(config_text(input, field, item, &text));
    uint64_t number;
    if (!span_to_u64(text, max, &number) || number < min) {
        struct config_quote quote = config_quote(text);
        config_error(input, field, item, "%s is not allowed: use a whole number from %u to %u",
                     shown(input, &quote), min, max);
        return false;
    }
    *ret_number = (unsigned)number;
    return true;
}

bool config_decimal(struct config_input *input, const struct config_field *field,
                    const struct yaml_item *item, double max, double *ret_number)
{
    struct span text, rest;
    TRY(config_text(input, field, item, &text));
    rest = text;
    /* strtod would read it by the locale's rules. */
    struct span whole = span_split(&rest, '.');
    uint64_t units = 0, thousandths = 0;
    bool is_number = span_to_u64(whole, UINT32_MAX, &units);
    if (is_number && rest.data != NULL) {
        is_number = rest.len <= 3 && span_to_u64(rest, 999, &thousandths);
        for (size_t i = rest.len; i < 3; i++)
            thousandths *= 10;
    }
    double number = (double)units + (double)thousandths / 1000;
    if (!is_number || number > max) {
        struct config_quote quote = config_quote(text);
        config_error(input, field, item,
                     "%s is not allowed: use a number from 0 to %.0f with at most 3 decimals",
                     shown(input, &quote), max);
        return false;
    }
    *ret_number = number;
    return true;
}

bool config_flag(struct config_input *input, const struct config_field *field,
                 const struct yaml_item *item, bool *ret_flag)
{
    static const struct {
        const char *word;
        bool flag;
    } words[] = {
        {"true", true}, {"false", false}, {"yes", true},
        {"no", false},  {"on", true},     {"off", false},
    };
    struct span text;
    TRY(config_text(input, field, item, &text));
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (span_equal_nocase(text, span_of(words[i].word))) {
            *ret_flag = words[i].flag;
            return true;
        }
    }
    struct config_quote quote = config_quote(text);
    config_error(input, field, item, "%s is not allowed: use true or false", shown(input, &quote));
    return false;
}
