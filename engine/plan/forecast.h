/* When the next run will be done, and what it brings to AWS's quotas.
 *
 * Two stages work side by side: orders at the CA, and imports into ACM, which wait for their
 * certificates and then for their turn in their lane, an account and region, that takes
 * aws.imports-per-second. Unknown is how quick the CA is: it is taken for one that needs
 * FORECAST_REQUEST_S a request, and FORECAST_STEP_S each to validate and to issue. */
#ifndef CERTMILL_PLAN_FORECAST_H
#define CERTMILL_PLAN_FORECAST_H

#include "aws/profile.h"
#include "plan/planner.h"

#define FORECAST_REQUEST_S 0.05
#define FORECAST_STEP_S    2.0

/* An account and region of AWS. */
struct forecast_lane {
    const char *profile; /* the first that leads there; "": AWS's default profile */
    const char *account; /* "": no import has told it yet */
    const char *region;  /* "": it could not be told */
    size_t imports;      /* that the run brings */
    size_t after_orders; /* of these, imports of certificates that are to be issued first */
    size_t year;         /* imports of the last 365 days, without these */
    double seconds;      /* from the run's start to the lane's last import */
};

struct forecast {
    struct arena arena;
    size_t orders;
    double order_seconds; /* from the run's start to the last certificate */
    size_t imports;
    double import_seconds; /* to the last import; 0: there is none */
    size_t account_count, region_count;
    struct forecast_lane *lanes; /* the slowest first */
    size_t lane_count;
    double imports_per_second;
    unsigned imports_per_year;
};

/* `profiles` (NULL: none) tell the regions that the manifest leaves to them; `state` may be NULL.
 * Free with forecast_free. */
bool forecast_make(const struct manifest *manifest, const struct accounts *accounts,
                   const struct plan *plan, struct state *state, struct aws_profiles *profiles,
                   int64_t now, struct forecast *ret_forecast, struct error *error) MUST_USE;
void forecast_free(struct forecast *forecast);

#endif
