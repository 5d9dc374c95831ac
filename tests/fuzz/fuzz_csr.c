/* bench/ca/issuer: a CSR as the load CA reads it. What is accepted becomes a certificate that
 * certmill reads, with the same names. */
#include "crypto.h"

#include "ca/issuer.h"
#include "crypto/certificate.h"

#include <string.h>

#define NOW 1790000000 /* 2026-09-21 */

static struct issuer *issuer;

static void certificate_has_the_names(const struct csr_facts *facts)
{
    char wanted[CERTIFICATE_NAME_TEXT];
    char found[CERTIFICATE_NAME_TEXT];
    struct issued issued;
    struct certificate_info info;
    struct error error;
    struct buf pem CLEANUP(buf_free);
    struct buf der CLEANUP(buf_free);
    buf_init(&pem, CERTIFICATE_PEM_MAX);
    buf_init(&der, CERTIFICATE_DER_MAX);
    const struct issue_request request = {.csr = facts, .not_before = NOW, .not_after = NOW + 1};
    REQUIRE(issuer_issue(issuer, &request, &issued, &error));
    REQUIRE(issuer_chain(issuer, buf_span(&issued.der), 0, 0, &pem));
    REQUIRE(certificate_read(buf_span(&pem), &der, &info, &error));
    REQUIRE(info.name_count == facts->name_count);
    struct span names = facts->names;
    while (csr_name_next(&names, wanted)) {
        REQUIRE(certificate_name_next(&info.names, found));
        REQUIRE(strcmp(wanted, found) == 0);
        fuzz_require_line(wanted);
    }
    buf_free(&issued.der);
}

void fuzz_prepare(void)
{
    struct error error;
    REQUIRE(issuer_new(fuzz_context(), &(struct issuer_options){0}, NOW, &issuer, &error));
}

void fuzz_input(struct span input)
{
    struct csr_facts facts;
    struct error error = {0};
    if (!csr_read(issuer, input, &facts, &error)) {
        fuzz_require_error(&error);
        return;
    }
    fuzz_require_inside(facts.public_key, input);
    fuzz_require_inside(facts.names, input);
    fuzz_require_line(facts.common_name);
    REQUIRE(facts.name_count > 0 && facts.name_count <= ISSUER_NAMES_MAX);
    certificate_has_the_names(&facts);
}
