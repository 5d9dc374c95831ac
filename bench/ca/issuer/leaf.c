/* Leaves, as public CAs make them (RFC 5280, and the CA/Browser Forum's rules for domain-validated
 * certificates). */
#include "internal.h"

#include "base/clock.h"
#include "crypto/certificate.h"
#include "general_name.h"
#include "pem.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_MAX        4096 /* all of a leaf but its names and its key */
#define SUBJECT_MAX      128
#define COMMON_NAME_MAX  64
#define SERVER_DAYS      365
#define SERVER_NAMES_MAX 4
#define SIGNED_MORE      (SIGNATURE_MAX + 64)

/* A leaf to be made, its names as a list of GeneralName in DER, or the element of a common name. */
struct leaf {
    const struct authority *signer;
    const struct intermediate *intermediate; /* NULL: signed by a root */
    struct span names;
    struct span public_key;
    bool is_rsa, must_staple;
    const char *common_name; /* "": the first name that fits */
    uint64_t number;
    int64_t not_before, not_after;
};

/* Host names compare without case; certificates have them in lower case. */
static void lower_names(unsigned char *names, size_t len)
{
    struct span rest = span_make(names, len);
    struct span name;
    unsigned tag;
    while (der_next(&rest, &tag, &name)) {
        if (tag != DER_CONTEXT(2))
            continue;
        unsigned char *at = names + (name.data - (const char *)names);
        for (size_t i = 0; i < name.len; i++)
            if (at[i] >= 'A' && at[i] <= 'Z')
                at[i] |= 0x20;
    }
}

static void put_names(struct der_writer *writer, struct span names, bool critical)
{
    size_t mark = der_written(writer);
    struct span rest = names;
    struct span name;
    unsigned tag = 0;
    if (der_next(&rest, &tag, &name) && tag != DER_CONTEXT(2) && tag != DER_CONTEXT(7))
        der_put_element(writer, DER_CONTEXT(2), name.data, name.len);
    else
        der_put(writer, names.data, names.len);
    if (!writer->full)
        lower_names(writer->at, der_written(writer) - mark);
    der_wrap(writer, DER_SEQUENCE, mark);
    extension_wrap(writer, OID_SUBJECT_ALT_NAME, critical, mark);
}

/* The first host name that fits; false when none does. */
static bool common_name_choose(struct span names, char *text)
{
    struct span rest = names;
    struct span name;
    unsigned tag;
    while (der_next(&rest, &tag, &name))
        if (tag != DER_CONTEXT(7) && name.len <= COMMON_NAME_MAX)
            return csr_name_next(&names, text);
        else
            names = rest;
    return false;
}

/* Gives the Name, at the end of `frame` of SUBJECT_MAX bytes. */
static struct span subject_make(const struct leaf *leaf, unsigned char *frame, bool *ret_empty)
{
    char text[CERTIFICATE_NAME_TEXT];
    struct der_writer writer;
    der_writer_init(&writer, frame, SUBJECT_MAX);
    *ret_empty = false;
    if (leaf->common_name[0] != '\0')
        common_name_put(&writer, span_of(leaf->common_name));
    else if (common_name_choose(leaf->names, text))
        common_name_put(&writer, span_of(text));
    else
        *ret_empty = true;
    der_wrap(&writer, DER_SEQUENCE, 0);
    return span_make(writer.at, der_written(&writer));
}

static void put_extensions(struct der_writer *writer, const struct leaf *leaf,
                           const unsigned char *key_id, bool no_subject)
{
    const struct intermediate *intermediate = leaf->intermediate;
    bool has_urls = intermediate != NULL && intermediate->issuer_url[0] != '\0';
    if (leaf->must_staple)
        extension_put_must_staple(writer);
    if (has_urls)
        extension_put_crl_url(writer, span_of(intermediate->crl_url));
    extension_put_domain_validated(writer);
    put_names(writer, leaf->names, no_subject);
    if (has_urls)
        extension_put_issuer_url(writer, span_of(intermediate->issuer_url));
    extension_put_issuer_key_id(writer, leaf->signer->key_id);
    extension_put_key_id(writer, key_id);
    extension_put_no_authority(writer);
    extension_put_server_auth(writer);
    extension_put_key_usage(writer, leaf->is_rsa ? USAGE_DIGITAL_SIGNATURE | USAGE_KEY_ENCIPHERMENT
                                                 : USAGE_DIGITAL_SIGNATURE);
}

/* Appends the DER; the serial has SERIAL_BYTES. */
static bool leaf_make(const struct issuer *issuer, struct tools *tools, const struct leaf *leaf,
                      unsigned char *serial, struct buf *der, struct error *error)
{
    unsigned char key_id[KEY_ID_BYTES];
    unsigned char subject[SUBJECT_MAX];
    struct der_writer writer;
    bool no_subject;
    size_t size = FRAME_MAX + leaf->names.len + leaf->public_key.len;
    unsigned char *frame = tools_frame(tools, size);
    if (frame == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a certificate");
    TRY(key_id_make(issuer, leaf->public_key, key_id, error));
    TRY(serial_make(issuer, tools, leaf->number, serial, error));
    struct span name = subject_make(leaf, subject, &no_subject);
    der_writer_init(&writer, frame, size);
    put_extensions(&writer, leaf, key_id, no_subject);
    certificate_form_put(&writer, &(struct certificate_form){
                                      .serial = span_make(serial, SERIAL_BYTES),
                                      .issuer = authority_name(leaf->signer),
                                      .subject = name,
                                      .public_key = leaf->public_key,
                                      .signer = leaf->signer->spec,
                                      .not_before = leaf->not_before,
                                      .not_after = leaf->not_after,
                                  });
    return authority_sign(issuer, tools, leaf->signer, &writer, der, error);
}

bool issuer_issue(struct issuer *issuer, const struct issue_request *request,
                  struct issued *ret_issued, struct error *error)
{
    const struct csr_facts *csr = request->csr;
    struct issued issued = {.intermediate = (unsigned)(request->number % issuer->count),
                            .serial_len = SERIAL_BYTES};
    const struct intermediate *intermediate = &issuer->intermediates[issued.intermediate];
    const struct leaf leaf = {.signer = &intermediate->authority,
                              .intermediate = intermediate,
                              .names = csr->names,
                              .public_key = csr->public_key,
                              .is_rsa = csr->key.type == KEY_RSA,
                              .must_staple = csr->must_staple,
                              .common_name = csr->common_name,
                              .number = request->number,
                              .not_before = request->not_before,
                              .not_after = request->not_after};
    struct tools *tools = tools_take(&issuer->shop);
    if (tools == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a certificate");
    buf_init(&issued.der, FRAME_MAX + csr->names.len + csr->public_key.len + SIGNED_MORE);
    bool ok = leaf_make(issuer, tools, &leaf, issued.serial, &issued.der, error);
    tools_give(&issuer->shop, tools);
    if (!ok) {
        buf_free(&issued.der);
        return false;
    }
    *ret_issued = issued;
    return true;
}

/* The names of the server's certificate as a list of GeneralName, in `frame`. */
static bool server_names(const char *name, unsigned char *frame, size_t size,
                         struct span *ret_names, struct error *error)
{
    const char *texts[SERVER_NAMES_MAX] = {"localhost", "127.0.0.1", "::1", name};
    size_t count = SERVER_NAMES_MAX;
    struct der_writer writer;
    if (name == NULL || strcmp(name, "localhost") == 0 || strcmp(name, "127.0.0.1") == 0 ||
        strcmp(name, "::1") == 0)
        count--;
    der_writer_init(&writer, frame, size);
    for (size_t i = count; i-- > 0;) {
        struct general_name read;
        TRY(general_name_read(texts[i], &read, error));
        if (read.is_address)
            der_put_element(&writer, DER_CONTEXT(7), read.address, read.len);
        else
            der_put_element(&writer, DER_CONTEXT(2), read.bytes, read.len);
    }
    *ret_names = span_make(writer.at, der_written(&writer));
    return true;
}

static bool server_certificate(struct issuer *issuer, EVP_PKEY *key, struct span names, int64_t now,
                               struct buf *der, struct error *error)
{
    struct buf public_key CLEANUP(buf_free);
    unsigned char serial[SERIAL_BYTES];
    buf_init(&public_key, 1024);
    TRY(key_public_der(key, &public_key, error));
    const struct leaf leaf = {.signer = &issuer->roots[0],
                              .names = names,
                              .public_key = buf_span(&public_key),
                              .common_name = "",
                              .number = UINT64_MAX,
                              .not_before = now - SECONDS_PER_DAY,
                              .not_after = now + (int64_t)SERVER_DAYS * SECONDS_PER_DAY};
    struct tools *tools = tools_take(&issuer->shop);
    if (tools == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a certificate");
    bool ok = leaf_make(issuer, tools, &leaf, serial, der, error);
    tools_give(&issuer->shop, tools);
    return ok;
}

bool issuer_server_pair(struct issuer *issuer, const char *name, int64_t now,
                        struct buf *certificate_pem, struct buf *key_pem, struct error *error)
{
    unsigned char frame[CERTIFICATE_NAME_TEXT + 64];
    struct span names = {0};
    EVP_PKEY *key CLEANUP(key_release) = NULL;
    struct secret pem CLEANUP(secret_free) = {0};
    struct buf der CLEANUP(buf_free);
    buf_init(&der, FRAME_MAX + sizeof frame + SIGNED_MORE);
    TRY(server_names(name, frame, sizeof frame, &names, error));
    TRY(key_generate(issuer->shop.context, (struct key_spec){KEY_ECDSA, 256}, &key, error));
    TRY(server_certificate(issuer, key, names, now, &der, error));
    TRY(key_to_pem(issuer->shop.context, key, &pem, error));
    if (!pem_append(certificate_pem, "CERTIFICATE", buf_span(&der)) ||
        !buf_append_span(key_pem, secret_span(&pem)))
        return error_set(error, ERROR_MEMORY, "no memory for the server's certificate");
    return true;
}
