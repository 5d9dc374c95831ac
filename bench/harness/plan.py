"""Planning over many certificates, and a run of which few are due."""

import json
import os
import re

from harness.fleet import account

from bench.harness.bench import EMAIL
from bench.harness.measure import Failed, measured, run

NAME = "plan"
DUE = 10  # of all live certificates


def write_manifest(folder, count, directory="https://localhost/dir"):
    """YAML as an operator's tool writes it, two names an entry. By lines: a million dicts would
    take longer than what is measured."""
    accounts = folder / "acme_accounts.yaml"
    accounts.write_text(json.dumps({"accounts": {"bench": [account(directory, email=EMAIL)]}}))
    accounts.chmod(0o600)
    manifest = folder / "fleet.yaml"
    with open(manifest, "w", encoding="utf-8") as file:
        file.write("version: 1\naccounts: acme_accounts.yaml\nstate: state\n"
                   "defaults: {account: bench, challenge: none}\n"
                   "limits: {requests-per-second: 0}\ncertificates:\n")
        file.writelines(f"  - name: shop-{i:07}\n    domains: [shop-{i:07}.example.com, "
                        f"www.shop-{i:07}.example.com]\n" for i in range(count))
    return manifest


def certificates(scale):
    return sum(live + DUE for _, live in scale.plan)


def entries(scale):
    return sum(count for count, _ in scale.plan)


def rows(bench):
    for entries, live in bench.scale.plan:
        fleet = _Fleet(bench, entries, live)
        for what, measure_row in (("plan", fleet.plan), ("run", fleet.run)):
            row = bench.row(NAME, {"what": what, "entries": entries, "live": live}, measure_row)
            if row is not None:
                yield row


class _Fleet:
    """Both rows share its files, which are made only when one of them is still to be measured."""

    def __init__(self, bench, entries, live):
        self.bench, self.entries, self.live = bench, entries, live
        self.due = min(DUE, live)  # of those that are live
        self._folder = None

    def _made(self, directory="https://localhost/dir"):
        """The folder, with the manifest's account at this CA."""
        if self._folder is None:
            folder = self.bench.folder(f"plan-{self.entries}-{self.live}")
            write_manifest(folder, self.entries)
            run([self.bench.programs / "bench-fleet", folder / "fleet.yaml", self.live, self.due,
                 os.cpu_count()], folder, deadline_s=self.bench.row_limit_s())
            self._folder = folder
        accounts = self._folder / "acme_accounts.yaml"
        accounts.write_text(json.dumps({"accounts": {"bench": [account(directory, email=EMAIL)]}}))
        return self._folder

    def _measured(self, folder, command, expected):
        """Runs it and finds "N of M certificates ..." near the end of what it prints."""
        figures, log = measured(self.bench.measure, [command], folder,
                                deadline_s=self.bench.row_limit_s(), output=f"{command[1]}.log")
        with open(log, "rb") as file:
            file.seek(max(0, log.stat().st_size - 4096))
            end = file.read().decode(errors="replace")
        found = re.findall(r"^(?:Finished: )?([\d,]+) of [\d,]+ certificates? ", end, re.MULTILINE)
        if not found or int(found[-1].replace(",", "")) != expected:
            raise Failed(f"{command[0]} {command[1]}: not {expected} certificates:\n{end[-1000:]}")
        return {"wall_s": figures.wall_s, "cpu_s": figures.cpu_s, "user_s": figures.user_s,
                "system_s": figures.system_s,
                "peak_mib": figures.peak_kib / 1024}

    def plan(self):
        folder = self._made()
        return self._measured(folder, [self.bench.certmill, "plan", folder / "fleet.yaml"],
                              self.entries - self.live + self.due)

    def run(self):
        """The few that are due are issued; of a fleet without live certificates as few are asked
        for by name. Either way the run holds the whole manifest."""
        bench = self.bench
        ca_folder = bench.folder(f"plan-{self.entries}-{self.live}-ca")
        with bench.start_ca(ca_folder, "none") as ca:
            folder = self._made(ca.directory)
            only = [] if self.live else ["--only", "shop-000000?"]
            return self._measured(
                folder, [bench.certmill, "run", folder / "fleet.yaml", "--ca-file", ca.ca_file,
                         "--progress", "never", *only], self.due or DUE)
