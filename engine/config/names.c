#include "config/names.h"

#include "config/fields.h"

#include <arpa/inet.h>
#include <idn2.h>
#include <string.h>

/* U-labels are longer in UTF-8 than as A-labels, but not by more than this. */
#define NAME_INPUT_MAX 1024

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool refuse(struct error *error, struct span text, const char *why)
{
    return error_set(error, ERROR_CONFIG, "%s %s", config_quote(text).text, why);
}

static bool address_read(struct span text, struct domain *domain)
{
    char copy[INET6_ADDRSTRLEN];
    unsigned char address[sizeof(struct in6_addr)];
    if (text.len >= sizeof copy)
        return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    int family = memchr(copy, ':', text.len) != NULL ? AF_INET6 : AF_INET;
    if (inet_pton(family, copy, address) != 1 ||
        inet_ntop(family, address, domain->text, sizeof domain->text) == NULL)
        return false;
    domain->kind = DOMAIN_ADDRESS;
    domain->len = strlen(domain->text);
    return true;
}

/* Why the text cannot be a name at all, for the mistakes that people make; NULL: it may be one. */
static const char *mistake(struct span text)
{
    if (text.len == 0)
        return "is empty: a domain name is needed";
    if (text.len > NAME_INPUT_MAX)
        return "is too long: a domain name has at most 253 characters";
    if (text.len >= 3 && memmem(text.data, text.len, "://", 3) != NULL)
        return "is a URL: give the host name alone";
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '/')
            return "holds a slash: give a host name or a single address";
        if (c == '@')
            return "is an e-mail address, not a domain name";
        if (c == '[' || c == ']')
            return "holds brackets: write an IPv6 address without them";
        if (c == ' ' || c == '\t' || c == ',' || c == ';')
            return "holds a blank or a separator: give each name as an element of its own";
        if ((c >= 0 && c < ' ') || c == 0x7f)
            return "holds a control character";
    }
    return NULL;
}

static const char *label_problem(struct span label)
{
    if (label.len == 0)
        return "has an empty label (two dots in a row, or one in front)";
    if (label.len > DOMAIN_LABEL_MAX)
        return "has a label longer than 63 characters";
    if (label.data[0] == '-' || label.data[label.len - 1] == '-')
        return "has a label that begins or ends with a hyphen";
    for (size_t i = 0; i < label.len; i++) {
        char c = label.data[i];
        if (c == '_')
            return "holds an underscore, which a certificate's name may not";
        if (c == '*')
            return "has a '*' in the wrong place: it stands alone as the first label";
        if (!is_letter(c) && !is_digit(c) && c != '-')
            return "holds a character that no domain name has";
    }
    return NULL;
}

/* libidn2's work: U-labels, and A-labels, which must be the form of a valid U-label. */
static bool idna_read(struct span text, struct span name, char *out, size_t *len,
                      struct error *error)
{
    char copy[NAME_INPUT_MAX + 1];
    uint8_t *ascii = NULL;
    memcpy(copy, name.data, name.len);
    copy[name.len] = '\0';
    int status =
        idn2_lookup_u8((const uint8_t *)copy, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    if (status != IDN2_OK)
        return error_set(error, ERROR_CONFIG, "%s is no valid international domain name: %s",
                         config_quote(text).text, idn2_strerror(status));
    size_t ascii_len = strlen((const char *)ascii);
    bool fits = ascii_len <= DOMAIN_MAX;
    if (fits) {
        memcpy(out, ascii, ascii_len);
        *len = ascii_len;
    }
    idn2_free(ascii);
    return fits || refuse(error, text, "is longer than 253 characters");
}

static bool needs_idna(struct span name)
{
    for (size_t i = 0; i < name.len; i++) {
        if ((unsigned char)name.data[i] >= 0x80)
            return true;
        bool starts_label = i == 0 || name.data[i - 1] == '.';
        if (starts_label && name.len - i >= 4 &&
            span_equal_nocase(span_make(name.data + i, 4), SPAN_LITERAL("xn--")))
            return true;
    }
    return false;
}

static bool labels_check(struct span text, struct span name, struct error *error)
{
    struct span rest = name, label = name;
    while (rest.data != NULL) {
        label = span_split(&rest, '.');
        const char *problem = label_problem(label);
        if (problem != NULL)
            return refuse(error, text, problem);
    }
    /* No top-level domain is a number (RFC 3696 section 2): a bad address, not a name. */
    for (size_t i = 0; i < label.len; i++)
        if (!is_digit(label.data[i]))
            return true;
    return refuse(error, text, "is neither an IP address nor a domain name: it ends in a number");
}

static bool name_read(struct span text, struct domain *domain, struct error *error)
{
    struct span name = text;
    domain->kind = span_starts(text, "*.") ? DOMAIN_WILDCARD : DOMAIN_NAME;
    size_t prefix = domain->kind == DOMAIN_WILDCARD ? 2 : 0;
    name = span_from(name, prefix);
    char ascii[DOMAIN_MAX + 1];
    size_t len = name.len;
    if (needs_idna(name)) {
        TRY(idna_read(text, name, ascii, &len, error));
        name = span_make(ascii, len);
    }
    if (name.len > 0 && name.data[name.len - 1] == '.')
        name.len--;
    if (name.len + prefix > DOMAIN_MAX)
        return refuse(error, text, "is longer than 253 characters");
    TRY(labels_check(text, name, error));
    memcpy(domain->text, "*.", prefix);
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        domain->text[prefix + i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    domain->len = prefix + name.len;
    domain->text[domain->len] = '\0';
    return true;
}

bool domain_read(struct span text, struct domain *ret_domain, struct error *error)
{
    const char *why = mistake(text);
    if (why != NULL)
        return refuse(error, text, why);
    struct domain domain;
    bool is_ipv6 = memchr(text.data, ':', text.len) != NULL;
    if (is_ipv6 || is_digit(text.data[text.len - 1])) {
        if (address_read(text, &domain)) {
            *ret_domain = domain;
            return true;
        }
        if (is_ipv6)
            return refuse(error, text, "is no IPv6 address, and a domain name has no port");
    }
    TRY(name_read(text, &domain, error));
    *ret_domain = domain;
    return true;
}

bool certificate_name_check(struct span name, struct error *error)
{
    if (name.len == 0)
        return error_set(error, ERROR_CONFIG, "is empty");
    if (name.len > CERTIFICATE_NAME_MAX)
        return error_set(error, ERROR_CONFIG, "is longer than %d bytes", CERTIFICATE_NAME_MAX);
    if (name.data[0] == '.' || name.data[0] == '-')
        return refuse(error, name, "begins with a '.' or '-', which a name may not");
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        if (!is_letter(c) && !is_digit(c) && c != '.' && c != '_' && c != '-')
            return refuse(error, name, "is no name: use letters, digits, '.', '_' and '-'");
    }
    return true;
}

bool certificate_name_default(const char *domain, char *name, struct error *error)
{
    const char *prefix = "";
    const char *rest = domain;
    if (strncmp(domain, "*.", 2) == 0) {
        prefix = "_wildcard";
        rest++;
    } else if (strchr(domain, ':') != NULL) {
        prefix = "ip6-";
    }
    struct buf text CLEANUP(buf_free);
    buf_init(&text, CERTIFICATE_NAME_MAX);
    if (!buf_append_text(&text, prefix) || !buf_append_text(&text, rest))
        return error_set(error, ERROR_CONFIG,
                         "the first domain is too long to name the certificate: add a name of at "
                         "most %d bytes",
                         CERTIFICATE_NAME_MAX);
    memcpy(name, text.data, text.len + 1);
    for (char *at = name; *at != '\0'; at++)
        if (*at == ':')
            *at = '-';
    return true;
}
