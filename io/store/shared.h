/* Files that many certificates have alike, above all chain.pem: one durable file for each distinct
 * content, mode and owner, and hard links to it.
 *
 *   ROOT/archive/.shared/CONTENT-MODE[-UID-GID][.N]    CONTENT is the XXH3-128 in hexadecimal
 *
 * It saves an inode, a block, a write and an fsync a certificate. The first certificate with new
 * content gets a file of its own; from the second on it pays to have one to link to. Whether a
 * file still holds what it should is checked byte by byte when it is first used, and by its inode,
 * size, time, mode and owner at each link; a file that was changed gets no more links. N counts the
 * files that hold as many links as the file system allows. */
#ifndef CERTMILL_IO_STORE_SHARED_H
#define CERTMILL_IO_STORE_SHARED_H

#include "io/store.h"

struct shared;

/* `archive_fd` stays the caller's and must live longer. NULL without memory. */
struct shared *shared_new(int archive_fd);
void shared_free(struct shared *shared);

/* Makes a link, to a file that is durable, in the folder. False when the caller had better write a
 * file of its own: it is not worth it, or not possible, or something by that name is there. */
bool shared_link(struct shared *shared, const struct store_job *job, const struct store_file *file,
                 int folder_fd) MUST_USE;

#endif
