/* The parts of a CSR (PKCS#10, RFC 2986) that are read one by one. Errors are worded for whoever
 * sent the CSR. */
#ifndef CERTMILL_CA_CSR_INTERNAL_H
#define CERTMILL_CA_CSR_INTERNAL_H

#include "ca/issuer.h"
#include "tools.h"

/* Of a SubjectPublicKeyInfo (RFC 3279, RFC 5480): kind, size and form. That a point is on its curve
 * is seen when the signature is checked. */
bool csr_key_read(struct span public_key, struct public_numbers *ret_numbers,
                  struct error *error) MUST_USE;

/* What the attributes ask for (the content of [0], or empty): names, must-staple. */
bool csr_attributes_read(struct span attributes, struct csr_facts *facts,
                         struct error *error) MUST_USE;

/* The common name in the subject's content: one of the names that were read, or the only one. */
bool csr_subject_read(struct span subject, struct csr_facts *facts, struct error *error) MUST_USE;

/* A host name in lower case into `text` of CERTIFICATE_NAME_TEXT bytes; false when it is none. */
bool csr_host_name(struct span name, char *text) MUST_USE;

bool csr_refuse(struct error *error, const char *why); /* returns false */

#endif
