#ifndef CERTMILL_CA_WEATHER_NAMES_H
#define CERTMILL_CA_WEATHER_NAMES_H

#include "base/span.h"

/* The part of a name that limits by domain count: the last two labels, or three below such as
 * "co.uk"; an address as a whole. Points into the name. */
struct span registered_domain(const char *name);

#endif
