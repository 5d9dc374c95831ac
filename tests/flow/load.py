"""What the tests against the load CA share."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness.case import Case  # noqa: E402
from harness.check import check_pair  # noqa: E402
from harness.fleet import Fleet, account, certificate  # noqa: E402
from harness.load_ca import LoadCa  # noqa: E402
from harness.pair import Pair  # noqa: E402

# Sanitizers make both sides several times slower.
COUNT = 60 if os.environ.get("CERTMILL_SANITIZE") else 200


class LoadCaCase(Case):
    deadline_s = 300

    def start_ca(self, *options, **more):
        ca = LoadCa(self.folder / "ca", *options, **more)
        self.addCleanup(ca.stop)
        return ca

    def make_fleet(self, ca, folder, count=COUNT, challenge="none", domain="example.com"):
        path = self.folder / folder
        path.mkdir()
        fleet = Fleet(path, ca_file=ca.ca_file)
        fleet.accounts["ca"] = account(ca.directory)
        fleet.defaults = {"account": "ca", "challenge": challenge}
        fleet.limits["order-timeout-seconds"] = 120
        fleet.certificates = [certificate(f"n{number:03}", [f"n{number:03}.{domain}"])
                              for number in range(count)]
        return fleet

    def check_issued(self, ca, fleet):
        for entry in fleet.certificates:
            self.assertEqual(Pair(fleet.live(entry["name"])).names, tuple(entry["domains"]))
        for entry in fleet.certificates[:2]:
            check_pair(fleet.live(entry["name"]), ca.root, entry["domains"])

    def run_whole(self, ca, folder, *options, **more):
        """A run of which all is issued; the CA's figures."""
        fleet = self.make_fleet(ca, folder, **more)
        ca.reset_figures()
        self.assert_code(fleet.run(*options, deadline_s=120), 0)
        self.check_issued(ca, fleet)
        return ca.figures()
