/* The provider as a module that OpenSSL loads: certmill.so in its folder of modules. */
#include "provider/provider.h"

__attribute__((visibility("default"))) OSSL_provider_init_fn OSSL_provider_init;

int OSSL_provider_init(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *upcalls,
                       const OSSL_DISPATCH **ret_functions, void **ret_context)
{
    return certmill_provider_init(core, upcalls, ret_functions, ret_context);
}
