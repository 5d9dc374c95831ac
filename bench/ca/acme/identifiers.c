#include "identifiers.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

enum { NAME_MAX_BYTES = 253, LABEL_MAX_BYTES = 63 };

struct span ca_name_base(const struct ca_name *name)
{
    return span_of(name->text + (name->wildcard ? 2 : 0));
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '*';
}

static bool labels_good(struct span name)
{
    struct span rest = name;
    while (rest.data != NULL) {
        struct span label = span_split(&rest, '.');
        if (label.len == 0 || label.len > LABEL_MAX_BYTES || label.data[0] == '-' ||
            label.data[label.len - 1] == '-')
            return false;
    }
    return true;
}

static bool is_address(const char *text)
{
    unsigned char bytes[16];
    return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

/* What is wrong with a host name, or NULL; Pebble's words. */
static const char *host_fault(const char *text, size_t len, bool *ret_wildcard)
{
    struct span name = span_make(text, len);
    if (len == 0)
        return "Order included DNS identifier with empty value";
    for (size_t i = 0; i < len; i++) {
        if (!is_name_char(text[i]))
            return "Order included DNS identifier with a value containing an illegal character";
    }
    if (len > NAME_MAX_BYTES)
        return "Order included DNS identifier that was longer than 253 characters";
    if (is_address(span_starts(name, "*.") ? text + 2 : text))
        return "Order included a DNS identifier with an IP address value";
    if (text[len - 1] == '.')
        return "Order included a DNS identifier with a value ending in a period";
    *ret_wildcard = span_starts(name, "*.");
    if (*ret_wildcard)
        name = span_from(name, 2);
    if (memchr(name.data, '*', name.len) != NULL)
        return "Order included DNS type identifier with illegal wildcard value";
    return labels_good(name) ? NULL : "Order included DNS identifier with a malformed label";
}

/* The canonical text of an address, so that it compares with a CSR's. */
static bool address_write(const char *text, char *out)
{
    unsigned char bytes[16];
    int family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
    return inet_pton(family, text, bytes) == 1 &&
           inet_ntop(family, bytes, out, INET6_ADDRSTRLEN) != NULL;
}

static bool name_make(struct ca_call *call, struct span type, struct span value,
                      struct ca_name *name)
{
    if (value.len > NAME_MAX_BYTES + 2 ||
        (value.len > 0 && memchr(value.data, 0, value.len) != NULL))
        return ca_refuse(call, 400, "malformed",
                         "Order included DNS identifier that was longer than 253 characters");
    size_t room = value.len < INET6_ADDRSTRLEN ? INET6_ADDRSTRLEN : value.len;
    char *text = arena_alloc(&call->arena, room + 1);
    if (text == NULL)
        return ca_refuse(call, 500, "serverInternal", "no memory");
    for (size_t i = 0; i < value.len; i++)
        text[i] = value.data[i] >= 'A' && value.data[i] <= 'Z' ? (char)(value.data[i] + 32)
                                                               : value.data[i];
    name->text = text;
    name->is_address = span_is(type, "ip");
    if (name->is_address)
        return address_write(text, text) ||
               ca_refuse(call, 400, "malformed",
                         "Order included malformed IP type identifier value: \"%s\"", text);
    if (!span_is(type, "dns"))
        return ca_refuse(call, 400, "unsupportedIdentifier",
                         "Order included unsupported type identifier: type \"%.*s\"",
                         type.len < 60 ? (int)type.len : 60, type.data);
    const char *fault = host_fault(text, value.len, &name->wildcard);
    return fault == NULL || ca_refuse(call, 400, "malformed", "%s: \"%s\"", fault, text);
}

static bool is_refused(const struct acme_options *options, const struct ca_name *name)
{
    struct span text = ca_name_base(name);
    for (const char *const *refused = options->refused_names; refused != NULL && *refused != NULL;
         refused++) {
        size_t len = strlen(*refused);
        if (span_is(text, *refused) ||
            (text.len > len && span_ends(text, *refused) && text.data[text.len - len - 1] == '.'))
            return true;
    }
    return false;
}

static void write_identifier(const struct ca_name *name, struct ca_out *out)
{
    ca_out_key(out, "identifier");
    ca_out_open(out, '{');
    ca_out_pair(out, "type", name->is_address ? "ip" : "dns");
    ca_out_pair(out, "value", name->text);
    ca_out_close(out, '}');
}

/* RFC 8555 section 6.7.1. */
static bool refuse_names(struct ca_call *call, const struct ca_names *names)
{
    static const char detail[] =
        "Order included an identifier for which issuance is forbidden by policy";
    struct ca_out out;
    ca_answer_begin(call, 400, &out);
    call->response->content_type = "application/problem+json";
    ca_problem_members(&out, "rejectedIdentifier", span_of(detail), 400);
    ca_out_key(&out, "subproblems");
    ca_out_open(&out, '[');
    for (size_t i = 0; i < names->count; i++) {
        if (!is_refused(&call->acme->options, &names->list[i]))
            continue;
        ca_out_open(&out, '{');
        ca_problem_members(&out, "rejectedIdentifier", span_of(detail), 400);
        write_identifier(&names->list[i], &out);
        ca_out_close(&out, '}');
    }
    ca_out_close(&out, ']');
    ca_answer_end(call, &out);
    return false;
}

static bool is_there(const struct ca_names *names, const struct ca_name *name)
{
    struct span text = span_of(name->text);
    for (size_t i = 0; i < names->count; i++) {
        if (names->list[i].is_address == name->is_address && span_is(text, names->list[i].text))
            return true;
    }
    return false;
}

static bool names_collect(struct ca_call *call, struct ca_json identifiers, struct ca_names *names)
{
    struct ca_json identifier;
    while (ca_json_element(&identifiers.text, &identifier)) {
        struct ca_name name = {0};
        struct span type;
        struct span value;
        if (!ca_json_string(ca_json_get(identifier, "type"), &call->arena, &type) ||
            !ca_json_string(ca_json_get(identifier, "value"), &call->arena, &value))
            return ca_refuse(call, 400, "malformed", "an identifier has no type or no value");
        TRY(name_make(call, type, value, &name));
        if (is_there(names, &name))
            continue;
        if (names->count >= call->acme->options.names_max)
            return ca_refuse(call, 400, "malformed", "Order included more than %u identifiers",
                             call->acme->options.names_max);
        names->list[names->count++] = name;
    }
    return true;
}

bool ca_names_read(struct ca_call *call, struct ca_json identifiers, struct ca_names *ret_names)
{
    struct ca_names names = {0};
    if (identifiers.kind != CA_JSON_ARRAY || identifiers.text.len == 0)
        return ca_refuse(call, 400, "malformed", "Order did not specify any identifiers");
    /* An identifier takes more than 16 bytes of JSON. */
    size_t room = identifiers.text.len / 16 + 1;
    if (room > call->acme->options.names_max)
        room = call->acme->options.names_max;
    names.list = arena_alloc(&call->arena, room * sizeof *names.list);
    if (names.list == NULL)
        return ca_refuse(call, 500, "serverInternal", "no memory");
    TRY(names_collect(call, identifiers, &names));
    if (names.count == 0)
        return ca_refuse(call, 400, "malformed", "Order did not specify any identifiers");
    for (size_t i = 0; i < names.count; i++) {
        if (is_refused(&call->acme->options, &names.list[i]))
            return refuse_names(call, &names);
    }
    *ret_names = names;
    return true;
}
