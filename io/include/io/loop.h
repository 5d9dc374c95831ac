/* One thread's event loop: epoll over file descriptors with a callback each. */
#ifndef CERTMILL_IO_LOOP_H
#define CERTMILL_IO_LOOP_H

#include "base/result.h"

#include <stdint.h>

struct loop;

/* `events` are EPOLLIN, EPOLLOUT, ...; called on the loop's thread. */
typedef void loop_ready(void *context, uint32_t events);

bool loop_new(struct loop **ret_loop, struct error *error) MUST_USE;
void loop_free(struct loop *loop); /* closes none of the descriptors */

/* Adds the descriptor, or changes what an added one waits for. */
bool loop_watch(struct loop *loop, int fd, uint32_t events, loop_ready *ready, void *context,
                struct error *error) MUST_USE;
/* Before the descriptor is closed. Safe inside a callback; no event of this round follows for it.
 */
void loop_forget(struct loop *loop, int fd);

/* Waits up to `timeout_ms` (-1: for ever) and runs the callbacks of what is ready. */
bool loop_run_once(struct loop *loop, int64_t timeout_ms, struct error *error) MUST_USE;

#endif
