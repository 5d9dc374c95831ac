/* What the state knows of the certificates that are planned, by item. */
#ifndef CERTMILL_PLAN_FACTS_H
#define CERTMILL_PLAN_FACTS_H

#include "plan/item_index.h"

/* 16 bytes, for there are as many as certificates. */
struct fact {
    uint64_t digest;
    unsigned sequence;
    unsigned deployed_sequence : 31;
    unsigned revoked : 1;
};

/* Fills facts[i] for items[i] from the state's rows, and items[i].order (copied to the arena) from
 * the open orders that have the entry's digest. Names that are not planned are passed over. */
bool facts_read(struct state *state, const struct item_index *index, struct arena *arena,
                struct fact *facts, struct error *error) MUST_USE;

#endif
