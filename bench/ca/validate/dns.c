/* dns-01, RFC 8555 section 8.4. */
#include "check.h"

#include "base/base64.h"
#include "base/printable.h"
#include "io/dns_answer.h"

#include <arpa/nameser.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define LABEL       "_acme-challenge."
#define ALIASES_MAX 8
#define SHOWN_MAX   96

/* What the TXT records are compared with, and what came of it. */
struct look {
    struct span wanted;
    size_t count;
    bool found;
    char first[SHOWN_MAX];
};

static bool text_look(void *context, struct span text)
{
    struct look *look = context;
    if (look->count++ == 0)
        printable_copy(text, look->first, sizeof look->first);
    look->found = span_equal(text, look->wanted);
    return !look->found;
}

/* base64url(SHA-256(key authorization)) */
static bool value_make(const struct check *check, struct buf *value)
{
    unsigned char digest[SHA256_BYTES];
    return EVP_Digest(check->key_authorization, strlen(check->key_authorization), digest, NULL,
                      check->validator->sha256, NULL) == 1 &&
           base64url_append(value, digest, sizeof digest);
}

void dns_begin(struct check *check)
{
    struct http_url *url = &check->url; /* its host holds the name that is asked for */
    int len = snprintf(url->host, sizeof url->host, LABEL "%s", check->identifier);
    if (check->is_address || (size_t)len >= sizeof url->host)
        check_end(check, "dns", "There is no TXT record for %s", check->identifier);
    else
        resolver_ask(check->validator->resolver, url->host, ns_t_txt, check->slot);
}

static void texts_judge(struct check *check, const struct look *look)
{
    if (look->found)
        check_end(check, NULL, "%s", "");
    else if (look->count == 0)
        check_end(check, "unauthorized", "No TXT record found at " LABEL "%s", check->identifier);
    else if (look->count == 1)
        check_end(check, "unauthorized", "Incorrect TXT record \"%s\" found at " LABEL "%s",
                  look->first, check->identifier);
    else
        check_end(check, "unauthorized",
                  "Incorrect TXT record \"%s\" (and %zu more) found at " LABEL "%s", look->first,
                  look->count - 1, check->identifier);
}

void dns_texts_came(void *context, uint64_t id, const void *message, size_t len,
                    const char *problem)
{
    struct validator *validator = context;
    struct check *check = slots_get(&validator->checks, id);
    struct look look = {0};
    char alias[DNS_NAME_MAX];
    struct buf value CLEANUP(buf_free);
    buf_init(&value, 64);
    if (check == NULL) /* its time is over */
        return;
    if (problem != NULL) {
        check_end(check, "dns", "DNS problem: %s looking up TXT for %s", problem, check->url.host);
        return;
    }
    if (!value_make(check, &value)) {
        check_end(check, "dns", "DNS problem: no memory looking up TXT for %s", check->url.host);
        return;
    }
    look.wanted = buf_span(&value);
    if (!dns_answer_walk(span_make(message, len), text_look, &look, alias))
        check_end(check, "dns", "DNS problem: malformed answer looking up TXT for %s",
                  check->url.host);
    else if (look.count > 0 || alias[0] == '\0')
        texts_judge(check, &look);
    else if (++check->redirects > ALIASES_MAX)
        check_end(check, "dns", "DNS problem: too many CNAMEs looking up TXT for " LABEL "%s",
                  check->identifier);
    else { /* a server that does not look further itself */
        snprintf(check->url.host, sizeof check->url.host, "%s", alias);
        resolver_ask(validator->resolver, check->url.host, ns_t_txt, check->slot);
    }
}
