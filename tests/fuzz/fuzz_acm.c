/* engine/aws/acm: every reply of ACM. Each body is read as each kind of reply. */
#include "fuzz.h"

#include "aws/acm.h"

#include <string.h>

void fuzz_prepare(void)
{
}

static void arn_is_sound(const char *arn)
{
    struct acm_arn parts;
    REQUIRE(acm_arn_parse(span_of(arn), &parts, NULL));
}

static void summary_is_sound(const struct acm_summary *summary)
{
    arn_is_sound(summary->arn);
    fuzz_require_line(summary->domain);
    fuzz_require_line(summary->type);
    fuzz_require_line(summary->status);
    fuzz_require_line(summary->key_algorithm);
    for (size_t i = 0; i < summary->name_count; i++)
        fuzz_require_line(summary->names[i]);
    REQUIRE(summary->not_after >= 0 && summary->imported_at >= 0);
    (void)acm_names_digest(summary->names, summary->name_count);
}

static void read_import(struct span body)
{
    char arn[ACM_ARN_MAX + 1];
    struct error error = {0};
    if (acm_import_read(body, arn, &error))
        arn_is_sound(arn);
    else
        fuzz_require_error(&error);
}

static void read_list(struct span body, struct arena *arena)
{
    struct acm_summary *list = NULL;
    size_t count = 0;
    const char *next = NULL;
    struct error error = {0};
    if (!acm_list_read(body, arena, &list, &count, &next, &error)) {
        fuzz_require_error(&error);
        return;
    }
    for (size_t i = 0; i < count; i++)
        summary_is_sound(&list[i]);
    REQUIRE(next == NULL || next[0] != '\0');
}

static void read_description(struct span body, struct arena *arena)
{
    struct acm_detail detail;
    struct error error = {0};
    if (!acm_describe_read(body, arena, &detail, &error)) {
        fuzz_require_error(&error);
        return;
    }
    summary_is_sound(&detail.summary);
    REQUIRE(strspn(detail.serial, "0123456789abcdef") == strlen(detail.serial));
    for (size_t i = 0; i < detail.in_use_count; i++)
        fuzz_require_line(detail.in_use_by[i]);
}

static void read_tags(struct span body, struct arena *arena)
{
    struct acm_tag *tags = NULL;
    size_t count = 0;
    struct error error = {0};
    if (!acm_tags_read(body, arena, &tags, &count, &error))
        fuzz_require_error(&error);
    for (size_t i = 0; i < count; i++)
        REQUIRE(tags[i].key != NULL && tags[i].value != NULL);
}

void fuzz_input(struct span input)
{
    struct arena arena;
    arena_init(&arena);
    read_import(input);
    read_list(input, &arena);
    read_description(input, &arena);
    read_tags(input, &arena);
    arena_free(&arena);
}
