"""Who makes the keys: certmill's own search, chosen by manifest and command line, and the same search
as a module of the openssl program."""

import os
import re
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from flow import FlowCase  # noqa: E402
from harness.certmill import environment  # noqa: E402

MODULE = Path(os.environ.get("CERTMILL_MODULE", Path(__file__).resolve().parents[2] /
                             "build/release/modules/certmill.so"))
BEST = "ifma" if "avx512ifma" in Path("/proc/cpuinfo").read_text() else "portable"


def openssl(*arguments, code=0, **env):
    run = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True,
                         timeout=60, env=environment(env), stdin=subprocess.DEVNULL, check=False)
    if (run.returncode == 0) != (code == 0):
        raise AssertionError(f"openssl {arguments}: {run.returncode}\n{run.stdout}\n{run.stderr}")
    return run.stdout + run.stderr


class WayTest(FlowCase):
    """`crypto:` in the manifest, --crypto, and --provider."""

    def made_by(self, fleet, *options):
        run = fleet.run("--json", *options)
        self.assert_code(run, 0)
        keys = run.json()["figures"]["crypto"]["keys"]
        return {kind: made["by"] for kind, made in keys.items()}

    def test_ways(self):
        for number, (manifest, options, way) in enumerate([
                (None, [], BEST),
                ("portable", [], "portable"),
                ("openssl", [], "openssl"),
                ("openssl", ["--crypto", "portable"], "portable"),
                ("portable", ["--crypto=openssl"], "openssl"),
                ("portable", ["--provider", "default"], "openssl"),
                (None, ["--provider", "certmill", "--provider", "default", "--property-query",
                        "?provider=certmill"], "openssl")]):
            with self.subTest(manifest=manifest, options=options):
                self.start_ca()
                fleet = self.make_fleet(["one", "two"], folder=f"fleet-{number}",
                                        key={"type": "RSA", "size": 2048})
                fleet.crypto = manifest
                self.assertEqual(self.made_by(fleet, *options), {"RSA-2048": way})
                self.check_all_issued(fleet)
                key = fleet.live("one") / "privkey.pem"
                self.assertIn("RSA key ok", openssl("rsa", "-in", key, "-check", "-noout"))

    def test_refused(self):
        self.start_ca()
        fleet = self.make_fleet(["one"])
        for options, part in [
                (["--crypto", "fastest"], "auto, ifma, portable or openssl"),
                (["--crypto", "ifma", "--provider", "default"], "exclude each other"),
                (["--crypto", "portable", "--property-query", "?fips=yes"], "exclude each other")]:
            run = fleet.run(*options)
            self.assert_code(run, 2)
            self.assertIn(part, run.err)


@unittest.skipIf(os.environ.get("CERTMILL_SANITIZE"), "openssl cannot load a sanitizer's module")
class ModuleTest(FlowCase):
    """certmill.so in the openssl program."""

    LOAD = ["-provider-path", MODULE.parent, "-provider", "certmill", "-provider", "default"]
    ASK = [*LOAD, "-propquery", "?provider=certmill"]

    def genpkey(self, bits, *options, load=None, **more):
        key = self.folder / f"key-{len(list(self.folder.iterdir()))}.pem"
        text = openssl("genpkey", *(self.ASK if load is None else load), "-algorithm", "RSA",
                       "-pkeyopt", f"rsa_keygen_bits:{bits}", *options, "-out", key, **more)
        return key, text

    def check(self, key, bits):
        self.assertIn("RSA key ok", openssl("rsa", "-in", key, "-check", "-noout"))
        self.assertIn(f"({bits} bit", openssl("pkey", "-in", key, "-noout", "-text"))
        # with the provider first of all, and asked for nothing
        self.assertIn("RSA key ok", openssl("rsa", *self.LOAD, "-in", key, "-check", "-noout"))
        self.assertIn(f"({bits} bit", openssl("pkey", *self.ASK, "-in", key, "-noout", "-text"))

    def test_keys(self):
        for path in ["auto", "portable"]:
            for bits in [2048, 3072, 4096]:
                key, text = self.genpkey(bits, "-pkeyopt", f"path:{path}")
                self.check(key, bits)
                # The search tells of its steps by dots, OpenSSL's own of rounds as well.
                self.assertNotIn("+", text)

    def test_sample(self):
        """Twenty keys, to the checks of the openssl program."""
        paths = [path for path in ["ifma", "portable"] if path != "ifma" or BEST == "ifma"]
        for path in paths:
            for bits, count in [(2048, 5), (3072, 3), (4096, 2)]:
                for _ in range(count * 2 // len(paths)):
                    key, _ = self.genpkey(bits, "-pkeyopt", f"path:{path}")
                    self.assertIn("RSA key ok", openssl("rsa", "-in", key, "-check", "-noout"))
                    self.assertIn("Key is valid", openssl("pkey", "-in", key, "-check", "-noout"))
                    self.assertIn("Key is valid", openssl("pkey", "-in", key, "-pubcheck", "-noout"))

    def test_other_keys(self):
        for bits, options in [(1024, []), (2048, ["-pkeyopt", "rsa_keygen_pubexp:3"]),
                              (2048, ["-pkeyopt", "rsa_keygen_primes:3"])]:
            key, text = self.genpkey(bits, *options)
            self.check(key, bits)
            self.assertIn("+", text)
        pss = self.folder / "pss.pem"
        openssl("genpkey", *self.ASK, "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:1024",
                "-out", pss)
        self.assertIn("No PSS parameter restrictions", openssl("pkey", "-in", pss, "-noout", "-text"))

    def test_requests(self):
        key, request, text = (self.folder / name for name in ("k.pem", "r.pem", "text"))
        openssl("req", *self.ASK, "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out",
                request, "-subj", "/CN=www.example.com")
        self.assertIn("verify OK", openssl("req", "-in", request, "-verify", "-noout"))
        self.check(key, 2048)
        text.write_text("to be signed")
        signature, public = self.folder / "signature", self.folder / "public.pem"
        openssl("dgst", *self.LOAD, "-sha256", "-sign", key, "-out", signature, text)
        openssl("pkey", *self.LOAD, "-in", key, "-pubout", "-out", public)
        self.assertIn("Verified OK", openssl("dgst", "-sha256", "-verify", public, "-signature",
                                             signature, text))

    def test_configuration(self):
        configuration = self.folder / "openssl.cnf"
        for path in ["auto", "portable", "fastest"]:
            configuration.write_text(
                "openssl_conf = main\n[main]\nproviders = list\nalg_section = algorithms\n"
                "[algorithms]\ndefault_properties = ?provider=certmill\n"
                "[list]\ndefault = one\ncertmill = two\n[one]\nactivate = 1\n"
                f"[two]\nmodule = {MODULE}\nactivate = 1\npath = {path}\n")
            env = {"OPENSSL_CONF": str(configuration)}
            listed = openssl("list", "-providers", **env)
            self.assertEqual("certmill" in listed, path != "fastest")
            key, text = self.genpkey(2048, load=[], **env)
            self.check(key, 2048)
            self.assertEqual("+" in text, path == "fastest")

    def test_libraries(self):
        """Who loads the module gets no library by it."""
        dynamic = subprocess.run(["readelf", "--dynamic", "--wide", MODULE], capture_output=True,
                                 text=True, timeout=60, check=True).stdout
        needed = re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)
        self.assertEqual({name.split(".so")[0] for name in needed}, {"libcrypto", "libc"})

    def test_errors(self):
        _, text = self.genpkey(2048, "-pkeyopt", "path:fastest", code=1)
        self.assertIn("is not auto, ifma or portable", text)
        self.genpkey(100, code=1)
        # There is nothing without OpenSSL's own provider.
        self.genpkey(2048, load=self.LOAD[:4], code=1)


if __name__ == "__main__":
    unittest.main()
