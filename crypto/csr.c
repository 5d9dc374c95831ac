#include "crypto/csr.h"

#include "general_name.h"
#include "key_der.h"
#include "signed_der.h"

#include <stdlib.h>

#define FRAME_MAX 4096 /* all of a CSR but the names */
#define WHAT      "the certificate request"

static const char oid_extension_request[] = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e";

/* All of a request's names, and room to write it. */
struct csr_names {
    struct general_name *names;
    size_t count;
    unsigned char *frame;
    size_t frame_size;
};

/* [0] { Attribute { extensionRequest, { Extensions { subjectAltName } } } } */
static void put_attributes(struct der_writer *writer, const struct csr_names *names)
{
    size_t mark = der_written(writer);
    general_names_put(writer, names->names, names->count);
    der_wrap(writer, DER_SEQUENCE, mark); /* Extensions */
    der_wrap(writer, DER_SET, mark);
    der_put_element(writer, DER_OID, oid_extension_request, sizeof oid_extension_request - 1);
    der_wrap(writer, DER_SEQUENCE, mark); /* Attribute */
    der_wrap(writer, DER_CONTEXT_CONSTRUCTED(0), mark);
}

static void put_subject(struct der_writer *writer, const struct csr_names *names)
{
    size_t mark = der_written(writer);
    for (size_t i = 0; i < names->count; i++) {
        const struct general_name *name = &names->names[i];
        if (name->is_address || name->len > CSR_COMMON_NAME_MAX)
            continue;
        common_name_put(writer, span_make(name->bytes, name->len));
        break;
    }
    der_wrap(writer, DER_SEQUENCE, mark);
}

/* Writes CertificationRequestInfo into `frame`, signs it, and appends the whole to *der. */
static bool csr_build(const struct crypto_context *context, EVP_PKEY *key, struct span public_der,
                      const struct csr_names *names, struct buf *der, struct error *error)
{
    static const unsigned char version = 0;
    struct key_spec spec;
    struct der_writer info;
    if (!key_spec_of(key, &spec))
        return error_set(error, ERROR_CONFIG, "a key of a kind that certmill does not use");
    der_writer_init(&info, names->frame, names->frame_size);
    put_attributes(&info, names);
    der_put(&info, public_der.data, public_der.len);
    put_subject(&info, names);
    der_put_element(&info, DER_INTEGER, &version, 1);
    der_wrap(&info, DER_SEQUENCE, 0);
    if (info.full)
        return error_set(error, ERROR_LIMIT, WHAT " is too large");
    return signed_der_append(context, key, spec, span_make(info.at, der_written(&info)), WHAT, der,
                             error);
}

/* Reads the names into `read` and makes room for the request; the caller frees both. */
static bool names_read(struct csr_names *read, const char *const *names, struct error *error)
{
    read->names = calloc(read->count, sizeof *read->names);
    if (read->names == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for the names of a request");
    read->frame_size = FRAME_MAX;
    for (size_t i = 0; i < read->count; i++) {
        TRY(general_name_read(names[i], &read->names[i], error));
        read->frame_size += read->names[i].len + GENERAL_NAME_HEADER_MAX;
    }
    read->frame = malloc(read->frame_size);
    return read->frame != NULL ||
           error_set(error, ERROR_MEMORY, "no memory for a certificate request");
}

bool csr_make_with(const struct crypto_context *context, EVP_PKEY *key, struct span public_der,
                   const char *const *names, size_t count, struct buf *der, struct error *error)
{
    if (count == 0 || count > CSR_NAMES_MAX)
        return error_set(error, ERROR_LIMIT, "a certificate request for %zu names, 1 to %d allowed",
                         count, CSR_NAMES_MAX);
    struct csr_names read = {.count = count};
    bool ok =
        names_read(&read, names, error) && csr_build(context, key, public_der, &read, der, error);
    free(read.names);
    free(read.frame);
    return ok;
}

bool csr_make(const struct crypto_context *context, EVP_PKEY *key, const char *const *names,
              size_t count, struct buf *der, struct error *error)
{
    struct buf public_der CLEANUP(buf_free);
    buf_init(&public_der, KEY_PUBLIC_DER_MAX);
    TRY(key_public_der(key, &public_der, error));
    return csr_make_with(context, key, buf_span(&public_der), names, count, der, error);
}
