#include "solver/job_list.h"

void job_list_init(struct job_list *list)
{
    list->first = NULL;
    list->last = &list->first;
    list->count = 0;
}

void job_list_add(struct job_list *list, struct solver_job *job)
{
    job->next = NULL;
    *list->last = job;
    list->last = &job->next;
    list->count++;
}

struct solver_job *job_list_take(struct job_list *list)
{
    struct solver_job *job = list->first;
    if (job == NULL)
        return NULL;
    list->first = job->next;
    if (list->first == NULL)
        list->last = &list->first;
    list->count--;
    job->next = NULL;
    return job;
}

void job_list_move(struct job_list *from, struct job_list *to, size_t max)
{
    for (size_t i = 0; i < max && from->first != NULL; i++)
        job_list_add(to, job_list_take(from));
}

void job_succeed(struct solver_job *job)
{
    job->ok = true;
    job->error = (struct error){0};
}

void job_fail(struct solver_job *job, const struct error *error)
{
    job->ok = false;
    job->error = *error;
}

void job_list_cancel(struct job_list *list)
{
    struct error error = {0};
    error_set(&error, ERROR_CANCELLED, "the run is ending");
    for (struct solver_job *job = list->first; job != NULL; job = job->next)
        job_fail(job, &error);
}

void job_list_return(struct job_list *list)
{
    for (struct solver_job *job; (job = job_list_take(list)) != NULL;)
        job->done(job);
}
