/* crypto/crl: revocation lists, and whatever claims to be one. */
#include "crypto.h"

#include "crypto/crl.h"
#include "io/file.h"

#include <string.h>

#define NOW 1790000000 /* 2026-09-21 */

static struct crypto_context *context;
static struct buf issuer;

void fuzz_prepare(void)
{
    struct error error;
    buf_init(&issuer, CRL_DER_MAX);
    context = fuzz_context();
    REQUIRE(file_read(TEST_VECTORS "/pki/crl-issuer.pem", &issuer, NULL, &error));
}

void fuzz_input(struct span input)
{
    struct crl crl;
    struct crl_entry entry;
    struct error error = {0};
    (void)crl_url_is_usable(input);
    if (!crl_read(input, SPAN_LITERAL("http://crl.test/1.crl"), &crl, &error)) {
        fuzz_require_error(&error);
        return;
    }
    fuzz_require_inside(crl.issuer, input);
    fuzz_require_inside(crl.entries, input);
    struct span rest = crl.entries;
    while (crl_next(&rest, &entry)) {
        fuzz_require_inside(entry.serial, input);
        REQUIRE(strlen(crl_reason(&entry)) > 0);
    }
    if (!crl_verify(context, &crl, buf_span(&issuer), NOW, &error))
        fuzz_require_error(&error);
}
