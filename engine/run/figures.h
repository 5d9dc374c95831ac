/* The figures at the end of a run: what the network, the crypto stage, the store and the state did.
 */
#ifndef CERTMILL_RUN_FIGURES_H
#define CERTMILL_RUN_FIGURES_H

#include "run/run_main.h"

#define FIGURES_MAX 7

struct figures {
    struct report_figure list[FIGURES_MAX];
    size_t count;
    char texts[FIGURES_MAX][512];
};

/* After the workers have ended. The list points into the structure: do not move it. */
void figures_make(struct run *run, struct figures *figures);
void figures_free(struct figures *figures);

#endif
