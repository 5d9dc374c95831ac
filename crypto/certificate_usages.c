#include "crypto/certificate.h"

#include <openssl/x509v3.h>

bool certificate_usages(const struct crypto_context *context, struct span der,
                        struct certificate_usages *ret_usages, struct error *error)
{
    const unsigned char *at = (const unsigned char *)der.data;
    X509 *certificate = X509_new_ex(crypto_library(context), crypto_properties(context));
    bool ok = certificate != NULL && d2i_X509(&certificate, &at, (long)der.len) != NULL;
    if (ok)
        *ret_usages = (struct certificate_usages){
            .key_usage = X509_get_key_usage(certificate),
            .extended_key_usage = X509_get_extended_key_usage(certificate),
        };
    X509_free(certificate);
    return ok || crypto_error(error, "reading a certificate's key usage");
}
