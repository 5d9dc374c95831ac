/* One entry of the accounts file, and what its reading shares with that of the whole file. */
#ifndef CERTMILL_CONFIG_ACCOUNTS_READING_H
#define CERTMILL_CONFIG_ACCOUNTS_READING_H

#include "config/accounts.h"
#include "config/fields.h"
#include "config/name_table.h"

#define ACCOUNTS_TEXT_MAX 4096 /* of one value */

/* The reading of one file. */
struct accounts_reading {
    struct accounts *accounts;
    struct name_table aliases; /* to the line of each */
    size_t capacity;
    const char *alias; /* the one that is being read */
    size_t alias_line;
    size_t entries; /* of the alias */
    bool seen_accounts;
};

/* Reads an entry of the alias and takes it over into the accounts when it is the alias's first and
 * without fault. The target is the accounts_reading. */
config_read account_entry_read;

/* What the documentation's sample has in place of a value: "..." or "<eab-key>". */
bool account_text_is_filler(struct span text);

#endif
