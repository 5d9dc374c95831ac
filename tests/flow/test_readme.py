"""Every command of the README is run: what it tells an operator to type works as it stands. Those of its
AWS section are run by tests/servers/test_aws_readme.py."""

import os
import re
import shlex
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fake.ca import FakeCa  # noqa: E402
from harness.case import Case  # noqa: E402
from harness.certmill import environment, program  # noqa: E402
from harness.load_ca import program as load_ca_program  # noqa: E402
from harness.process import die_with_parent, free_ports  # noqa: E402

REPOSITORY = Path(__file__).resolve().parents[2]
README = re.sub(r"^## AWS\n.*?(?=^## )", "", (REPOSITORY / "README.md").read_text(),
                flags=re.MULTILINE | re.DOTALL)

# Commands that other tests run: bench/demo by tests/flow/test_demo.py, bench/run by
# tests/servers/test_bench.py, bench/keygen by tests/harness/test_keygen.py; and
# tests/run runs this test.
ELSEWHERE = {"bench/demo", "bench/keygen", "bench/run", "tests/run"}


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def commands():
    """The lines of all shell blocks, without comments; "a && b" is two."""
    found = []
    for block in blocks("sh"):
        for line in block.splitlines():
            line = re.sub(r"(^|\s+)#.*", "", line).strip()
            found += [part.strip() for part in line.split("&&") if part.strip()]
    return found


def yaml_after(words):
    """The first YAML block after these words."""
    rest = README[README.index(words):]
    return re.search(r"^```yaml\n(.*?)^```", rest, re.MULTILINE | re.DOTALL).group(1)


class ReadmeTest(Case):
    deadline_s = 240

    def setUp(self):
        super().setUp()
        self.ports = {}  # the README's -> free ones
        accounts = yaml_after("`acme_accounts.yaml`:")
        key_id = re.search(r'eab-key: "(.*?)"', accounts).group(1)
        hmac = re.search(r'eab-hmac-key: "(.*?)"', accounts).group(1)
        self.ca = FakeCa(eab={key_id: hmac})
        self.addCleanup(self.ca.stop)
        without_binding = FakeCa()
        self.addCleanup(without_binding.stop)
        # What must differ from the operator's machine: where the CA is, where the state goes, and
        # that no service of this machine is reloaded.
        here = iter([self.ca.directory, without_binding.directory])
        accounts = re.sub(r'(?<=acme-endpoint: ").*?(?=")', lambda _: next(here), accounts)
        self.write("acme_accounts.yaml", accounts, 0o600)
        manifest = yaml_after("`fleet.yaml`:")
        self.write("fleet.yaml", manifest.replace("/var/lib/certmill", str(self.folder / "state")))
        self.write("bin/systemctl", '#!/bin/sh\necho "$@" >>"$0.log"\n', 0o755)
        (self.folder / "bin/certmill").symlink_to(program())

    def write(self, name, text, mode=0o644):
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def do(self, command, folder, **variables):
        env = environment(variables)
        env["PATH"] = f"{self.folder / 'bin'}:{env['PATH']}"
        done = subprocess.run(shlex.split(command), cwd=folder, env=env, text=True, timeout=120,
                              stdin=subprocess.DEVNULL, capture_output=True)
        self.assertEqual(done.returncode, 0, f"{command}:\n{done.stdout}\n{done.stderr}")
        return done.stdout + done.stderr

    def test_every_command(self):
        ran = {}
        for command in commands():
            if command in ELSEWHERE:
                self.assertTrue(os.access(REPOSITORY / command.split()[0], os.X_OK), command)
            elif command.startswith("certmill "):
                ran[command] = self.do(command, self.folder)
            elif command.startswith("certmill-ca "):
                self.start_ca_of_readme(command)
            elif command.startswith("curl "):
                self.do(self.with_free_ports(command).replace("curl ", "curl --fail --silent "),
                        self.folder)
            elif command.startswith("cmake --install"):
                self.check_install(command)
            elif command.startswith("cmake --"):
                # Building is what comes before any test; here only the presets' names are looked at.
                self.do("cmake --list-presets", REPOSITORY)
                self.assertIn("release", self.do("cmake --list-presets", REPOSITORY))
            else:
                self.fail(f"the README has a command that no test runs: {command}")
        self.assertIn("www", ran["certmill list fleet.yaml"])
        self.assertIn("issued", ran["certmill list fleet.yaml"])
        self.assertEqual(len(self.ca.book.orders), 2)
        self.assertEqual((self.folder / "bin/systemctl.log").read_text(), "reload nginx\n")
        live = self.folder / "state/live/www"
        self.assertEqual(sorted(path.name for path in live.iterdir()),
                         ["cert.pem", "chain.pem", "fullchain.pem", "privkey.pem"])

    def with_free_ports(self, command):
        """The README's ports may be taken on this machine."""
        for port in re.findall(r"127\.0\.0\.1:(\d+)", command):
            if port not in self.ports:
                self.ports[port] = str(free_ports(1)[0])
            command = command.replace(f":{port}", f":{self.ports[port]}")
        return command

    def start_ca_of_readme(self, command):
        """It serves until the test ends."""
        arguments = shlex.split(self.with_free_ports(command))
        process = subprocess.Popen([load_ca_program(), *arguments[1:]], cwd=self.folder, text=True,
                                   stdout=subprocess.PIPE, preexec_fn=die_with_parent)
        self.addCleanup(process.wait, 20)
        self.addCleanup(process.terminate)
        with process.stdout as lines:
            self.assertIn("DIRECTORY=https://localhost:", lines.read())

    def check_install(self, command):
        """Into a folder of the test, from the build under test."""
        build = Path(program()).parent.parent
        target = self.folder / "installed"
        self.do(command.replace("build/release", shlex.quote(str(build))), REPOSITORY,
                DESTDIR=str(target))
        for name in ("bin/certmill", "share/man/man1/certmill.1",
                     "share/bash-completion/completions/certmill"):
            self.assertTrue((target / "usr/local" / name).is_file(), name)


if __name__ == "__main__":
    unittest.main()
