/* The forecast as `certmill plan` shows it. */
#ifndef CERTMILL_PLAN_FORECAST_PRINT_H
#define CERTMILL_PLAN_FORECAST_PRINT_H

#include "base/json.h"
#include "plan/forecast.h"

#include <stdio.h>

void forecast_print_text(FILE *out, const struct forecast *forecast);
/* NULL without memory. */
json_t *forecast_json(const struct forecast *forecast) MUST_USE;

#endif
