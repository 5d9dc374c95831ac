/* For tests of engine/state: a folder of its own for each test, changes to post, rows found. */
#ifndef CERTMILL_TEST_STATE_FOLDER_H
#define CERTMILL_TEST_STATE_FOLDER_H

#include "check.h"
#include "state_changes.h"

#include "state/state.h"

#include <unistd.h>

#define NOW 1800000000

/* A folder of its own for each test. */
struct place {
    char folder[256];
    char file[300];
};

static inline void place_make(struct place *place)
{
    const char *base = getenv("TMPDIR");
    snprintf(place->folder, sizeof place->folder, "%s/certmill-state-XXXXXX",
             base != NULL ? base : "/tmp");
    CHECK(mkdtemp(place->folder) != NULL);
    snprintf(place->file, sizeof place->file, "%s/state.db", place->folder);
}

static inline const char *place_path(const struct place *place, const char *name)
{
    static char path[400];
    snprintf(path, sizeof path, "%s/%s", place->folder, name);
    return path;
}

static inline void place_remove(const struct place *place)
{
    (void)unlink(place_path(place, "state.db"));
    (void)unlink(place_path(place, "state.db-wal"));
    (void)unlink(place_path(place, "state.db-shm"));
    CHECK(rmdir(place->folder) == 0);
}

static inline struct state *open_state(const struct place *place, bool read_only)
{
    struct state *state;
    struct error error;
    CHECK_OK(state_open(place->folder, read_only, &state, &error), error);
    return state;
}

static inline struct state *start_state(const struct place *place)
{
    return state_started(place->folder);
}

static inline struct state_change issued(const char *name, unsigned sequence)
{
    return (struct state_change){
        .kind = STATE_ISSUED,
        .certificate = {.name = name,
                        .digest = 0xfedcba9876543210,
                        .sequence = sequence,
                        .not_before = NOW,
                        .not_after = NOW + 90 * 86400,
                        .issued_at = NOW + 5,
                        .attempted_at = NOW + 4,
                        .serial = "01ab",
                        .issuer = "Test CA",
                        .key = "ECDSA-P256",
                        .account = "demo",
                        .directory = "https://ca.test/dir",
                        .names = "a.test,b.test"},
    };
}

struct found {
    size_t count;
    char names[256];
};

static inline void found_add(struct found *found, const char *text)
{
    found->count++;
    strncat(found->names, text, sizeof found->names - strlen(found->names) - 1);
    strncat(found->names, " ", sizeof found->names - strlen(found->names) - 1);
}

static inline bool see_certificate(void *context, const struct state_certificate *row)
{
    found_add(context, row->name);
    return true;
}

#define FIND(walk, see, state, found)                                  \
    do {                                                               \
        struct error find_error;                                       \
        memset(&(found), 0, sizeof(found));                            \
        CHECK_OK(walk(state, see, &(found), &find_error), find_error); \
    } while (0)

#endif
