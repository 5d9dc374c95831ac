/* libcurl's memory, wiped when it is freed: bodies and headers pass through its buffers, private
 * keys on their way to ACM and AWS's session tokens among them. */
#ifndef CERTMILL_HTTP_WIPING_H
#define CERTMILL_HTTP_WIPING_H

#include "base/result.h"

/* Starts libcurl. Counted and thread-safe, as curl_global_init: the first call decides. */
bool http_global_init(void) MUST_USE;

#endif
