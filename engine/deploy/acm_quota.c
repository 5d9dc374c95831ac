/* How much of ACM's quotas is used: warned of at four fifths and when nothing is left. AWS decides
 * in the end, so that nothing is held back. */
#include "deploy/acm_internal.h"

#include "base/clock.h"

#include <inttypes.h>
#include <string.h>

#define YEAR_DAYS 365

void acm_quota_begin(struct acm_lane *lane)
{
    const struct acm_deployer *deployer = lane->deployer;
    int64_t since = clock_unix() / SECONDS_PER_DAY - YEAR_DAYS;
    for (size_t i = 0; i < deployer->day_count; i++) {
        const struct state_import_day *day = &deployer->days[i];
        if (day->day > since && strcmp(day->account, lane->account) == 0 &&
            strcmp(day->region, lane->region) == 0)
            lane->year_imports += day->imports;
    }
}

/* Once at each of the two marks. */
static void mark_check(const struct acm_lane *lane, uint64_t used, unsigned limit, const char *what,
                       const char *advice, bool *warned, bool *full_warned)
{
    if (limit == 0 || used * 5 < (uint64_t)limit * 4)
        return;
    bool full = used >= limit;
    if (full ? *full_warned : *warned)
        return;
    *warned = true;
    *full_warned = full;
    acm_warning(lane->deployer, "", "AWS account %s, %s: %" PRIu64 " of %u %s%s. %s", lane->account,
                lane->region, used, limit, what, full ? ": ACM may refuse more" : "", advice);
}

static void held_check(struct acm_lane *lane)
{
    mark_check(lane, lane->held_count, lane->deployer->options.manifest->aws.certificates_limit,
               "imported certificates are there",
               "Delete those that nothing uses, or ask AWS for a higher quota (Service Quotas, AWS "
               "Certificate Manager) and set aws.certificates-limit to it",
               &lane->held_warned, &lane->held_full_warned);
}

void acm_quota_listed(struct acm_lane *lane)
{
    lane->held_count = lane->list.count;
    held_check(lane);
}

void acm_quota_imported(struct acm_lane *lane, bool new)
{
    lane->year_imports++;
    mark_check(lane, lane->year_imports, lane->deployer->options.manifest->aws.imports_per_year,
               "imports of 365 days are used",
               "Ask AWS for a higher quota (Service Quotas, AWS Certificate Manager) and set "
               "aws.imports-per-year to it",
               &lane->year_warned, &lane->year_full_warned);
    if (new) {
        lane->held_count++;
        held_check(lane);
    }
}
