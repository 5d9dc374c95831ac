/* Requests. */
#include "aws/route53.h"

#include "aws/xml.h"

#include <ctype.h>
#include <string.h>

#define BODY_BEGIN                                                                              \
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"                                              \
    "<ChangeResourceRecordSetsRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\">" \
    "<ChangeBatch><Changes>"
#define BODY_END "</Changes></ChangeBatch></ChangeResourceRecordSetsRequest>"

#define TXT_STRING_MAX 255 /* RFC 1035 section 3.3 */

static const char *const action_names[] = {
    [ROUTE53_CREATE] = "CREATE",
    [ROUTE53_DELETE] = "DELETE",
    [ROUTE53_UPSERT] = "UPSERT",
};

void route53_batch_init(struct route53_batch *batch)
{
    *batch = (struct route53_batch){0};
    buf_init(&batch->body, ROUTE53_BODY_MAX);
}

void route53_batch_free(struct route53_batch *batch)
{
    buf_free(&batch->body);
}

void route53_change_size(enum route53_action action, const struct route53_set *set, size_t *records,
                         size_t *characters)
{
    size_t times = action == ROUTE53_UPSERT ? 2 : 1;
    *records += times * set->value_count;
    for (size_t i = 0; i < set->value_count; i++)
        *characters += times * strlen(set->values[i]);
}

bool route53_batch_has_room(const struct route53_batch *batch, size_t records, size_t characters)
{
    return batch->records + records <= ROUTE53_RECORDS_MAX &&
           batch->characters + characters <= ROUTE53_CHARACTERS_MAX;
}

static bool add_value(struct buf *body, const char *value)
{
    return buf_append_text(body, "<ResourceRecord><Value>") && xml_escape(body, span_of(value)) &&
           buf_append_text(body, "</Value></ResourceRecord>");
}

bool route53_batch_add(struct route53_batch *batch, enum route53_action action,
                       const struct route53_set *set)
{
    struct buf *body = &batch->body;
    TRY(batch->changes > 0 || buf_append_text(body, BODY_BEGIN));
    TRY(buf_printf(body, "<Change><Action>%s</Action><ResourceRecordSet><Name>",
                   action_names[action]));
    TRY(xml_escape(body, span_of(set->name)));
    TRY(buf_printf(body, ".</Name><Type>TXT</Type><TTL>%u</TTL><ResourceRecords>", set->ttl));
    for (size_t i = 0; i < set->value_count; i++)
        TRY(add_value(body, set->values[i]));
    TRY(buf_append_text(body, "</ResourceRecords></ResourceRecordSet></Change>"));
    route53_change_size(action, set, &batch->records, &batch->characters);
    batch->changes++;
    return true;
}

bool route53_batch_end(struct route53_batch *batch)
{
    return buf_append_text(&batch->body, BODY_END);
}

static bool quote_byte(struct buf *out, unsigned char byte)
{
    if (byte == '"' || byte == '\\')
        return buf_printf(out, "\\%c", byte);
    if (byte < ' ' || byte > '~')
        return buf_printf(out, "\\%03o", (unsigned)byte);
    return buf_append_char(out, (char)byte);
}

bool route53_quote(struct buf *out, struct span value)
{
    size_t at = 0;
    do {
        TRY(buf_append_text(out, at > 0 ? " \"" : "\""));
        for (size_t in_string = 0; in_string < TXT_STRING_MAX && at < value.len; in_string++)
            TRY(quote_byte(out, (unsigned char)value.data[at++]));
        TRY(buf_append_char(out, '"'));
    } while (at < value.len);
    return true;
}

void route53_name_reverse(const char *name, char *reversed)
{
    size_t end = strlen(name);
    size_t used = 0;
    while (end > 0) {
        size_t begin = end;
        while (begin > 0 && name[begin - 1] != '.')
            begin--;
        memcpy(reversed + used, name + begin, end - begin);
        used += end - begin;
        reversed[used++] = '.';
        end = begin > 0 ? begin - 1 : 0;
    }
    reversed[used] = '\0';
}

static bool is_octal(char c)
{
    return c >= '0' && c <= '7';
}

bool route53_name_read(struct span text, char name[ROUTE53_NAME_MAX])
{
    char read[ROUTE53_NAME_MAX];
    size_t used = 0;
    if (text.len > 0 && text.data[text.len - 1] == '.')
        text.len--;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '\\' && text.len - i > 3 && text.data[i + 1] <= '3' &&
            is_octal(text.data[i + 1]) && is_octal(text.data[i + 2]) &&
            is_octal(text.data[i + 3])) {
            c = (char)((text.data[i + 1] - '0') * 64 + (text.data[i + 2] - '0') * 8 +
                       (text.data[i + 3] - '0'));
            i += 3;
        }
        if (used + 1 >= sizeof read || c == '\0')
            return false;
        read[used++] = (char)tolower((unsigned char)c);
    }
    memcpy(name, read, used);
    name[used] = '\0';
    return true;
}
