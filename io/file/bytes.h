/* Reading and writing all of something, whatever the system call does in one go. */
#ifndef CERTMILL_IO_FILE_BYTES_H
#define CERTMILL_IO_FILE_BYTES_H

#include "base/span.h"

/* Each gives 0 or an errno. */
int bytes_write(int fd, struct span data);
int bytes_sync(int fd); /* fsync, again after a signal */

#endif
