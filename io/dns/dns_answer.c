#include "io/dns_answer.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <stdio.h>
#include <string.h>

#define RECORDS_MAX 1000

struct walk {
    struct span message;
    size_t at;
};

static bool take_16(struct walk *walk, unsigned *ret_value)
{
    TRY(walk->message.len - walk->at >= 2);
    const unsigned char *bytes = (const unsigned char *)walk->message.data + walk->at;
    *ret_value = (unsigned)(bytes[0] << 8 | bytes[1]);
    walk->at += 2;
    return true;
}

static bool skip(struct walk *walk, size_t len)
{
    TRY(walk->message.len - walk->at >= len);
    walk->at += len;
    return true;
}

/* Takes a name; `text` of DNS_NAME_MAX bytes, or NULL. */
static bool take_name(struct walk *walk, char *text)
{
    const unsigned char *bytes = (const unsigned char *)walk->message.data;
    char *name = NULL;
    long len = 0;
    TRY(walk->at < walk->message.len);
    TRY(ares_expand_name(bytes + walk->at, bytes, (int)walk->message.len, &name, &len) ==
        ARES_SUCCESS);
    bool fits = strlen(name) < DNS_NAME_MAX;
    if (text != NULL && fits)
        memcpy(text, name, strlen(name) + 1);
    ares_free_string(name);
    return (fits || text == NULL) && len > 0 && skip(walk, (size_t)len);
}

/* Strings of up to 255 bytes, each with its length before it. */
static bool take_text(struct span data, dns_text *text, void *context, bool *ret_goes_on)
{
    char whole[DNS_TEXT_MAX];
    size_t len = 0;
    while (data.len > 0) {
        size_t part = (unsigned char)data.data[0];
        TRY(part < data.len);
        size_t room = sizeof whole - len;
        size_t taken = part < room ? part : room;
        memcpy(whole + len, data.data + 1, taken);
        len += taken;
        data = span_from(data, 1 + part);
    }
    *ret_goes_on = text(context, span_make(whole, len));
    return true;
}

static bool take_record(struct walk *walk, dns_text *text, void *context, char *alias,
                        bool *ret_goes_on)
{
    unsigned type;
    unsigned class;
    unsigned len;
    TRY(take_name(walk, NULL) && take_16(walk, &type) && take_16(walk, &class));
    TRY(skip(walk, 4) && take_16(walk, &len)); /* the time to live is for caches */
    struct span data = span_make(walk->message.data + walk->at, len);
    struct walk inside = *walk;
    TRY(skip(walk, len));
    if (class == ns_c_in && type == ns_t_cname)
        return take_name(&inside, alias);
    return class != ns_c_in || type != ns_t_txt || take_text(data, text, context, ret_goes_on);
}

bool dns_answer_walk(struct span message, dns_text *text, void *context, char *alias)
{
    struct walk walk = {.message = message};
    unsigned questions;
    unsigned answers;
    bool goes_on = true;
    alias[0] = '\0';
    TRY(skip(&walk, 4) && take_16(&walk, &questions) && take_16(&walk, &answers));
    TRY(skip(&walk, 4) && questions <= RECORDS_MAX && answers <= RECORDS_MAX);
    for (unsigned i = 0; i < questions; i++)
        TRY(take_name(&walk, NULL) && skip(&walk, 4));
    for (unsigned i = 0; i < answers && goes_on; i++)
        TRY(take_record(&walk, text, context, alias, &goes_on));
    return true;
}

bool dns_answer_is_no_name(struct span message)
{
    return message.len > 3 && (message.data[3] & 0xf) == ns_r_nxdomain;
}
