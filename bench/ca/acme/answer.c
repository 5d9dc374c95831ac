/* What all answers are made of. */
#include "call.h"

#include "base/printable.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void ca_problem_members(struct ca_out *out, const char *type, struct span detail, int status)
{
    char shown[ERROR_TEXT_MAX];
    (void)printable_copy(detail, shown, sizeof shown);
    ca_out_key(out, "type");
    ca_out_printf(out, "urn:ietf:params:acme:error:%s", type);
    ca_out_pair(out, "detail", shown);
    ca_out_key(out, "status");
    ca_out_number(out, status);
}

PRINTF_LIKE(4, 0)
static void problem_write(struct ca_response *response, int status, const char *type,
                          const char *format, va_list arguments)
{
    char detail[2 * ERROR_TEXT_MAX];
    struct ca_out out;
    int len = vsnprintf(detail, sizeof detail, format, arguments);
    response->status = status;
    response->content_type = "application/problem+json";
    buf_clear(&response->body);
    ca_out_init(&out, &response->body);
    ca_out_open(&out, '{');
    ca_problem_members(&out, type, len < 0 ? span_of("") : span_of(detail), status);
    ca_out_close(&out, '}');
}

void acme_problem(struct ca_response *response, int status, const char *type, const char *format,
                  ...)
{
    va_list arguments;
    va_start(arguments, format);
    problem_write(response, status, type, format, arguments);
    va_end(arguments);
}

bool ca_refuse(struct ca_call *call, int status, const char *type, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    problem_write(call->response, status, type, format, arguments);
    va_end(arguments);
    return false;
}

void ca_answer_begin(struct ca_call *call, int status, struct ca_out *out)
{
    call->response->status = status;
    call->response->content_type = "application/json";
    buf_clear(&call->response->body);
    ca_out_init(out, &call->response->body);
    ca_out_open(out, '{');
}

void ca_answer_end(struct ca_call *call, struct ca_out *out)
{
    ca_out_close(out, '}');
    if (out->failed)
        (void)ca_refuse(call, 500, "serverInternal", "no memory");
}

void ca_link(struct ca_call *call, const char *relation, const char *format, ...)
{
    char path[128];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(path, sizeof path, format, arguments);
    va_end(arguments);
    ca_header_add(call->response, "link", "<%s%s>;rel=\"%s\"", call->base, path, relation);
}

uint64_t ca_path_number(const struct ca_call *call, const char *prefix, struct span *ret_rest)
{
    struct span path = call->request->path;
    uint64_t number = 0;
    size_t digits = 0;
    if (!span_starts(path, prefix))
        return 0;
    path = span_from(path, strlen(prefix));
    while (digits < path.len && path.data[digits] >= '0' && path.data[digits] <= '9')
        digits++;
    *ret_rest = span_from(path, digits);
    if (!span_to_u64(span_make(path.data, digits), UINT32_MAX, &number))
        return 0;
    if (ret_rest->len > 0 && ret_rest->data[0] != '/' && ret_rest->data[0] != '?')
        return 0;
    return number;
}
