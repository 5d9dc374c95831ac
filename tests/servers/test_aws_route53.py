"""dns-01 by Route 53: the real AWS CLI makes the zones and looks what is left, Pebble validates over
a DNS server that answers from moto's zones, and the gateway checks, counts and disturbs the calls."""

import json
import signal
import sqlite3
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness.aws import ACCOUNT, Aws  # noqa: E402
from harness.case import Case  # noqa: E402
from harness.check import check_pair  # noqa: E402
from harness.fleet import Fleet, account, certificate  # noqa: E402
from harness.load_ca import LoadCa  # noqa: E402
from harness.pebble import Pebble  # noqa: E402
from harness.zone_dns import ZoneDns  # noqa: E402

OTHER = "210987654321"
CHANGE, WAIT, SETS = "ChangeResourceRecordSets", "GetChange", "ListResourceRecordSets"


class Route53(Case):
    deadline_s = 300

    def start(self, *zones, more=None, load_ca=False):
        self.aws = self.enterContext(Aws(self.folder / "aws"))
        self.other_key = self.aws.key(OTHER)
        self.dns = self.enterContext(ZoneDns(self.aws, [ACCOUNT, OTHER], more))
        self.zones = {name: self.zone(name) for name in zones}
        if load_ca:
            self.ca = self.enterContext(LoadCa(self.folder / "ca", "--dns", self.dns.address))
        else:
            self.ca = self.enterContext(Pebble(
                self.folder / "ca", always_valid=False, authz_reuse=0, dns_port=self.dns.port))
        self.fleet = Fleet(self.folder, ca_file=self.ca.ca_file)
        self.fleet.accounts = {"ca": account(self.ca.directory)}
        self.fleet.defaults = {"challenge": "dns-01"}
        self.route53 = {"resolver": self.dns.address}
        self.fleet.solvers = {"dns-01": {"route53": self.route53, "timeout-seconds": 60}}

    def zone(self, name, env=None):
        made = self.aws.cli("route53", "create-hosted-zone", "--name", name,
                            "--caller-reference", f"{name}-{bool(env)}", env=env)
        return made["HostedZone"]["Id"].rpartition("/")[2]

    def sets(self, zone, env=None):
        """The TXT sets of a zone: {name: sorted values}."""
        rows = self.aws.cli("route53", "list-resource-record-sets", "--hosted-zone-id", zone, env=env)
        return {row["Name"]: sorted(each["Value"] for each in row["ResourceRecords"])
                for row in rows["ResourceRecordSets"] if row["Type"] == "TXT"}

    def put(self, zone, name, kind, *values):
        batch = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": {
            "Name": name, "Type": kind, "TTL": 300,
            "ResourceRecords": [{"Value": value} for value in values]}}]}
        self.aws.cli("route53", "change-resource-record-sets", "--hosted-zone-id", zone,
                     "--change-batch", json.dumps(batch))
        self.aws.calls.clear()

    def run_it(self, *options, code=0, **more):
        run = self.fleet.run(*options, env=more.pop("env", None) or self.aws.env(), **more)
        self.assert_code(run, code)
        return run

    def check(self, *names):
        for entry in self.fleet.certificates:
            if not names or entry["name"] in names:
                check_pair(self.fleet.live(entry["name"]), self.ca.root, entry["domains"],
                           ("ECDSA", 256))

    def check_clean(self):
        for zone in self.zones.values():
            self.assertEqual(self.sets(zone), {})
        self.assertEqual(self.rows(), 0)
        self.aws.assert_signed(self)

    def rows(self):
        with sqlite3.connect(self.fleet.state / "state.db") as database:
            return database.execute("SELECT count(*) FROM solver_record").fetchone()[0]

    def test_wildcard_and_apex(self):
        self.start("example.com", "sub.example.com")
        self.aws.behaviour.pending = 2
        self.fleet.certificates = [
            certificate("www", ["example.com", "*.example.com", "www.example.com"]),
            certificate("twin", ["*.example.com", "twin.example.com"]),
            certificate("sub", ["a.sub.example.com"])]
        self.run_it()
        self.check()
        self.check_clean()
        self.assertEqual(self.aws.count(operation=SETS, account=ACCOUNT), 2)  # the CLI's

    def test_a_role_is_assumed_once_for_all_that_a_run_does(self):
        """The accounts file comes from S3 by the same profile as the records go to Route 53."""
        self.start("example.com")
        self.aws.cli("s3", "mb", "s3://accounts")
        self.aws.cli("s3", "cp", "-", "s3://accounts/acme.yaml",
                     data=json.dumps({"accounts": {"ca": [self.fleet.accounts["ca"]]}}))
        role = f"arn:aws:iam::{ACCOUNT}:role/certmill"
        self.aws.roles = {role: {}}
        env = self.aws.profiles(self.folder / "profiles", {
            "base": {"region": "us-east-1", "key": self.aws.default_key},
            "one": {"region": "us-east-1", "role_arn": role, "source_profile": "base"}})
        self.route53["profile"] = "one"
        self.fleet.certificates = [certificate("www")]
        self.run_it("--accounts", "s3://accounts/acme.yaml", "--profile", "one", env=env)
        self.check()
        self.assertEqual(self.aws.count(operation="GetObject", code=""), 1)
        self.assertEqual(self.aws.count(operation="AssumeRole"), 1)
        self.check_clean()

    def test_values_of_others_stay(self):
        self.start("example.com")
        zone = self.zones["example.com"]
        self.put(zone, "_acme-challenge.www.example.com", "TXT", '"of another client"')
        self.put(zone, "example.com", "TXT", '"v=spf1 -all"')
        self.fleet.certificates = [certificate("www"), certificate("mail")]
        self.run_it()
        self.check()
        self.assertEqual(self.sets(zone), {
            "_acme-challenge.www.example.com.": ['"of another client"'],
            "example.com.": ['"v=spf1 -all"']})

    def test_trouble_that_passes(self):
        self.start("example.com", "example.org")
        self.fleet.certificates = [certificate("www"), certificate("org", ["www.example.org"])]
        self.aws.calls.clear()
        self.aws.behaviour.busy = 2
        self.aws.fault("throttle", service="route53", operation="ListHostedZones", count=1)
        self.aws.fault("throttle", service="route53", operation=WAIT, count=1)
        self.aws.fault("unavailable", service="route53", operation=CHANGE, count=2, after=3)
        self.run_it(deadline_s=120)
        self.check()
        self.check_clean()

    def test_lost_answers(self):
        self.start("example.com")
        self.fleet.certificates = [certificate("www"), certificate("mail")]
        self.aws.fault("cut-after", service="route53", operation=CHANGE, count=1)
        self.aws.fault("cut-after", service="route53", operation=CHANGE, count=1, after=4)
        self.run_it(deadline_s=120)
        self.check()
        self.check_clean()

    def test_killed_between_making_and_removing(self):
        self.start("example.com", "example.org")
        self.fleet.certificates = [certificate("www"), certificate("org", ["www.example.org"])]
        for point in ("dns-record-noted", "dns-record-made"):
            run = self.fleet.run(env={**self.aws.env(), "CERTMILL_KILL_AT": point}, points=True)
            self.assertLess(run.code, 0, str(run))
            self.assertEqual(self.rows(), 2)
        left = sum(len(self.sets(zone)) for zone in self.zones.values())
        self.assertGreater(left, 0)
        self.run_it()
        self.check()
        self.check_clean()

    def test_delegation(self):
        self.start("example.com", "acme-dns.test", more={
            ("_acme-challenge.elsewhere.test", "CNAME"): ["hop.acme-dns.test."],
            ("_acme-challenge.circle.test", "CNAME"): ["_acme-challenge.circle.test."]})
        self.put(self.zones["acme-dns.test"], "hop.acme-dns.test", "CNAME", "end.acme-dns.test")
        self.fleet.certificates = [
            certificate("one", ["elsewhere.test", "*.elsewhere.test"]),
            certificate("circle", ["circle.test"]), certificate("none", ["nobody.test"])]
        run = self.run_it(code=1)
        self.check("one")
        self.assertIn("lead in a circle", run.out + run.err)
        self.assertIn("no public hosted zone for _acme-challenge.nobody.test", run.out + run.err)
        self.check_clean()
        asked = [name for name, kind in self.dns.questions if kind == "CNAME"]
        self.assertEqual(asked.count("_acme-challenge.elsewhere.test"), 1)

    def test_zone_of_another_account(self):
        self.start("example.com")
        env = self.aws.profiles(self.folder / "profiles", {
            "dns": {"key": self.aws.default_key, "region": "us-east-1"},
            "other": {"key": self.other_key, "region": "us-east-1"}})
        theirs = self.aws.env(self.other_key)
        zones = [self.zone(name, env=theirs) for name in ("example.org", "example.net")]
        self.route53.update(profile="dns", zones=[
            {"name": "example.org", "profile": "other"},
            {"name": "example.net", "id": zones[1], "profile": "other"}])
        self.fleet.certificates = [
            certificate("all", ["www.example.com", "www.example.org", "www.example.net"])]
        self.run_it(env=env)
        self.check()
        self.check_clean()
        for zone in zones:
            self.assertEqual(self.sets(zone, env=theirs), {})
        self.assertEqual(self.aws.count(operation=CHANGE, account=OTHER), 4)

    def test_missing_permission(self):
        self.start("example.com")
        key = self.aws.key(allowed={"route53:ListHostedZones", "route53:GetChange"})
        self.fleet.certificates = [certificate("www")]
        run = self.run_it(code=1, env=self.aws.env(key))
        self.assertIn("route53:ChangeResourceRecordSets", run.out + run.err)
        self.check_clean()

    def test_interrupted_while_route_53_propagates(self):
        self.start("example.com")
        self.aws.behaviour.pending = 3
        self.fleet.certificates = [certificate("www"), certificate("mail")]
        run = self.fleet.start(env=self.aws.env())
        self.aws.wait_for(1, operation=WAIT)
        self.assertEqual(len(self.sets(self.zones["example.com"])), 2)
        run.signal(signal.SIGINT)
        run.wait(60)
        self.check_clean()
        self.run_it()
        self.check()

    def test_thousand_certificates(self):
        names = [f"zone{number}.test" for number in range(10)]
        self.start(*names, load_ca=True)
        self.fleet.limits = {}  # the defaults: 1,000 in flight, 200 requests a second
        self.fleet.certificates = [
            certificate(f"n{number:04}", [f"n{number:04}.{names[number % 10]}"])
            for number in range(1000)]
        self.aws.calls.clear()
        run = self.run_it("--json", deadline_s=250)
        self.assertEqual(run.json()["issued"], 1000)
        calls = self.aws.count()
        self.assertLessEqual(calls, 40, str(sorted(each.operation for each in self.aws.calls)))
        self.check_clean()


if __name__ == "__main__":
    unittest.main()
