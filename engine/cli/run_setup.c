#include "cli/run_setup.h"

#include "base/clock.h"
#include "cli/accounts_origin.h"
#include "cli/message.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

/* libcurl would say it of each CA, when the run is under way. */
static bool ca_file_check(const char *path)
{
    BIO *file = BIO_new_file(path, "r");
    if (file == NULL) {
        message_text("--ca-file %s: %s", path, strerrordesc_np(errno));
        return false;
    }
    X509 *first = PEM_read_bio_X509(file, NULL, NULL, NULL);
    BIO_free(file);
    ERR_clear_error();
    if (first == NULL) {
        message_text("--ca-file %s: holds no certificate in PEM form", path);
        return false;
    }
    X509_free(first);
    return true;
}

/* Whom the operator names himself makes the keys; asked for in the same breath, another way is a
 * mistake. */
static bool crypto_check(const struct command_options *options)
{
    const char *other = options->provider_count > 0       ? "provider"
                        : options->property_query != NULL ? "property-query"
                                                          : NULL;
    if (other == NULL || !options->crypto_given ||
        (options->crypto != CRYPTO_IFMA && options->crypto != CRYPTO_PORTABLE))
        return true;
    message_text("--crypto %s and --%s exclude each other", crypto_way_words[options->crypto],
                 other);
    return false;
}

static bool crypto_make(const struct command_options *options, struct run_setup *setup,
                        struct error *error)
{
    const struct crypto_options crypto = {
        .way = options->crypto_given ? options->crypto : setup->inputs.manifest.crypto,
        .providers = options->provider_count > 0 ? options->providers : NULL,
        .property_query = options->property_query,
        .openssl_config = options->openssl_config,
    };
    return crypto_context_new(&crypto, &setup->crypto, error);
}

bool run_setup_make(const struct command_options *options, struct run_setup *ret_setup)
{
    return run_setup_make_text(options, (struct span){0}, ret_setup);
}

bool run_setup_make_text(const struct command_options *options, struct span text,
                         struct run_setup *ret_setup)
{
    struct error error;
    *ret_setup = (struct run_setup){0};
    if ((options->ca_file != NULL && !ca_file_check(options->ca_file)) || !crypto_check(options))
        return false;
    if (!crypto_secure_heap_make(0, &error)) {
        message_error(&error);
        return false;
    }
    TRY(inputs_read_text(options, text, &ret_setup->inputs));
    if (!crypto_make(options, ret_setup, &error)) {
        message_error(&error);
        return false;
    }
    return true;
}

void run_setup_free(struct run_setup *setup)
{
    inputs_free(&setup->inputs);
    crypto_context_free(setup->crypto);
}

struct run_options run_setup_options(const struct command_options *options,
                                     const struct run_setup *setup)
{
    return (struct run_options){
        .state_folder = setup->inputs.state_folder,
        .ca_file = options->ca_file,
        .only = options->only,
        .force = options->force,
        .io = options->io,
        .workers = options->workers,
        .crypto_threads = options->crypto_threads,
        .account_key = options->account_key,
        .crypto = setup->crypto,
        .profiles = setup->inputs.profiles,
        .report = {.progress = options->progress,
                   .events = options->events,
                   .json = options->json,
                   .quiet = options->quiet,
                   .now_unix = clock_unix(),
                   .now_ms = clock_monotonic_ms()},
    };
}

int run_setup_execute(const struct run_setup *setup, const struct run_options *options)
{
    struct error error;
    const struct accounts *accounts = &setup->inputs.accounts;
    accounts_origin_compare(options->state_folder, accounts);
    int code = run_execute(&setup->inputs.manifest, accounts, options, &error);
    if (error.kind != ERROR_NONE)
        message_error(&error);
    if (code != ENDING_USAGE)
        accounts_origin_keep(options->state_folder, accounts);
    return code;
}
