"""A whole result of bench/run, made up, for the tests of what is reckoned and shown from it."""


def scaling_row(challenge, in_flight, orders, cpu_ms, order_kib):
    return {"challenge": challenge, "in_flight": in_flight, "orders": orders,
            "wall_s": orders / 900, "cpu_s": orders * cpu_ms / 1000, "orders_per_s": 900.0,
            "cpu_ms": cpu_ms, "user_ms": 0.6 * cpu_ms, "system_ms": 0.4 * cpu_ms, "peak_kib": 16000 + (order_kib or 0) * in_flight, "ca_cpu_ms": 0.2,
            "requests": 4.0 if challenge == "none" else 7.0, "order_kib": order_kib,
            "growing": orders in (2001, 4001), "file_system": "ext4 with a journal",
            "tmpfs_cpu_ms": cpu_ms * 0.7, "tmpfs_user_ms": 0.5 * cpu_ms,
            "tmpfs_system_ms": 0.2 * cpu_ms, "tmpfs_orders_per_s": 950.0, "disk_share": 0.3}


def client_row(row, challenge, cpu_ms, ratio):
    return {"row": row, "how": "one process", "version": "1.0", "certificates": 100,
            "challenge": challenge, "wall_s": 1.0, "per_s": 100.0, "cpu_ms": cpu_ms,
            "user_ms": 0.7 * cpu_ms, "system_ms": 0.3 * cpu_ms,
            "peak_mib": 20.0, "ca_cpu_ms": 0.2, "requests": 4.0, "rounds": 3, "ratio": ratio,
            "memory_ratio": 1.5}


def plan_rows(entries, live):
    return [{"what": what, "entries": entries, "live": live, "wall_s": entries * 9e-6,
             "cpu_s": entries * 8e-6, "peak_mib": 10 + entries * 3e-4} for what in ("plan", "run")]


def sample_sections():
    points = ((1, 300, 1.2, None), (10, 2000, 0.7, None), (100, 4000, 0.5, 14.0),
              (1000, 8000, 0.44, 9.0), (10000, 20000, 0.47, 7.0), (1000, 2001, 0.45, 9.0),
              (1000, 4001, 0.44, 9.0))
    return {
        "scaling": [scaling_row(challenge, in_flight, orders, factor * cpu_ms, order_kib)
                    for challenge, factor in (("none", 1), ("http-01", 1.7))
                    for in_flight, orders, cpu_ms, order_kib in points],
        "clients": [client_row("certmill", "none", 0.45, 1.0), client_row("go, as durable", "none", 1.8, 4.0),
                    client_row("go, files only", "none", 0.9, 2.0),
                    client_row("certmill", "http-01", 0.8, 1.0),
                    client_row("go, as durable", "http-01", 2.4, 3.0),
                    client_row("lego", "http-01", 25, 31.25),
                    client_row("certbot certonly", "http-01", 360, 450.0),
                    client_row("certbot renew", "http-01", 120, 150.0),
                    client_row("uacme", "http-01", 180, 225.0)],
        "realistic": [{"what": "no limits", "challenge": "none", "in_flight": 1000,
                       "orders": 10000, "formula": "1000 / 2.2 s", "possible_per_s": 454.5,
                       "orders_per_s": 436.4, "share": 0.96, "ends_share": 0.01, "wall_s": 22.9,
                       "time_share": 0.97, "requests": 4.0}],
        "keys": [{"fleet": "RSA-4096", "orders": 20, "key_cpu_ms": 1200.0, "expected_s": 12.0,
                  "floor_s": 12.5, "wall_s": 13.0, "over_expected": 0.083, "uncertainty": 0.06,
                  "over_floor": 0.04}],
        "store": [{"way": "ring", "at_once": 256, "per_s": 3000.0, "cpu_ms": 0.3, "ratio": 3.4}],
        "plan": [row for entries, live in ((10000, 10000), (100000, 100000), (1000000, 1000000),
                                           (1000000, 0)) for row in plan_rows(entries, live)],
    }


def sample_result(sections):
    return {"date": "2026-11-23", "version": "abc1234", "scale": "default", "ca": "certmill-ca",
            "machine": {"cpu": "A <Processor> & Co", "cores": 2, "memory_gib": 24.0,
                        "kernel": "6.1", "system": "Debian", "file_system": "ext4",
                        "load_before": 0.1, "libraries": {"libcurl4": "7.88"}},
            "sections": sections, "failed": [], "left_out": []}
