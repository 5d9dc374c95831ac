/* Where an accounts file on S3 came from, and whether it is another than the last run's. */
#ifndef CERTMILL_CLI_ACCOUNTS_ORIGIN_H
#define CERTMILL_CLI_ACCOUNTS_ORIGIN_H

#include "config/accounts.h"

/* STATE/accounts.etag: {"file": "s3://...", "etag": "..."}, of the last run. Both do nothing for a
 * file on disk. */

/* Says on standard error when the file has changed since the last run. */
void accounts_origin_compare(const char *state_folder, const struct accounts *accounts);
/* Keeps it for the next. The state folder exists. */
void accounts_origin_keep(const char *state_folder, const struct accounts *accounts);

#endif
