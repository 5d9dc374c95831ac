/* Deploy targets in AWS Certificate Manager, and the manifest's `aws` settings. What ACM would
 * refuse is refused here, before a certificate is issued for it. */
#include "aws/acm.h"
#include "base/printable.h"
#include "config/manifest_reading.h"

#include <string.h>

#define PROFILE_BYTES_MAX        128
#define REGION_BYTES_MAX         32
#define TAG_KEY_CHARACTERS_MAX   128
#define TAG_VALUE_CHARACTERS_MAX 256
#define IMPORTS_PER_SECOND_MAX   1000
#define IMPORTS_PER_YEAR_MAX     100000000
#define CERTIFICATES_LIMIT_MAX   100000000

/* A target while it is read. */
struct acm_draft {
    struct manifest_reading *reading;
    struct deploy_acm *target;
    struct span arn_region; /* in the kept ARN; none without a sound one */
    struct deploy_tag tags[ACM_TAGS_MAX - 1];
    unsigned tag_count;
};

/* One text for each profile and region, however many targets name it. */
static bool text_keep(struct config_input *input, struct manifest_reading *reading,
                      struct span text, const char **ret_text)
{
    const struct name_slot *known = name_table_find(&reading->texts, text);
    if (known != NULL) {
        *ret_text = known->text;
        return true;
    }
    const char *kept = arena_text(&reading->manifest->arena, text);
    if (kept == NULL || !name_table_put(&reading->texts, kept, 0))
        return config_no_memory(input);
    *ret_text = kept;
    return true;
}

bool manifest_profile_read(struct config_input *input, const struct config_field *field,
                           const struct yaml_item *item, struct manifest_reading *reading,
                           const char **profile)
{
    struct span text;
    if (!config_text(input, field, item, &text))
        return config_skip(input, item);
    if (text.len > PROFILE_BYTES_MAX || memchr(text.data, '[', text.len) != NULL ||
        memchr(text.data, ']', text.len) != NULL) {
        config_error(input, field, item,
                     "%s is not allowed: use the name of an AWS profile, without the brackets of "
                     "its section, of at most %d bytes",
                     config_quote(text).text, PROFILE_BYTES_MAX);
        return true;
    }
    return text_keep(input, reading, text, profile);
}

/* "us-east-1", "us-gov-west-1": words of lower-case letters, then a number. */
static bool region_is_valid(struct span text)
{
    if (text.len > REGION_BYTES_MAX)
        return false;
    unsigned words = 0;
    while (text.data != NULL) {
        struct span word = span_split(&text, '-');
        bool last = text.data == NULL;
        char low = last ? '0' : 'a';
        char high = last ? '9' : 'z';
        if (word.len == 0 || (last && word.len > 2))
            return false;
        for (size_t i = 0; i < word.len; i++)
            if (word.data[i] < low || word.data[i] > high)
                return false;
        words++;
    }
    return words >= 3;
}

static bool read_profile(struct config_input *input, const struct config_field *field,
                         const struct yaml_item *item, void *target)
{
    struct acm_draft *draft = target;
    return manifest_profile_read(input, field, item, draft->reading, &draft->target->profile);
}

static bool read_region(struct config_input *input, const struct config_field *field,
                        const struct yaml_item *item, void *target)
{
    struct acm_draft *draft = target;
    struct span text;
    if (!config_text(input, field, item, &text))
        return config_skip(input, item);
    if (!region_is_valid(text)) {
        config_error(input, field, item, "%s is not allowed: use a region such as us-east-1",
                     config_quote(text).text);
        return true;
    }
    return text_keep(input, draft->reading, text, &draft->target->region);
}

static bool read_arn(struct config_input *input, const struct config_field *field,
                     const struct yaml_item *item, void *target)
{
    struct acm_draft *draft = target;
    struct acm_arn arn;
    struct error error;
    struct span text;
    if (!config_text(input, field, item, &text))
        return config_skip(input, item);
    if (!acm_arn_parse(text, &arn, &error) || !region_is_valid(arn.region)) {
        config_error(input, field, item,
                     "%s is not allowed: use the ARN of a certificate in ACM, "
                     "arn:aws:acm:REGION:ACCOUNT:certificate/ID",
                     config_quote(text).text);
        return true;
    }
    draft->target->arn = arena_text(&draft->reading->manifest->arena, text);
    if (draft->target->arn == NULL)
        return config_no_memory(input);
    draft->arn_region =
        span_make(draft->target->arn + (arn.region.data - text.data), arn.region.len);
    return true;
}

/* What tags may hold: letters, digits and blanks of any script, and _ . : / = + - @
 * (docs.aws.amazon.com, ACM API reference, Tag). Which characters beyond ASCII are letters is left
 * to ACM. *ret_characters: how many there are. */
static bool tag_text_is_valid(struct span text, size_t *ret_characters)
{
    size_t characters = 0;
    while (text.len > 0) {
        uint32_t character;
        size_t size = printable_decode(text, &character);
        if (size == 0 || !printable_is_shown(character))
            return false;
        bool alphanumeric = (character >= '0' && character <= '9') ||
                            (character >= 'A' && character <= 'Z') ||
                            (character >= 'a' && character <= 'z');
        if (character < 0x80 && !alphanumeric && strchr(" _.:/=+-@", (int)character) == NULL)
            return false;
        text = span_from(text, size);
        characters++;
    }
    *ret_characters = characters;
    return true;
}

static bool tag_key_check(struct config_input *input, const struct config_field *field,
                          const struct yaml_item *item, const struct acm_draft *draft)
{
    size_t characters = 0;
    struct config_quote quote = config_quote(item->text);
    if (!tag_text_is_valid(item->text, &characters) || characters == 0 ||
        characters > TAG_KEY_CHARACTERS_MAX) {
        config_error(input, field, item,
                     "%s is not allowed: a tag's key has 1 to %d letters, digits, blanks and "
                     "_ . : / = + - @",
                     quote.text, TAG_KEY_CHARACTERS_MAX);
        return false;
    }
    if (item->text.len >= 4 && span_equal_nocase(span_make(item->text.data, 4), span_of("aws:"))) {
        config_error(input, field, item, "%s is not allowed: AWS keeps aws: for itself",
                     quote.text);
        return false;
    }
    if (span_is(item->text, ACM_TAG_NAME)) {
        config_error(input, field, item, "%s is set by certmill itself", quote.text);
        return false;
    }
    for (unsigned i = 0; i < draft->tag_count; i++) {
        if (span_is(item->text, draft->tags[i].key)) {
            config_error(input, field, item, "%s stands here twice", quote.text);
            return false;
        }
    }
    if (draft->tag_count == sizeof draft->tags / sizeof draft->tags[0]) {
        config_error(input, field, item,
                     "more than %u tags: ACM allows %d, and certmill sets one of its own",
                     draft->tag_count, ACM_TAGS_MAX);
        return false;
    }
    return true;
}

static bool tag_value_check(struct config_input *input, const struct config_field *field,
                            const struct yaml_item *item)
{
    size_t characters = 0;
    if (item->kind != YAML_TEXT || yaml_is_null(item)) {
        config_error(input, field, item, "a tag's value is needed: \"\" for an empty one");
        return false;
    }
    if (!tag_text_is_valid(item->text, &characters) || characters > TAG_VALUE_CHARACTERS_MAX) {
        config_error(input, field, item,
                     "%s is not allowed: a tag's value has at most %d letters, digits, blanks and "
                     "_ . : / = + - @",
                     config_quote(item->text).text, TAG_VALUE_CHARACTERS_MAX);
        return false;
    }
    return true;
}

static bool tag_read(struct config_input *input, const struct config_field *field,
                     const struct yaml_item *key, struct acm_draft *draft)
{
    struct arena *arena = &draft->reading->manifest->arena;
    struct deploy_tag tag = {0};
    if (key->kind != YAML_TEXT) {
        config_error(input, field, key, "a list or mapping cannot be a tag's key");
        TRY(config_skip(input, key));
    } else if (tag_key_check(input, field, key, draft)) {
        tag.key = arena_text(arena, key->text);
        if (tag.key == NULL)
            return config_no_memory(input);
    }
    struct yaml_item value;
    TRY(config_next(input, &value));
    const struct config_field inner = {.parent = field, .name = tag.key};
    if (tag.key == NULL || !tag_value_check(input, &inner, &value))
        return config_skip(input, &value);
    tag.value = arena_text(arena, value.text);
    if (tag.value == NULL)
        return config_no_memory(input);
    draft->tags[draft->tag_count++] = tag;
    return true;
}

static bool read_tags(struct config_input *input, const struct config_field *field,
                      const struct yaml_item *item, void *target)
{
    struct acm_draft *draft = target;
    if (item->kind != YAML_MAPPING) {
        config_error(input, field, item, "a mapping of tags (key: value) is needed");
        return config_skip(input, item);
    }
    for (;;) {
        struct yaml_item key;
        TRY(config_next(input, &key));
        if (key.kind == YAML_MAPPING_END)
            break;
        TRY(tag_read(input, field, &key, draft));
    }
    size_t size = draft->tag_count * sizeof draft->tags[0];
    struct deploy_tag *tags = arena_alloc(&draft->reading->manifest->arena, size);
    if (tags == NULL)
        return config_no_memory(input);
    memcpy(tags, draft->tags, size);
    draft->target->tags = tags;
    draft->target->tag_count = draft->tag_count;
    return true;
}

static bool texts_equal(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* An ARN is one certificate whoever reaches it; without one the state tells targets apart by
 * profile and region. */
static bool targets_are_same(const struct deploy_acm *a, const struct deploy_acm *b)
{
    if (a->arn != NULL || b->arn != NULL)
        return texts_equal(a->arn, b->arn);
    return texts_equal(a->profile, b->profile) && texts_equal(a->region, b->region);
}

/* False: it does not fit together, and was reported. */
static bool target_check(struct config_input *input, const struct config_field *field,
                         const struct yaml_item *item, const struct deploy_draft *deploy,
                         const struct acm_draft *draft)
{
    const struct deploy_acm *target = draft->target;
    if (draft->arn_region.len > 0 && !span_is(draft->arn_region, target->region)) {
        config_error(input, field, item, "the ARN is of the region %.*s, not of %s",
                     SPAN_PRINTF(draft->arn_region), target->region);
        return false;
    }
    for (const struct deploy_acm *other = deploy->acm; other != NULL; other = other->next) {
        if (targets_are_same(other, target)) {
            config_error(input, field, item, "is the same target as the one on line %u",
                         (unsigned)other->line);
            return false;
        }
    }
    return true;
}

bool manifest_acm_read(struct config_input *input, const struct config_field *field,
                       const struct yaml_item *item, void *target)
{
    static const struct config_key keys[] = {
        {"profile", read_profile},
        {"region", read_region},
        {"arn", read_arn},
        {"tags", read_tags},
    };
    struct deploy_draft *deploy = target;
    struct acm_draft draft = {.reading = deploy->reading};
    size_t errors = input->diagnostics->errors;
    draft.target = arena_alloc(&deploy->reading->manifest->arena, sizeof *draft.target);
    if (draft.target == NULL)
        return config_no_memory(input);
    draft.target->line = (uint32_t)item->line;
    TRY(config_mapping(input, field, item, keys, sizeof keys / sizeof keys[0], &draft, NULL));
    if (input->diagnostics->errors != errors)
        return true;
    if (draft.target->region == NULL && draft.arn_region.len > 0)
        TRY(text_keep(input, deploy->reading, draft.arn_region, &draft.target->region));
    if (!target_check(input, field, item, deploy, &draft))
        return true;
    *deploy->acm_last = draft.target;
    deploy->acm_last = &draft.target->next;
    return true;
}

static bool read_import_rate(struct config_input *input, const struct config_field *field,
                             const struct yaml_item *item, void *target)
{
    struct manifest_aws *aws = &((struct manifest_reading *)target)->manifest->aws;
    double rate;
    if (!config_decimal(input, field, item, IMPORTS_PER_SECOND_MAX, &rate))
        return config_skip(input, item);
    if (rate <= 0)
        config_error(input, field, item, "0 is not allowed: nothing would ever be imported");
    else
        aws->imports_per_second = rate;
    return true;
}

static bool read_year_limit(struct config_input *input, const struct config_field *field,
                            const struct yaml_item *item, void *target)
{
    struct manifest_aws *aws = &((struct manifest_reading *)target)->manifest->aws;
    if (!config_number(input, field, item, 1, IMPORTS_PER_YEAR_MAX, &aws->imports_per_year))
        return config_skip(input, item);
    return true;
}

static bool read_certificates_limit(struct config_input *input, const struct config_field *field,
                                    const struct yaml_item *item, void *target)
{
    struct manifest_aws *aws = &((struct manifest_reading *)target)->manifest->aws;
    if (!config_number(input, field, item, 1, CERTIFICATES_LIMIT_MAX, &aws->certificates_limit))
        return config_skip(input, item);
    return true;
}

static bool read_drift(struct config_input *input, const struct config_field *field,
                       const struct yaml_item *item, void *target)
{
    struct manifest_aws *aws = &((struct manifest_reading *)target)->manifest->aws;
    if (!config_flag(input, field, item, &aws->drift))
        return config_skip(input, item);
    return true;
}

static bool read_accounts_profile(struct config_input *input, const struct config_field *field,
                                  const struct yaml_item *item, void *target)
{
    struct manifest_reading *reading = target;
    return manifest_profile_read(input, field, item, reading,
                                 &reading->manifest->aws.accounts_profile);
}

bool manifest_aws_read(struct config_input *input, const struct config_field *field,
                       const struct yaml_item *item, void *target)
{
    static const struct config_key keys[] = {
        {"imports-per-second", read_import_rate},        {"imports-per-year", read_year_limit},
        {"certificates-limit", read_certificates_limit}, {"drift", read_drift},
        {"accounts-profile", read_accounts_profile},
    };
    return config_mapping(input, field, item, keys, sizeof keys / sizeof keys[0], target, NULL);
}
