/* Names in the store's folders, and what is found there. */
#ifndef CERTMILL_IO_STORE_PATH_H
#define CERTMILL_IO_STORE_PATH_H

#include "io/store.h"

#define LINK_TEXT_MAX (STORE_NAME_MAX + 32)

bool name_is_valid(const char *name);

/* "../archive/NAME/SEQUENCE", what live/NAME points to. `text` has LINK_TEXT_MAX bytes. */
void link_text(char *text, const char *name, unsigned sequence);

/* Opens a folder's own folder, which is made, exactly 0755, when it is missing; a symbolic link is
 * refused. Gives the descriptor, or -1 and errno. */
int subfolder_open(int folder_fd, const char *name, bool *made);

/* Opens NAME/SEQUENCE, when both are folders that are there, by one call of the system. Gives the
 * descriptor, or -1: the reason is then to be found by subfolder_open. */
int sequence_open(int archive_fd, const char *name, unsigned sequence);

/* Makes a new file for writing, whose mode may lack what the umask takes away. Gives the
 * descriptor, or -1 and errno: EEXIST when something is there. */
int file_make_new(int folder_fd, const char *name, mode_t mode);
/* The same, and what is left there of a crashed run is removed. */
int temporary_make(int folder_fd, const char *name, mode_t mode);

/* Gives what is open exactly this mode. A look costs less than a change. 0 or an errno. */
int mode_set(int fd, mode_t mode);

/* Makes a symbolic link; what is left there is removed. 0 or an errno. */
int temporary_link(int folder_fd, const char *name, const char *target);

enum comparison { FILE_MISSING, FILE_SAME, FILE_DIFFERS, FILE_UNREADABLE };
/* Of a regular file with the data; errno says why it is unreadable. */
enum comparison file_compare(int folder_fd, const char *name, struct span data);

#endif
