/* Jobs in the order in which they came, linked by their own `next`. No lock of its own. */
#ifndef CERTMILL_SOLVER_JOB_LIST_H
#define CERTMILL_SOLVER_JOB_LIST_H

#include "solver/solver.h"

struct job_list {
    struct solver_job *first;
    struct solver_job **last;
    size_t count;
};

void job_list_init(struct job_list *list);
void job_list_add(struct job_list *list, struct solver_job *job);
/* Moves up to `max` jobs from the front of `from` to the end of `to`. */
void job_list_move(struct job_list *from, struct job_list *to, size_t max);
/* Takes the first off; NULL when there is none. */
struct solver_job *job_list_take(struct job_list *list);

void job_succeed(struct solver_job *job); /* sets the outcome; does not call `done` */
void job_fail(struct solver_job *job, const struct error *error);
void job_list_cancel(struct job_list *list); /* fails each as ERROR_CANCELLED */
/* Hands each job back through its `done`; the list is empty then. */
void job_list_return(struct job_list *list);

#endif
