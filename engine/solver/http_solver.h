/* http-01 (RFC 8555 section 8.3): the embedded responder, or files in a web server's folder. */
#ifndef CERTMILL_SOLVER_HTTP_SOLVER_H
#define CERTMILL_SOLVER_HTTP_SOLVER_H

#include "solver/job_list.h"

struct http_solver;

/* ERROR_CONFIG when the port cannot be had or the webroot cannot be written. */
bool http_solver_new(const struct manifest_solvers *manifest, struct http_solver **ret_solver,
                     struct error *error) MUST_USE;
/* With the responder the job is done before this returns; with a webroot on a thread, for the
 * folder may be on a slow network file system. */
void http_solver_submit(struct http_solver *solver, struct solver_job *job);
int http_solver_port(const struct http_solver *solver); /* 0 with a webroot */
/* Runs waiting cleanups, cancels what else waits. */
void http_solver_free(struct http_solver *solver);

/* A web server's folder for challenges: WEBROOT/.well-known/acme-challenge. */
struct webroot {
    char *path;
    int folder_fd;
};
bool webroot_open(const char *path, struct webroot *ret_webroot, struct error *error) MUST_USE;
void webroot_close(struct webroot *webroot);
/* The file appears whole or not at all, readable by all. Not durable: a crash ends the order's
 * answer anyway. */
bool webroot_put(const struct webroot *webroot, struct span token, struct span answer,
                 struct error *error) MUST_USE;
/* A file that is gone already is no error. */
bool webroot_remove(const struct webroot *webroot, struct span token, struct error *error) MUST_USE;

#endif
