#!/usr/bin/python3
"""The fake CA as a server: inside a test (FakeCa), or as a program of its own.

    /usr/bin/python3 tests/fake/ca.py [--port 0] [--control-port 0] [--tls FOLDER] [--script FILE.json]
                             [--options FILE.json] [--print-port]

The control port (plain HTTP, loopback) answers: GET /records, GET /root, POST /script and
POST /options (JSON bodies as the files'), POST /forget (the requests recorded so far)."""

import argparse
import asyncio
import dataclasses
import json
import ssl
import sys
import threading
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fake.acme import Acme  # noqa: E402
from fake.faults import Script  # noqa: E402
from fake.http1 import Connection, Response  # noqa: E402
from fake.issuer import Issuer  # noqa: E402
from fake.model import Options  # noqa: E402


def records(acme):
    """What the CA saw, as one JSON-able object."""
    book = acme.book
    return {
        "accounts": [{"id": each.id, "eab": each.eab, "contact": each.contact,
                      "orders": len(each.orders)} for each in book.accounts.values()],
        "orders": [{"id": each.id, "names": each.names, "status": each.status,
                    "keys": each.keys, "finalizes": each.finalizes, "downloads": each.downloads,
                    "challenges_answered": each.challenges_answered}
                   for each in book.orders.values()],
        "requests": [dataclasses.asdict(each) for each in book.requests],
        "violations": book.violations,
        "repeats": book.repeats,
        "rules_fired": [rule.fired for rule in acme.script.rules],
    }


class Control:
    """The control port."""

    def __init__(self, acme):
        self._acme = acme

    def handle(self, request):
        acme = self._acme
        try:
            if request.path == "/records":
                return self._json(records(acme))
            if request.path == "/root":
                return Response(200, [("Content-Type", "application/x-pem-file")],
                                acme.issuer.root_pem.encode())
            if request.path == "/forget":
                acme.book.requests.clear()
                return self._json({})
            if request.path == "/script":
                text = json.loads(request.body)
                acme.script = Script(text.get("rules", ()), text.get("seed", 1))
                return self._json({})
            if request.path == "/options":
                set_options(acme.options, json.loads(request.body))
                return self._json({})
        except (ValueError, KeyError, TypeError, AttributeError) as fault:
            return Response(400, [], repr(fault).encode())
        return Response(404)

    @staticmethod
    def _json(value):
        return Response(200, [("Content-Type", "application/json")], json.dumps(value).encode())


def set_options(options, changes):
    known = {each.name for each in dataclasses.fields(options)}
    for name, value in changes.items():
        if name not in known:
            raise ValueError(f"no option {name!r}")
        setattr(options, name, value)


class FakeCa:
    """Runs the CA on a thread of its own. `tls`: (certificate, key) files, or None for plain
    HTTP on loopback.

        with FakeCa(rules=[{"at": "newOrder", "fault": "lost"}]) as ca:
            ca.directory, ca.book.orders, ca.book.requests, ca.root_pem
    """

    def __init__(self, rules=(), seed=1, tls=None, port=0, control_port=None, script=None,
                 **options):
        self.acme = Acme(Options(**options), Issuer(), script or Script(rules, seed))
        self._tls = tls
        self._ports = (port, control_port)
        self._connections = set()
        self._servers = []
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._failure = None
        self._thread = threading.Thread(target=self._run, name="fake-ca", daemon=True)
        self.control = None
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise self._failure

    @property
    def book(self):
        return self.acme.book

    @property
    def options(self):
        return self.acme.options

    @property
    def directory(self):
        return f"{self.acme.base}/dir"

    @property
    def root_pem(self):
        return self.acme.issuer.root_pem

    def set_rules(self, rules, seed=1):
        self.acme.script = Script(rules, seed)

    def forget_requests(self):
        self.acme.book.requests = []

    def drop_connections(self):
        """Ends all connections, as a restarted server does."""
        self._loop.call_soon_threadsafe(lambda: [each.close() for each in
                                                 list(self._connections)])

    def _run(self):
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._listen())
        except Exception as fault:  # handed over to the thread that waits
            self._failure = fault
            return
        finally:
            self._ready.set()
        self._loop.run_forever()
        for each in self._servers:
            each.close()
        for each in list(self._connections):
            each.close()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    async def _listen(self):
        context = None
        if self._tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self._tls)
            context.set_alpn_protocols(["http/1.1"])
        port, control_port = self._ports
        server = await self._loop.create_server(
            lambda: Connection(self.acme.handle, self._connections), "127.0.0.1", port,
            ssl=context, backlog=4096)
        self._servers.append(server)
        self.port = server.sockets[0].getsockname()[1]
        self.acme.base = f"https://localhost:{self.port}" if context else \
            f"http://127.0.0.1:{self.port}"
        if control_port is not None:
            control = Control(self.acme)
            server = await self._loop.create_server(
                lambda: Connection(control.handle, self._connections), "127.0.0.1", control_port)
            self._servers.append(server)
            self.control = server.sockets[0].getsockname()[1]

    def stop(self):
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)

    def join(self):
        self._thread.join()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def main():
    parser = argparse.ArgumentParser(description="A scripted fake ACME CA for tests.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--control-port", type=int, default=0)
    parser.add_argument("--tls", metavar="FOLDER", help="HTTPS; makes ca.pem and the rest there")
    parser.add_argument("--script", metavar="FILE", help="rules of what goes wrong")
    parser.add_argument("--options", metavar="FILE", help="an object of model.Options' fields")
    parser.add_argument("--print-port", action="store_true",
                        help="print directory, control port and root as one JSON line")
    arguments = parser.parse_args()

    tls = None
    if arguments.tls:
        from harness.tls import make_server_certificate
        tls = make_server_certificate(arguments.tls)[1:]
    script = Script.load(arguments.script) if arguments.script else Script()
    options = {}
    if arguments.options:
        options = json.loads(Path(arguments.options).read_text(encoding="utf-8"))
    ca = FakeCa(tls=tls, port=arguments.port, control_port=arguments.control_port, script=script,
                **options)
    if arguments.print_port:
        print(json.dumps({"port": ca.port, "directory": ca.directory, "control_port": ca.control}),
              flush=True)
    else:
        print(f"directory {ca.directory}\ncontrol   http://127.0.0.1:{ca.control}/records",
              flush=True)
    try:
        ca.join()
    except KeyboardInterrupt:
        ca.stop()


if __name__ == "__main__":
    main()
