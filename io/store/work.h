/* One job's steps; batch.c puts those of many jobs together in rounds. A step that fails marks the
 * job, and no further step is to be taken but work_end. */
#ifndef CERTMILL_IO_STORE_WORK_H
#define CERTMILL_IO_STORE_WORK_H

#include "store/shared.h"

/* Descriptors that one job holds at once: its files and the two folders. */
#define WORK_FDS (STORE_FILES_MAX + 2)

/* What a job made in its SEQUENCE folder, and takes away again when it fails. */
enum file_made { MADE_NOTHING, MADE_FILE, MADE_TEMPORARY };

struct file_work {
    int fd; /* what must become durable; -1 for nothing */
    enum file_made made;
};

struct store_work {
    struct store_job *job;
    struct file_work files[STORE_FILES_MAX];
    int name_fd; /* archive/NAME, and below it SEQUENCE */
    int sequence_fd;
    bool sync_parents; /* archive and archive/NAME may hold what is not durable */
    bool renames;      /* there are temporary names to be renamed */
    bool is_live;      /* live/NAME points to this SEQUENCE already */
    bool is_first;     /* there is no live/NAME yet */
    bool switched;     /* live/NAME was made to */
    bool failed;
};

void work_init(struct store_work *work, struct store_job *job);

/* Looks at the job and at live/NAME, and opens the folders. */
void work_begin(struct store_work *work, int archive_fd, int live_fd);

/* Writes a file, which is not durable then, or makes a link to one that is. */
void work_write(struct store_work *work, size_t index, struct shared *shared,
                struct store_counts *counts);

/* Closes the files, and renames what has a temporary name. */
void work_rename(struct store_work *work);

/* Makes live/NAME point to the folder. `point` may be NULL. */
void work_switch(struct store_work *work, int live_fd, store_point *point);

/* Each marks the job as failed: "WHAT archive/NAME/SEQUENCE", and "/FILE" when there is one. */
void work_fail_at(struct store_work *work, int failed, const char *what, const char *file);
void work_fail_live(struct store_work *work, int failed, const char *what);

/* Gives the job its result. */
void work_end(struct store_work *work);

#endif
