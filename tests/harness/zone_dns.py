"""A DNS server over UDP that answers from the zones which moto's Route 53 holds: what certmill makes
there is what a CA sees. CNAMEs are followed, as a recursive resolver does."""

import http.client
import re
import socket
import struct
import threading
import time
import xml.etree.ElementTree as xml

_TYPES = {1: "A", 5: "CNAME", 16: "TXT", 28: "AAAA"}
_CODES = {name: code for code, name in _TYPES.items()}
_FRESH_S = 0.1
# moto takes the service from the scope and checks no signature.
_SCOPE = "AWS4-HMAC-SHA256 Credential=AKIA/20261123/us-east-1/route53/aws4_request"


def _name(text):
    return b"".join(bytes([len(label)]) + label.encode()
                    for label in text.rstrip(".").split(".")) + b"\0"


def _strings(value):
    """The strings of a TXT value: "one" "two"."""
    strings = [part.encode() for part in re.findall(r'"((?:[^"\\]|\\.)*)"', value)]
    return b"".join(bytes([len(each)]) + each for each in strings)


class ZoneDns:
    """Listens on .address. `accounts`: whose zones; `more`: {(name, type): [value]}, beside them;
    `questions`: (name, type) of each question."""

    def __init__(self, aws, accounts, more=None):
        self.aws, self.accounts, self.more = aws, accounts, more or {}
        self.questions = []
        self._records, self._seen, self._read_at = {}, None, 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join(10)
        self._socket.close()

    def _ask_moto(self, account, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.aws.gateway.moto_port, timeout=30)
        try:
            connection.request("GET", path, headers={"x-moto-account-id": account,
                                                     "Authorization": _SCOPE})
            return xml.fromstring(connection.getresponse().read())
        finally:
            connection.close()

    def zone_records(self, account, zone):
        """(name, type, [value]) of a zone; names without the final dot."""
        sets = self._ask_moto(account, f"/2013-04-01/hostedzone/{zone}/rrset?maxitems=100000")
        for each in sets.findall(".//{*}ResourceRecordSet"):
            yield (each.findtext("{*}Name").rstrip(".").lower(),
                   each.findtext("{*}Type"),
                   [value.text for value in each.findall(".//{*}Value")])

    def _records_now(self):
        seen = self.aws.count(operation="ChangeResourceRecordSets")
        if seen != self._seen or time.monotonic() > self._read_at + _FRESH_S:
            records = dict(self.more)
            for account in self.accounts:
                zones = self._ask_moto(account, "/2013-04-01/hostedzone")
                for zone in zones.findall(".//{*}HostedZone"):
                    name = zone.findtext("{*}Id").rpartition("/")[2]
                    for owner, kind, values in self.zone_records(account, name):
                        records.setdefault((owner, kind), []).extend(values)
            self._records, self._seen, self._read_at = records, seen, time.monotonic()
        return self._records

    def _answers(self, name, kind):
        records = self._records_now()
        for _ in range(10):
            found = records.get((name, kind), [])
            for value in found:
                data = _strings(value) if kind == "TXT" else _name(value) if kind == "CNAME" else \
                    socket.inet_aton(value)
                yield _name(name), _CODES[kind], data
            target = records.get((name, "CNAME"))
            if found or kind == "CNAME" or not target:
                return
            yield _name(name), _CODES["CNAME"], _name(target[0])
            name = target[0].rstrip(".")

    def _reply(self, query):
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        end = at + 5
        name, kind = ".".join(labels).lower(), _TYPES.get(query[at + 2], "")
        self.questions.append((name, kind))
        answers = list(self._answers(name, kind)) if kind else []
        body = b"".join(owner + struct.pack(">HHIH", code, 1, 10, len(data)) + data
                        for owner, code, data in answers)
        head = query[:2] + struct.pack(">HHHHH", 0x8580 | (0 if answers else 3), 1, len(answers), 0, 0)
        return head + query[12:end] + body

    def _serve(self):
        while True:
            query, sender = self._socket.recvfrom(4096)
            if len(query) < 17:
                return
            self._socket.sendto(self._reply(query), sender)
