#!/usr/bin/python3
"""Starts Pebble and its DNS by hand, until standard input ends or a signal comes.

    /usr/bin/python3 tests/harness/start_pebble.py FOLDER

Every name is at 127.0.0.1, accounts need a binding (harness.pebble.EAB_KEYS), and challenges are
looked at for real. When both answer, writes to standard output, as lines of NAME=value: DIRECTORY,
CA_FILE (trust for its HTTPS), ROOT (of the certificates that it issues), HTTP_PORT (where it
fetches http-01 answers)."""

import argparse
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness.pebble import Challtestsrv, Pebble  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description="Start Pebble and its DNS.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--nonce-reject", type=int, default=5, help="per cent")
    parser.add_argument("--always-valid", action="store_true", help="look at no challenge")
    arguments = parser.parse_args()
    # As an exception, so that the servers are ended too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    folder = arguments.folder.resolve()
    with Challtestsrv(folder) as dns, \
            Pebble(folder, eab_required=True, nonce_reject=arguments.nonce_reject,
                   always_valid=arguments.always_valid, dns_port=dns.dns_port) as pebble:
        print(f"DIRECTORY={pebble.directory}\nCA_FILE={pebble.ca_file}\nROOT={pebble.root}\n"
              f"HTTP_PORT={pebble.http_port}", flush=True)
        # Whoever reads has all that there is to read.
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        sys.stdin.read()


if __name__ == "__main__":
    main()
