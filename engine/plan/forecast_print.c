#include "plan/forecast_print.h"

#include "report/format.h"
#include "report/output.h"

#include <string.h>

#define LANES_SHOWN  3
#define QUOTAS_SHOWN 10

static double forecast_seconds(const struct forecast *forecast)
{
    return forecast->import_seconds > forecast->order_seconds ? forecast->import_seconds
                                                              : forecast->order_seconds;
}

static bool is_over_quota(const struct forecast *forecast, const struct forecast_lane *lane)
{
    return lane->year + lane->imports > forecast->imports_per_year;
}

/* "prod us-east-1". */
static void print_lane_name(FILE *out, const struct forecast_lane *lane)
{
    format_printable(out, lane->profile[0] != '\0'   ? lane->profile
                          : lane->account[0] != '\0' ? lane->account
                                                     : "the default profile");
    fputc(' ', out);
    format_printable(out, lane->region[0] != '\0' ? lane->region : "in its region");
}

static void print_orders(FILE *out, const struct forecast *forecast)
{
    char count[FORMAT_MAX];
    char duration[FORMAT_MAX];
    if (forecast->orders == 0)
        return;
    fprintf(out,
            "orders: %s: %s, if the CA takes %.0f ms a request and %.0f s each to validate and to "
            "issue\n",
            format_count(forecast->orders, count),
            format_duration(forecast->order_seconds, duration), FORECAST_REQUEST_S * 1000,
            FORECAST_STEP_S);
}

static void print_lanes(FILE *out, const struct forecast *forecast)
{
    char count[FORMAT_MAX];
    char duration[FORMAT_MAX];
    size_t shown = forecast->lane_count < LANES_SHOWN ? forecast->lane_count : LANES_SHOWN;
    for (size_t i = 0; i < shown; i++) {
        const struct forecast_lane *lane = &forecast->lanes[i];
        fputs("  ", out);
        print_lane_name(out, lane);
        if (lane->account[0] != '\0' && lane->profile[0] != '\0')
            fprintf(out, " (%s)", lane->account);
        fprintf(out, ": %s, %s\n", format_count(lane->imports, count),
                format_duration(lane->seconds, duration));
    }
    if (forecast->lane_count > shown)
        fprintf(out, "  and %s more; --json for all\n",
                format_count(forecast->lane_count - shown, count));
}

static void print_imports(FILE *out, const struct forecast *forecast)
{
    char count[FORMAT_MAX];
    char duration[FORMAT_MAX];
    const struct forecast_lane *slowest = forecast->lanes;
    if (forecast->imports == 0)
        return;
    bool crossed = forecast->account_count * forecast->region_count == forecast->lane_count;
    fprintf(out, "imports: %s to %zu %s %s %zu %s at %g/s each: %s (slowest: ",
            format_count(forecast->imports, count), forecast->account_count,
            forecast->account_count == 1 ? "account" : "accounts", crossed ? "x" : "and",
            forecast->region_count, forecast->region_count == 1 ? "region" : "regions",
            forecast->imports_per_second, format_duration(forecast->import_seconds, duration));
    print_lane_name(out, slowest);
    fprintf(out, ", %s)\n", format_count(slowest->imports, count));
    if (forecast->lane_count > 1)
        print_lanes(out, forecast);
}

static void print_quotas(FILE *out, const struct forecast *forecast)
{
    char year[FORMAT_MAX];
    char imports[FORMAT_MAX];
    char limit[FORMAT_MAX];
    size_t over = 0;
    for (size_t i = 0; i < forecast->lane_count; i++) {
        const struct forecast_lane *lane = &forecast->lanes[i];
        if (!is_over_quota(forecast, lane) || over++ >= QUOTAS_SHOWN)
            continue;
        fputs("warning: ", out);
        print_lane_name(out, lane);
        fprintf(out,
                ": %s imports of the last 365 days and %s of this run are more than "
                "aws.imports-per-year (%s): ask AWS for a higher quota\n",
                format_count(lane->year, year), format_count(lane->imports, imports),
                format_count(forecast->imports_per_year, limit));
    }
    if (over > QUOTAS_SHOWN)
        fprintf(out, "warning: likewise %s more; --json for all\n",
                format_count(over - QUOTAS_SHOWN, year));
}

void forecast_print_text(FILE *out, const struct forecast *forecast)
{
    print_orders(out, forecast);
    print_imports(out, forecast);
    print_quotas(out, forecast);
}

static json_t *lane_json(const struct forecast *forecast, const struct forecast_lane *lane)
{
    json_t *object = json_object();
    output_member_text(&object, "account", lane->account);
    output_member_text(&object, "profile", lane->profile);
    output_member_text(&object, "region", lane->region);
    output_member_count(&object, "imports", lane->imports);
    output_member(&object, "seconds", json_real(lane->seconds));
    output_member_count(&object, "imports_last_365_days", lane->year);
    output_member(&object, "over_quota", json_boolean(is_over_quota(forecast, lane)));
    return object;
}

static json_t *imports_json(const struct forecast *forecast)
{
    json_t *lanes = json_array();
    for (size_t i = 0; i < forecast->lane_count && lanes != NULL; i++)
        if (json_array_append_new(lanes, lane_json(forecast, &forecast->lanes[i])) != 0)
            json_release(&lanes);
    json_t *object = json_object();
    output_member_count(&object, "count", forecast->imports);
    output_member(&object, "seconds", json_real(forecast->import_seconds));
    output_member_count(&object, "accounts", forecast->account_count);
    output_member_count(&object, "regions", forecast->region_count);
    output_member(&object, "imports_per_second", json_real(forecast->imports_per_second));
    output_member_count(&object, "imports_per_year", forecast->imports_per_year);
    output_member(&object, "lanes", lanes);
    return object;
}

json_t *forecast_json(const struct forecast *forecast)
{
    json_t *orders = json_object();
    output_member_count(&orders, "count", forecast->orders);
    output_member(&orders, "seconds", json_real(forecast->order_seconds));
    output_member(&orders, "assumed_seconds_a_request", json_real(FORECAST_REQUEST_S));
    output_member(&orders, "assumed_seconds_a_step", json_real(FORECAST_STEP_S));
    json_t *object = json_object();
    output_member(&object, "seconds", json_real(forecast_seconds(forecast)));
    output_member(&object, "orders", orders);
    output_member(&object, "imports", imports_json(forecast));
    return object;
}
