#include "cli/state_reading.h"

bool state_reading_open(const char *folder, struct state **ret_state, struct error *error)
{
    struct state *state = NULL;
    if (!state_open(folder, true, &state, error) && error->kind != ERROR_NOT_FOUND)
        return false;
    *ret_state = state;
    return true;
}

void state_reading_close(struct state **state)
{
    if (*state != NULL)
        state_close(*state);
    *state = NULL;
}
