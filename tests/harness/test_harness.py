"""The harness's own checks must be able to fail."""

import os
import shutil
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cryptography.hazmat.primitives import serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402

from fake.ca import FakeCa  # noqa: E402
from fake.client import Client, make_csr  # noqa: E402
from harness.case import Case  # noqa: E402
from harness.certmill import memory_kib  # noqa: E402
from harness.check import FILES, check_pair  # noqa: E402
from harness.fleet import Fleet, account  # noqa: E402
from harness.pair import Pair  # noqa: E402
from harness.process import free_ports, kill_group, start  # noqa: E402

NAMES = ["a.example.com", "www.a.example.com"]


def key_pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


class HarnessTest(Case):
    def issue(self):
        """A live pair as certmill lays it out, made by the tiny client."""
        with FakeCa() as ca:
            client = Client(ca.directory)
            client.register()
            key = ec.generate_private_key(ec.SECP256R1())
            order = client.new_order(NAMES).json()
            done = client.finalize(order, make_csr(NAMES, key)).json()
            text = client.post(done["certificate"]).body
            client.close()
            self.root = self.folder / "root.pem"
            self.root.write_text(ca.root_pem)
        end = text.index(b"-----END CERTIFICATE-----\n") + len(b"-----END CERTIFICATE-----\n")
        texts = {"privkey.pem": key_pem(key), "cert.pem": text[:end], "chain.pem": text[end:],
                 "fullchain.pem": text}
        pair = self.folder / "archive" / "a" / "1"
        pair.mkdir(parents=True)
        for name, mode in FILES.items():
            (pair / name).write_bytes(texts[name])
            (pair / name).chmod(mode)
        (self.folder / "live").mkdir()
        live = self.folder / "live" / "a"
        live.symlink_to("../archive/a/1")
        return live

    def test_pair_checks_can_fail(self):
        live = self.issue()
        check_pair(live, self.root, NAMES, ("ECDSA", 256))
        self.assertEqual(Pair(live).names, tuple(NAMES))
        for names, key in ((NAMES[:1], None), (NAMES, ("RSA", 2048)), (NAMES, ("ECDSA", 384))):
            with self.assertRaises(AssertionError):
                check_pair(live, self.root, names, key)

        other = ec.generate_private_key(ec.SECP256R1())

        def cut_chain(pair):
            (pair / "chain.pem").write_bytes(b"")
        spoilers = [
            lambda pair: (pair / "privkey.pem").write_bytes(key_pem(other)),
            lambda pair: (pair / "privkey.pem").chmod(0o644),
            lambda pair: (pair / "fullchain.pem").write_bytes(b"half"),
            lambda pair: (pair / "cert.pem").unlink(),
            cut_chain,
        ]
        good = live.resolve()
        for number, spoil in enumerate(spoilers):
            with self.subTest(number=number):
                bad = good.with_name(f"{number + 2}")
                shutil.copytree(good, bad)
                spoil(bad)
                live.unlink()
                live.symlink_to(bad)
                with self.assertRaises((AssertionError, OSError)):
                    check_pair(live, self.root, NAMES)
                if number != 1:  # modes are not Pair's matter
                    with self.assertRaises((AssertionError, OSError, ValueError)):
                        Pair(live)
        with FakeCa() as another:
            self.root.write_text(another.root_pem)
        live.unlink()
        live.symlink_to(good)
        with self.assertRaises(AssertionError):
            check_pair(live, self.root, NAMES)

    def test_secrets_are_found(self):
        fleet = Fleet(self.folder)
        fleet.accounts["a"] = account("http://localhost/dir", ("kid", "c2VjcmV0LXNlY3JldA"))
        fleet.write()

        class Quiet:
            out, err = "", "all is well"
        fleet.check_no_secret(Quiet)
        fleet.events.write_text('{"text": "key c2VjcmV0LXNlY3JldA"}')
        with self.assertRaises(AssertionError):
            fleet.check_no_secret(Quiet)

    def test_processes(self):
        self.assertEqual(len(set(free_ports(20))), 20)
        process = start(["/bin/sh", "-c", "sleep 60 & echo $!; wait"], self.folder / "log")
        self.assertGreater(memory_kib(process.pid), 0)
        while not (self.folder / "log").read_text().endswith("\n"):
            self.assertIsNone(process.poll())
        child = int((self.folder / "log").read_text())
        kill_group(process)
        self.assertEqual(process.returncode, -9)
        state = Path(f"/proc/{child}/stat")
        while state.exists() and state.read_text().split()[2] != "Z":
            os.sched_yield()


if __name__ == "__main__":
    unittest.main()
