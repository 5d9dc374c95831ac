/* Token buckets by the hundred thousand, each one number: the time at which it would be full again
 * (the generic cell rate algorithm, as Let's Encrypt's Boulder has it). Thread-safe; time is an
 * argument. */
#ifndef CERTMILL_CA_WEATHER_BUCKETS_H
#define CERTMILL_CA_WEATHER_BUCKETS_H

#include "ca/weather/settings.h"

struct buckets;

bool buckets_new(struct buckets **ret_buckets, struct error *error) MUST_USE;
void buckets_free(struct buckets *buckets);
void buckets_forget(struct buckets *buckets); /* all are full again */

/* Takes one token from the bucket `key`, or looks whether it could. When there is none:
 * false, and the microseconds until there is one. Without memory buckets count as full. */
bool buckets_take(struct buckets *buckets, uint64_t key, const struct bucket_rule *rule,
                  int64_t now_us, int64_t *ret_wait_us);
bool buckets_have(struct buckets *buckets, uint64_t key, const struct bucket_rule *rule,
                  int64_t now_us, int64_t *ret_wait_us);

#endif
