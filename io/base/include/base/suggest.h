/* "Did you mean ...?": is a word that the operator wrote close to one that there is? */
#ifndef CERTMILL_BASE_SUGGEST_H
#define CERTMILL_BASE_SUGGEST_H

#include "base/span.h"

#define SUGGEST_LENGTH_MAX ((size_t)255)

/* How many letters must be inserted, left out, changed, or swapped with the next to make one of the
 * other (optimal string alignment); UINT_MAX when one is longer than SUGGEST_LENGTH_MAX. */
unsigned suggest_distance(struct span a, struct span b);

/* True when they differ only in case, hyphens and underscores, or by at most two letters of a word
 * of at least five (one of a shorter one). */
bool suggest_is_near(struct span word, const char *known);

#endif
