/* "Did you mean ...?": is a word that the operator wrote close to one that there is? */
#ifndef CERTMILL_CONFIG_SUGGEST_H
#define CERTMILL_CONFIG_SUGGEST_H

#include "base/span.h"

/* True when they differ only in case, hyphens and underscores, or by at most two letters of a word
 * of at least five (one of a shorter one). */
bool suggest_is_near(struct span word, const char *known);

#endif
