/* engine/config: acme_accounts.yaml. */
#include "fuzz.h"

#include "config/accounts.h"
#include "config/endpoint.h"

#include <string.h>

void fuzz_prepare(void)
{
    /* The keys are on the secure heap, as in the program. */
    struct crypto_context *context;
    struct error error;
    REQUIRE(crypto_context_new(&(struct crypto_options){0}, &context, &error));
    crypto_context_free(context);
}

static void account_is_checked(const struct account *account, const struct accounts *accounts)
{
    fuzz_require_line(account->alias);
    REQUIRE(endpoint_problem(span_of(account->endpoint)) == NULL);
    REQUIRE(account->email == NULL || email_problem(span_of(account->email)) == NULL);
    REQUIRE((account->eab_key_id != NULL) == (account->eab_hmac.len > 0));
    REQUIRE(key_spec_is_valid(account->key));
    REQUIRE(account->renew_before_days > 0 && account->line > 0);
    REQUIRE(accounts_find(accounts, account->alias) == account);
}

void fuzz_input(struct span input)
{
    struct accounts accounts;
    struct diagnostics diagnostics;
    diagnostics_init(&diagnostics);
    accounts_parse("accounts.yaml", input, &accounts, &diagnostics);
    for (size_t i = 0; i < accounts.count; i++)
        account_is_checked(&accounts.list[i], &accounts);
    for (size_t i = 0; i < diagnostics.count; i++)
        fuzz_require_line(diagnostics.items[i].text);
    REQUIRE(accounts.count > 0 || diagnostics.errors + diagnostics.warnings > 0);
    accounts_free(&accounts);
    diagnostics_free(&diagnostics);
}
