"""certmill beside other clients: same CA, same names, same run. The rounds are interleaved, so that
a slow minute of the machine is everybody's."""

import subprocess

from bench.harness.measure import Failed, measured, medians, run
from bench.peers.clients import CONCURRENT, Job, all_clients
from bench.peers.webroot import Webroot

NAME = "clients"
# How each P-256 public key begins in PEM: the base64 of its algorithm identifier.
P256_PUBLIC_KEY = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE"
CHECKED = 10  # pairs of each client, evenly chosen


def certificates(scale):
    others = [name for name in scale.clients if name not in CONCURRENT]
    return scale.rounds * (2 * (1 + len(scale.clients) - len(others)) * scale.concurrent_certificates
                           + 2 * len(others) * scale.serial_certificates)


def rows(bench):
    """A row for each client (certbot has two) and challenge, with the medians of its rounds and the
    ratio of its CPU time to certmill's. A client counts only with all its rounds."""
    tasks = list(_tasks(bench))
    rounds = {}
    for number in range(bench.scale.rounds):
        turn = number % max(1, len(tasks))
        for client, challenge, count in tasks[turn:] + tasks[:turn]:
            row = bench.row("clients-round", {"client": client.name, "challenge": challenge,
                                              "certificates": count, "round": number + 1},
                            lambda c=client, ch=challenge, n=count: _measure(bench, c, ch, n))
            for phase in row["phases"] if row else ():
                rounds.setdefault((client.name, challenge, phase["row"]), []).append(phase)
    order = {client.name: place for place, (client, _, _) in reversed(list(enumerate(tasks)))}
    whole = [(key, medians(phases)) for key, phases in rounds.items()
             if len(phases) == bench.scale.rounds]
    whole.sort(key=lambda item: (item[0][1], order[item[0][0]]))
    base = {key[1]: row for key, row in whole if key[0] == "certmill"}
    for (_, challenge, _), row in whole:
        own = base.get(challenge)
        yield {**row, "challenge": challenge, "rounds": bench.scale.rounds,
               "ratio": row["cpu_ms"] / own["cpu_ms"] if own else None,
               "memory_ratio": row["peak_mib"] / own["peak_mib"] if own else None}


def _tasks(bench):
    for client in all_clients(bench):
        if client.name != "certmill" and client.name not in bench.scale.clients:
            continue
        if reason := client.missing():
            if not any(reason in each for each in bench.left_out):
                bench.left_out.append(f"clients: {client.name}: {reason}")
            continue
        for challenge in client.challenges:
            yield client, challenge, bench.scale.concurrent_certificates if client.concurrent \
                else bench.scale.serial_certificates


def _measure(bench, client, challenge, count):
    folder = bench.folder(f"client-{client.name}-{challenge}")
    own = folder / "client"
    own.mkdir()
    names = [f"shop-{i:05}.example.com" for i in range(1, count + 1)]
    with bench.start_ca(folder, challenge) as ca:
        webroot = Webroot(folder / "webroot", ca.http_port)
        try:
            job = Job(own, ca.directory, ca.ca_file, folder / "webroot", names, challenge,
                      client.in_flight)
            return {"phases": [_phase(bench, client, phase, job, ca)
                               for phase in client.phases(job)]}
        finally:
            webroot.stop()


def _phase(bench, client, phase, job, ca):
    options = {"deadline_s": bench.row_limit_s(), "env": {"HOME": str(job.folder), **phase.env}}
    for command in phase.setup:
        run([*phase.wrapper, *command], job.folder, **options)
    before = ca.spent()
    figures, _ = measured(bench.measure, phase.commands, job.folder, wrapper=phase.wrapper,
                          **options)
    ca_cpu_s, issued, requests = (b - a for a, b in zip(before, ca.spent()))
    count = len(job.names)
    if issued != count:
        raise Failed(f"{phase.row}: {issued} certificates issued, not {count}")
    for name in job.names[::max(1, count // CHECKED)]:
        _check(phase, name, ca.root)
    return {"row": phase.row, "how": phase.how, "version": client.version(), "certificates": count,
            "wall_s": figures.wall_s, "per_s": count / figures.wall_s,
            **figures.cpu_ms(count), "peak_mib": figures.peak_kib / 1024,
            "ca_cpu_ms": 1000 * ca_cpu_s / count, "requests": requests / count}


def _check(phase, name, root):
    """The certificate is of this CA and name, and its key is P-256 and beside it."""
    chain, key = phase.pair_of(name)
    verify = _openssl("verify", "-CAfile", root, "-untrusted", chain, "-verify_hostname", name,
                      chain)
    public = _openssl("x509", "-in", chain, "-noout", "-pubkey")
    own = _openssl("pkey", "-in", key, "-pubout")
    if not verify or not own or public != own or P256_PUBLIC_KEY not in own:
        raise Failed(f"{phase.row}: {chain} and {key} are no good pair for {name}")


def _openssl(*arguments):
    """Its output; empty when it fails."""
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, timeout=10)
    return done.stdout if done.returncode == 0 else ""
