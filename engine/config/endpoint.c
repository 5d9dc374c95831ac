#include "config/endpoint.h"

#include "config/names.h"

#include <arpa/inet.h>
#include <string.h>

static bool is_printable_ascii(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] <= ' ' || text.data[i] > '~')
            return false;
    return true;
}

static bool has_char(struct span text, char c)
{
    return text.len > 0 && memchr(text.data, c, text.len) != NULL;
}

/* RFC 8252 section 8.3's notion of loopback, with localhost. */
static bool host_is_loopback(struct span host)
{
    struct domain domain;
    if (span_equal_nocase(host, SPAN_LITERAL("localhost")) || span_is(host, "[::1]"))
        return true;
    return domain_read(host, &domain, NULL) && domain.kind == DOMAIN_ADDRESS &&
           strncmp(domain.text, "127.", 4) == 0;
}

static bool host_is_valid(struct span host)
{
    struct domain domain;
    if (host.len > 2 && host.data[0] == '[' && host.data[host.len - 1] == ']')
        return domain_read(span_make(host.data + 1, host.len - 2), &domain, NULL) &&
               domain.kind == DOMAIN_ADDRESS && has_char(host, ':');
    if (domain_read(host, &domain, NULL))
        return domain.kind != DOMAIN_WILDCARD;
    /* Names inside of networks of containers may hold underscores. */
    for (size_t i = 0; i < host.len; i++) {
        char c = host.data[i];
        bool is_name = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.';
        if (!is_name)
            return false;
    }
    return has_char(host, '_') && host.len <= DOMAIN_MAX;
}

/* Cuts ":PORT" off *host. */
static bool port_take(struct span *host)
{
    size_t at = host->len;
    while (at > 0 && host->data[at - 1] != ':' && host->data[at - 1] != ']')
        at--;
    if (at == 0 || host->data[at - 1] == ']')
        return at == host->len || at == 0;
    uint64_t port;
    if (!span_to_u64(span_from(*host, at), UINT16_MAX, &port) || port == 0)
        return false;
    host->len = at - 1;
    return true;
}

const char *endpoint_problem(struct span url)
{
    if (url.len > ENDPOINT_MAX)
        return "is longer than 2048 bytes";
    if (!is_printable_ascii(url))
        return "holds a blank or a character that is not printable ASCII";
    bool https =
        url.len >= 8 && span_equal_nocase(span_make(url.data, 8), SPAN_LITERAL("https://"));
    bool http = url.len >= 7 && span_equal_nocase(span_make(url.data, 7), SPAN_LITERAL("http://"));
    if (!https && !http)
        return "is no URL that begins with https://";
    struct span host = span_from(url, https ? 8 : 7);
    for (size_t i = 0; i < host.len; i++)
        if (strchr("/?#", host.data[i]) != NULL)
            host.len = i;
    if (has_char(url, '#'))
        return "has a fragment (#...), which means nothing to a server";
    if (has_char(host, '@'))
        return "holds a user name or password: ACME takes none, remove what stands before the @";
    if (host.len == 0)
        return "has no host name";
    if (!port_take(&host))
        return "has a port that is no number from 1 to 65535";
    if (!host_is_valid(host))
        return "has no valid host name";
    if (http && !host_is_loopback(host))
        return "must begin with https:// (http:// is for a CA on this machine only)";
    return NULL;
}

const char *email_problem(struct span email)
{
    struct span domain = email;
    if (email.len > EMAIL_MAX)
        return "is longer than 254 bytes";
    if (email.len >= 7 && span_equal_nocase(span_make(email.data, 7), SPAN_LITERAL("mailto:")))
        return "begins with mailto:, give the address alone";
    for (size_t i = 0; i < email.len; i++)
        if (strchr(",; \t<>()\"\\", email.data[i]) != NULL)
            return "must be one plain address such as ops@example.com";
    if (!is_printable_ascii(email))
        return "holds a character that is not printable ASCII";
    struct span local = span_split(&domain, '@');
    struct domain read;
    if (local.len == 0 || domain.data == NULL || !domain_read(domain, &read, NULL) ||
        read.kind != DOMAIN_NAME || !has_char(span_make(read.text, read.len), '.'))
        return "is no e-mail address such as ops@example.com";
    return NULL;
}
