"""Forecasts of imports into ACM beside what came of them."""

from bench.harness import tables
from bench.harness.svg import rounded

# How far a forecast may be off.
TOLERANCE = 0.1
MARKER = "bench-aws"


def _off(forecast_s, measured_s):
    return (measured_s - forecast_s) / measured_s


def _row(what, profile, region, imports, forecast_s, measured_s):
    return {"what": what, "profile": profile, "region": region, "imports": imports,
            "forecast_s": forecast_s, "measured_s": measured_s, "off": _off(forecast_s, measured_s)}


def rows(forecast, imported, begin, end):
    """`forecast`: of `certmill plan --json`; `imported`: (profile, region, time) of each import;
    `begin`, `end`: of the run. The whole run first, then each lane."""
    made = [_row("whole run", "-", "-", len(imported), forecast["seconds"], end - begin)]
    for lane in forecast["imports"]["lanes"]:
        times = [at for profile, region, at in imported
                 if (profile, region) == (lane["profile"], lane["region"])]
        if len(times) != lane["imports"]:
            raise ValueError(f"{lane['profile']} {lane['region']}: {len(times)} imports, "
                             f"not {lane['imports']}")
        made.append(_row("lane", lane["profile"], lane["region"], len(times), lane["seconds"],
                         max(times) - begin))
    return made


def worst(made):
    return max(abs(row["off"]) for row in made)


def is_met(made):
    return worst(made) <= TOLERANCE


def markdown(result):
    on, made = result["machine"], result["rows"]
    return "\n\n".join((
        "Certificates from the load CA, each imported into 4 accounts x 3 regions of moto behind the "
        "tests' gateway, which checks every signature and takes "
        f"{rounded(result['imports_per_second'])} imports a second from an account and region. "
        "The forecast is that of `certmill plan`, made before anything is sent; measured is the "
        "time from the run's start to the end of the run, and to the last import of each lane.",
        tables.markdown("aws", made).strip("\n"),
        f"The target, a forecast that is right within {100 * TOLERANCE:.0f} %: at most "
        f"{rounded(100 * worst(made))} % off, {'met' if is_met(made) else 'NOT met'}. "
        f"{result['throttled']} calls were throttled.",
        f"Measured by `bench/aws{' --full' if result['full'] else ''}` on {on['cpu']}, Linux "
        f"{on['kernel']}, {result['date']}, certmill {result['version']}.")) + "\n"
