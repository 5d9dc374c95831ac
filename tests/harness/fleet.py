"""An operator's files in a temporary folder: accounts, manifest, state; and runs over them."""

import json
import os
from pathlib import Path

from harness.certmill import Started


def account(directory, eab=None, email="ops@example.com", key=("ECDSA", 256), renew_before_days=30):
    """One alias of the accounts file. `eab`: (key id, HMAC key)."""
    entry = {"acme-endpoint": directory, "email": email, "RenewBeforeDays": renew_before_days,
             "KeyType": key[0], "KeySize": key[1]}
    if eab:
        entry["eab-key"], entry["eab-hmac-key"] = eab
    return entry


def certificate(name, domains=None, **more):
    """One entry of the manifest; keys of `more` have underscores for hyphens."""
    entry = {"name": name, "domains": list(domains or [f"{name}.example.com"])}
    entry.update((key.replace("_", "-"), value) for key, value in more.items())
    return entry


class Fleet:
    """Writes the files (JSON, which is YAML) and runs certmill over them."""

    def __init__(self, folder, ca_file=None):
        self.folder = Path(folder)
        self.ca_file = ca_file
        self.accounts = {}
        self.certificates = []
        self.defaults = {"challenge": "none"}
        self.solvers = {}
        self.limits = {"requests-per-second": 0}
        self.crypto = None
        self.aws = {}
        self.revocation = None
        self.state = self.folder / "state"
        self.manifest = self.folder / "fleet.yaml"
        self.events = self.folder / "events.jsonl"

    def write(self):
        accounts = self.folder / "acme_accounts.yaml"
        accounts.write_text(json.dumps({"accounts": {
            alias: [entry] for alias, entry in self.accounts.items()}}, indent=2))
        os.chmod(accounts, 0o600)
        manifest = {"version": 1, "accounts": accounts.name, "state": str(self.state),
                    "defaults": self.defaults, "limits": self.limits,
                    "certificates": self.certificates}
        if self.crypto:
            manifest["crypto"] = self.crypto
        if self.aws:
            manifest["aws"] = self.aws
        if self.revocation:
            manifest["revocation"] = self.revocation
        if self.solvers:
            manifest["solvers"] = self.solvers
        self.manifest.write_text(json.dumps(manifest, indent=1))

    def start(self, *options, env=None, points=False, command="run"):
        self.write()
        arguments = [command, self.manifest]
        if command == "run":
            arguments += ["--events", self.events, "--progress", "never"]
            if self.ca_file:
                arguments += ["--ca-file", self.ca_file]
        return Started([*arguments, *options], self.folder, env=env, points=points)

    def run(self, *options, deadline_s=60, **more):
        """A whole run; scans everything that it wrote for the accounts' secrets."""
        run = self.start(*options, **more).wait(deadline_s)
        self.check_no_secret(run)
        return run

    def check_no_secret(self, run):
        texts = [run.out, run.err]
        if self.events.exists():
            texts.append(self.events.read_text(errors="replace"))
        for path in self.state.glob("state.db*"):
            texts.append(path.read_bytes().decode("latin-1"))
        secrets = [entry["eab-hmac-key"] for entry in self.accounts.values()
                   if "eab-hmac-key" in entry]
        for text in texts:
            if any(secret in text for secret in secrets) or "PRIVATE KEY" in text:
                raise AssertionError("a secret is in the output, the events or the state")

    def event_list(self):
        if not self.events.exists():
            return []
        return [json.loads(line) for line in self.events.read_text().splitlines()]

    def live(self, name):
        return self.state / "live" / name

    def live_names(self):
        folder = self.state / "live"
        return sorted(os.listdir(folder)) if folder.exists() else []

    def sequence(self, name):
        """Which archive folder live/NAME points to; 0: none."""
        try:
            return int(os.readlink(self.live(name)).rsplit("/", 1)[1])
        except FileNotFoundError:
            return 0

    def account_keys(self):
        return sorted((self.state / "accounts").glob("*/*/key.pem"))
