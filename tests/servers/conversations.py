"""Conversations with an ACME server, for comparing two: every answer is noted under the name of its
step. Each is a function, and begins with a server that is new."""

import json
from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from fake.client import Client, make_csr
from fake.jose import encode
from harness.answers import shape_of
from harness.pebble import EAB_KEYS
from harness.process import wait_until

EAB = ("kid-1", EAB_KEYS["kid-1"])
BLOCKED = "blocked.example"
POLL_S = 10


def csr(names, key=None):
    return {"csr": encode(make_csr(names, key))}


def der_of(certificate):
    return encode(certificate.public_bytes(serialization.Encoding.DER))


def unknown_certificate():
    """One that neither server issued."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(timezone.utc)
    name = x509.Name.from_rfc4514_string("CN=nobody.example")
    return x509.CertificateBuilder(name, name, key.public_key(), 4711, now,
                                   now + timedelta(days=1)).sign(key, hashes.SHA256())


def ari_id(certificate):
    """RFC 9773 section 4.1."""
    issuer = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    serial = certificate.serial_number
    return ".".join(map(encode, (issuer.key_identifier,
                                 serial.to_bytes(serial.bit_length() // 8 + 1, "big"))))


class Talk:
    """One conversation with one server, which has issued `issued()` certificates so far."""

    def __init__(self, server, issued):
        self.server, self.issued = server, issued
        self.steps = {}
        self._clients = []

    def client(self, key=None):
        self._clients.append(Client(self.server.directory, self.server.ca_file, key))
        return self._clients[-1]

    def close(self):
        for client in self._clients:
            client.close()

    def note(self, step, answer):
        assert step not in self.steps, step
        self.steps[step] = shape_of(answer)
        return answer

    def registered(self, **more):
        client = self.client()
        client.register(**more)
        return client

    @staticmethod
    def challenge(authorization, kind="http-01"):
        """The URL; the servers list challenges in any order."""
        return next(each["url"] for each in authorization["challenges"] if each["type"] == kind)

    def order(self, client, names, **more):
        """A new order, whose authorizations become valid. Gives (URL, order)."""
        answer = client.new_order(names, **more)
        order = answer.json()
        for url in order["authorizations"]:
            authorization = client.post(url).json()
            if authorization["status"] != "valid":
                client.post(self.challenge(authorization), {})
            self.until(client, url, "valid")
        return answer.headers["Location"], order

    def until(self, client, url, *statuses):
        """Polls until the object has one of the statuses; gives the last answer."""
        answers = []

        def there():
            answers.append(client.post(url))
            return answers[-1].json()["status"] in statuses
        wait_until(there, POLL_S, f"{url} is {statuses}")
        return answers[-1]

    def finalize(self, client, order, request):
        """Returns when the certificate is there: Pebble locks up for ever when an order is read
        while it is being completed."""
        before = self.issued()
        answer = client.post(order["finalize"], request)
        wait_until(lambda: self.issued() > before, POLL_S, "a certificate is issued")
        return answer

    def certificate(self, client, names, key=None, **more):
        """An order to its end. Gives (the certificate's URL, the leaf)."""
        url, order = self.order(client, names, **more)
        self.finalize(client, order, csr(names, key))
        order = self.until(client, url, "valid").json()
        pem = client.post(order["certificate"]).body
        return order["certificate"], x509.load_pem_x509_certificate(pem)


def directory_and_nonces(talk):
    client = talk.registered()
    url = talk.server.directory
    talk.note("directory", client.request("GET", url))
    talk.note("directory, HEAD", client.request("HEAD", url))
    talk.note("directory, POST-as-GET", client.post(url))
    talk.note("directory, PUT", client.request("PUT", url, "{}"))
    nonces = client.directory["newNonce"]
    for method in ("HEAD", "GET", "PUT", "DELETE"):
        talk.note(f"newNonce, {method}", client.request(method, nonces))
    talk.note("newNonce, POST-as-GET", client.post(nonces))
    root = url.rpartition("/")[0]
    talk.note("unknown path", client.request("GET", f"{root}/nothing/here"))
    talk.note("unknown path, POST", client.post(f"{root}/nothing/here"))


def new_account(talk):
    client = talk.client()
    url = client.directory["newAccount"]
    agreed = {"termsOfServiceAgreed": True}

    def register(payload, who=client, **more):
        return who.post(url, payload, with_jwk=True, **more)
    talk.note("missing, onlyReturnExisting", register({"onlyReturnExisting": True}))
    talk.note("not agreed", register({}))
    talk.note("not agreed, false", register({"termsOfServiceAgreed": False}))
    talk.note("no payload", register(None))
    talk.note("payload no object", register([1]))
    talk.note("payload no JSON", register(None, change=signed_again(client, "{")))
    talk.note("contact not an array", register({**agreed, "contact": "mailto:a@example.com"}))
    talk.note("contact not mailto", register({**agreed, "contact": ["tel:+12025550123"]}))
    talk.note("contact no address", register({**agreed, "contact": ["mailto:nobody"]}))
    talk.note("two addresses", register(
        {**agreed, "contact": ["mailto:a@example.com,b@example.com"]}))
    talk.note("no key", client.post(url, agreed, header={"kid": None}))
    talk.note("kid that is none", client.post(url, agreed, header={"kid": "x"}))
    talk.note("new", register({**agreed, "contact": ["mailto:a@example.com"]}))
    talk.note("existing", register(agreed))
    talk.note("existing, onlyReturnExisting", register({"onlyReturnExisting": True}))
    talk.note("no contact", register(agreed, talk.client()))
    talk.note("with a status", register({**agreed, "status": "valid"}, talk.client()))


def signed_again(client, payload):
    """For a payload that is no JSON: signs it as it is."""
    def change(jws):
        jws["payload"] = encode(payload.encode())
        client.seal(jws)
    return change


def accounts(talk):
    client, other = talk.registered(contact=["mailto:a@example.com"]), talk.registered()
    talk.note("get", client.post(client.kid))
    talk.note("contact", client.post(client.kid, {"contact": ["mailto:b@example.com"]}))
    talk.note("no contact", client.post(client.kid, {"contact": []}))
    talk.note("contact no address", client.post(client.kid, {"contact": ["mailto:nobody"]}))
    talk.note("empty update", client.post(client.kid, {}))
    talk.note("unknown status", client.post(client.kid, {"status": "expired"}))
    talk.note("status valid", client.post(client.kid, {"status": "valid"}))
    talk.note("another's", client.post(other.kid))
    talk.note("unknown", client.post(client.kid.rpartition("/")[0] + "/99999"))
    talk.note("kid unknown", client.post(
        client.directory["newOrder"], {},
        header={"kid": client.kid.rpartition("/")[0] + "/99999"}))
    talk.note("kid of another server", client.post(
        client.directory["newOrder"], {}, header={"kid": "https://ca.example/acct/1"}))
    talk.note("deactivate", client.post(client.kid, {"status": "deactivated"}))
    talk.note("deactivated, get", client.post(client.kid))
    talk.note("deactivated, order", client.new_order(["a.example.com"]))
    talk.note("deactivated, register", client.register())


def bindings(talk):
    """Both servers want an external account binding."""
    client = talk.client()
    url = client.directory["newAccount"]

    def register(binding=None, who=client):
        payload = {"termsOfServiceAgreed": True}
        if binding is not None:
            payload["externalAccountBinding"] = binding
        return who.post(url, payload, with_jwk=True)
    good = client.binding(EAB)
    talk.note("directory", client.request("GET", talk.server.directory))
    talk.note("none", register())
    talk.note("not an object", register("x"))
    talk.note("empty object", register({}))
    talk.note("no base64", register({**good, "payload": "*"}))
    talk.note("unknown key", register(client.binding(("kid-9", EAB[1]))))
    talk.note("wrong key", register(client.binding((EAB[0], EAB_KEYS["kid-2"]))))
    talk.note("for another account", register(talk.client().binding(EAB)))
    talk.note("payload changed", register(
        {**good, "payload": talk.client().binding(EAB)["payload"]}))
    talk.note("with a nonce", register(client.binding(EAB, nonce="abc")))
    talk.note("another url", register(client.binding(EAB, url="https://ca.example/")))
    talk.note("another algorithm", register(client.binding(EAB, alg="HS512")))
    talk.note("algorithm none", register(client.binding(EAB, alg="none")))
    talk.note("missing, onlyReturnExisting", client.post(
        url, {"onlyReturnExisting": True}, with_jwk=True))
    talk.note("good", register(good))
    talk.note("existing without", register())
    client.register()
    talk.note("get", client.post(client.kid))


def orders(talk):
    client, other = talk.registered(), talk.registered()
    url = client.directory["newOrder"]

    def order(*identifiers, **more):
        return client.post(url, {"identifiers": list(identifiers), **more})

    def dns(name):
        return {"type": "dns", "value": name}
    one = talk.note("one name", client.new_order(["a.example.com"])).headers["Location"]
    talk.note("several names", client.new_order(["a.example.com", "b.example.com"]))
    talk.note("a name twice", client.new_order(["a.example.com", "a.example.com"]))
    talk.note("upper case", client.new_order(["A.Example.com"]))
    talk.note("wildcard", client.new_order(["*.example.com"]))
    talk.note("wildcard and name", client.new_order(["*.example.com", "example.com"]))
    talk.note("address", order({"type": "ip", "value": "192.0.2.1"}))
    talk.note("IPv6 address", order({"type": "ip", "value": "2001:db8::1"}))
    talk.note("times", order(dns("a.example.com"), **wished_times()))
    talk.note("time that is none", order(dns("a.example.com"), notBefore="tomorrow"))
    talk.note("end before start", order(dns("a.example.com"), **wished_times(-1)))
    talk.note("unknown profile", order(dns("a.example.com"), profile="nothing"))
    talk.note("refused name", client.new_order([BLOCKED]))
    talk.note("refused name among others", client.new_order(["a.example.com", f"x.{BLOCKED}"]))
    talk.note("refused wildcard", client.new_order([f"*.{BLOCKED}"]))
    for name in BAD_NAMES:
        talk.note(f"name {name!r}", order(dns(name)))
    talk.note("address that is none", order({"type": "ip", "value": "192.0.2.256"}))
    talk.note("unknown type", order({"type": "email", "value": "a@example.com"}))
    talk.note("no type", order({"value": "a.example.com"}))
    talk.note("no names", order())
    talk.note("empty object", client.post(url, {}))
    talk.note("names no array", client.post(url, {"identifiers": "a.example.com"}))
    talk.note("no payload", client.post(url))
    talk.note("get", client.post(one))
    talk.note("get with a payload", client.post(one, {}))
    talk.note("another's", other.post(one))
    talk.note("unknown", client.post(one.rpartition("/")[0] + "/99999"))
    lister = talk.registered()
    for name in ("a.example.com", "b.example.com"):
        lister.new_order([name])
    listed = lister.post(lister.kid).json()["orders"]
    talk.note("list", lister.post(listed))
    talk.note("list of another", other.post(listed))


BAD_NAMES = ("", ".", "a..example.com", ".example.com", "example.com.", "-a.example.com",
             "a_b.example.com", "a b.example.com", "*.*.example.com", "a.*.example.com",
             "*", "*.", "192.0.2.1", "x" * 64 + ".example.com", 130 * "a." + "example.com",
             "a.example.com:80", "https://a.example.com/", "b\u00fccher.example.com")


def wished_times(days=3):
    now = datetime.now(timezone.utc).replace(microsecond=0)
    return {"notBefore": now.isoformat(), "notAfter": (now + timedelta(days=days)).isoformat()}


def authorizations(talk):
    client, other = talk.registered(), talk.registered()

    def new(names):
        answer = client.new_order(names)
        return answer.headers["Location"], answer.json()["authorizations"][0]
    _, url = new(["a.example.com"])
    one = talk.note("pending", client.post(url)).json()
    challenge = talk.challenge(one)
    talk.note("wildcard", client.post(new(["*.example.com"])[1]))
    address = client.post(client.directory["newOrder"],
                          {"identifiers": [{"type": "ip", "value": "192.0.2.1"}]})
    talk.note("address", client.post(address.json()["authorizations"][0]))
    talk.note("another's", other.post(url))
    talk.note("another's, deactivate", other.post(url, {"status": "deactivated"}))
    talk.note("unknown", client.post(url.rpartition("/")[0] + "/99999"))
    talk.note("update without status", client.post(url, {}))
    talk.note("update to valid", client.post(url, {"status": "valid"}))
    talk.note("challenge, get", client.post(challenge))
    talk.note("challenge, another's", other.post(challenge, {}))
    talk.note("challenge, unknown", client.post(challenge.partition("/chal")[0] + "/chalZ/99999"))
    talk.note("challenge, key authorization", client.post(challenge, {"keyAuthorization": "x"}))
    talk.note("challenge, no object", client.post(challenge, []))
    talk.note("challenge, start", client.post(challenge, {}))
    talk.until(client, url, "valid")
    talk.note("valid", client.post(url))
    talk.note("challenge, valid", client.post(challenge))
    talk.note("challenge, start again", client.post(challenge, {}))
    talk.note("deactivate when valid", client.post(url, {"status": "deactivated"}))
    talk.note("deactivated", client.post(url))
    order, url = new(["b.example.com"])
    talk.note("deactivate when pending", client.post(url, {"status": "deactivated"}))
    talk.note("deactivated, order", client.post(order))
    # No challenge of it is tried: Pebble then answers nothing any more.


def certificates(talk):
    client, other = talk.registered(), talk.registered()
    pending = client.new_order(["a.example.com"]).json()
    talk.note("not ready", client.post(pending["finalize"], csr(["a.example.com"])))
    names = ["a.example.com", "b.example.com"]
    url, order = talk.order(client, names)
    finalize = order["finalize"]
    talk.note("ready", client.post(url))
    talk.note("finalize, no CSR", client.post(finalize, {}))
    talk.note("finalize, no payload", client.post(finalize))
    talk.note("finalize, no base64", client.post(finalize, {"csr": "*"}))
    talk.note("finalize, no DER", client.post(finalize, {"csr": "AAAA"}))
    talk.note("finalize, PEM", client.post(finalize, {"csr": encode(b"-----BEGIN")}))
    broken = bytearray(make_csr(names))
    broken[-1] ^= 1
    talk.note("finalize, bad signature", client.post(finalize, {"csr": encode(bytes(broken))}))
    talk.note("finalize, other names", client.post(finalize, csr(["a.example.com", "c.test"])))
    talk.note("finalize, a name less", client.post(finalize, csr(["a.example.com"])))
    talk.note("finalize, a name more", client.post(finalize, csr([*names, "c.example.com"])))
    talk.note("finalize, account's key", client.post(finalize, csr(names, client.key)))
    talk.note("finalize, another's", other.post(finalize, csr(names)))
    talk.note("finalize, unknown", client.post(finalize.rpartition("/")[0] + "/99999", csr(names)))
    talk.note("finalize", talk.finalize(client, order, csr(names)))
    talk.note("valid", talk.until(client, url, "valid"))
    talk.note("finalize again", client.post(finalize, csr(names)))
    certificate = client.post(url).json()["certificate"]
    answer = talk.note("certificate", client.post(certificate))
    alternates = [link.partition(">")[0].lstrip("<") for link in answer.headers.get_all("Link")
                  if "alternate" in link]
    talk.note("alternate", client.post(alternates[0]))
    talk.note("certificate, with a payload", client.post(certificate, {}))
    talk.note("certificate, another's", other.post(certificate))
    talk.note("certificate, GET", client.request("GET", certificate))
    talk.note("certificate, unknown", client.post(certificate.rpartition("/")[0] + "/99999"))
    addresses = client.post(client.directory["newOrder"], {"identifiers": [
        {"type": "dns", "value": "a.example.com"}, {"type": "ip", "value": "192.0.2.1"}]})
    talk.note("mixed order", addresses)


def revocation(talk):
    client, other = talk.registered(), talk.registered()
    url = client.directory["revokeCert"]
    key = ec.generate_private_key(ec.SECP256R1())
    _, leaf = talk.certificate(client, ["a.example.com"])
    _, second = talk.certificate(client, ["b.example.com"], key)

    def revoke(certificate, who=client, with_jwk=False, **more):
        return who.post(url, {"certificate": der_of(certificate), **more}, with_jwk)
    talk.note("no payload", client.post(url))
    talk.note("empty object", client.post(url, {}))
    talk.note("no base64", client.post(url, {"certificate": "*"}))
    talk.note("no DER", client.post(url, {"certificate": "AAAA"}))
    talk.note("unknown", revoke(unknown_certificate()))
    talk.note("another account", revoke(leaf, other))
    talk.note("unknown key", revoke(leaf, talk.client(), True))
    for reason in (-1, 7, 11):
        talk.note(f"reason {reason}", revoke(leaf, reason=reason))
    talk.note("reason no number", revoke(leaf, reason="x"))
    talk.note("by the account", revoke(leaf, reason=4))
    talk.note("twice", revoke(leaf))
    talk.note("twice, another account", revoke(leaf, other))
    talk.note("by its key", revoke(second, talk.client(key), True))
    talk.note("by its key, twice", revoke(second, talk.client(key), True))
    third = talk.certificate(client, ["c.example.com"])[1]
    talk.order(other, ["c.example.com"])
    talk.note("by one who has its names", revoke(third, other))


def key_change(talk):
    client, other = talk.registered(), talk.registered()
    url = client.directory["keyChange"]

    def change(new, payload=None, header=None, who=client, spoil=None):
        inner = new.sign(url, {"account": who.kid, "oldKey": who.jwk, **(payload or {})},
                         None, True, header)
        if spoil:
            spoil(inner)
        return who.post(url, inner)
    new = talk.client()
    talk.note("no payload", client.post(url))
    talk.note("no JWS", client.post(url, {"account": client.kid}))
    talk.note("payload changed", change(new, spoil=lambda jws: jws.update(
        payload=encode(b'{"account": "x"}'))))
    talk.note("inner signature bad", change(new, spoil=lambda jws: jws.update(
        signature=encode(64 * b"x"))))
    talk.note("inner without key", change(new, header={"jwk": None}))
    talk.note("inner with kid", change(new, header={"jwk": None, "kid": client.kid}))
    talk.note("inner with nonce", change(talk.client(), header={"nonce": "abc"},
                                         who=talk.registered()))
    talk.note("inner for another url", change(new, header={"url": talk.server.directory}))
    talk.note("inner without url", change(new, header={"url": None}))
    talk.note("another account", change(new, {"account": other.kid}))
    talk.note("no account", change(new, {"account": None}))
    talk.note("another old key", change(new, {"oldKey": other.jwk}))
    talk.note("no old key", change(new, {"oldKey": None}))
    talk.note("the same key", change(client))
    talk.note("a taken key", change(other))
    talk.note("good", change(new))
    talk.note("the old key signs", client.post(client.kid))
    new.kid, client.kid = client.kid, None
    talk.note("the new key signs", new.post(new.kid))
    talk.note("the old key registers", client.register())


def renewal(talk):
    client, other = talk.registered(), talk.registered()
    base = client.directory["renewalInfo"]
    _, leaf = talk.certificate(client, ["a.example.com"])

    def replace(client, names, certificate):
        return client.new_order(names, replaces=certificate)
    talk.note("good", client.request("GET", f"{base}/{ari_id(leaf)}"))
    talk.note("HEAD", client.request("HEAD", f"{base}/{ari_id(leaf)}"))
    talk.note("POST", client.post(f"{base}/{ari_id(leaf)}"))
    talk.note("no id", client.request("GET", f"{base}/"))
    talk.note("not an id", client.request("GET", f"{base}/x"))
    talk.note("no base64", client.request("GET", f"{base}/*.*"))
    key_id, serial = ari_id(leaf).split(".")
    talk.note("another's key id", client.request("GET", f"{base}/AAAA.{serial}"))
    talk.note("unknown serial", client.request("GET", f"{base}/{key_id}.AAAA"))
    talk.note("replaces, not an id", replace(client, ["a.example.com"], "x"))
    talk.note("replaces, unknown", replace(client, ["a.example.com"], f"{key_id}.AAAA"))
    talk.note("replaces, another's", replace(other, ["a.example.com"], ari_id(leaf)))
    talk.note("replaces, other names", replace(client, ["b.example.com"], ari_id(leaf)))
    talk.note("replaces", replace(client, ["a.example.com"], ari_id(leaf)))
    talk.note("replaces again", replace(client, ["a.example.com"], ari_id(leaf)))


def signed_requests(talk):
    """RFC 8555 section 6, with a new order as the request."""
    client = talk.registered()
    url = client.directory["newOrder"]
    payload = {"identifiers": [{"type": "dns", "value": "a.example.com"}]}

    def header(step, **fields):
        talk.note(step, client.post(url, payload, header=fields))

    def jws(step, change):
        talk.note(step, client.post(url, payload, change=change))

    def body(step, data, content_type="application/jose+json"):
        headers = {"Content-Type": content_type} if content_type else {}
        talk.note(step, client.request("POST", url, data, headers))
    header("bad nonce", nonce="abc")
    header("nonce no base64", nonce="*")
    header("no nonce", nonce=None)
    nonce = client.request("HEAD", client.directory["newNonce"]).headers["Replay-Nonce"]
    header("nonce once", nonce=nonce)
    header("nonce twice", nonce=nonce)
    header("another url", url=url + "/")
    header("url of another host", url="https://ca.example/new-order")
    header("no url", url=None)
    header("algorithm none", alg="none")
    header("algorithm HS256", alg="HS256")
    header("algorithm RS256 with an EC key", alg="RS256")
    header("algorithm ES384 with a P-256 key", alg="ES384")
    header("unknown algorithm", alg="XY999")
    header("no algorithm", alg=None)
    header("key and kid", jwk=client.jwk)
    header("key in place of kid", jwk=client.jwk, kid=None)
    header("neither key nor kid", kid=None)
    header("kid no string", kid=7)
    jws("bad signature", lambda jws: jws.update(signature=encode(64 * b"x")))
    jws("short signature", lambda jws: jws.update(signature="AAAA"))
    jws("no signature", lambda jws: jws.pop("signature"))
    jws("no payload", lambda jws: jws.pop("payload"))
    jws("no protected header", lambda jws: jws.pop("protected"))
    jws("protected header no JSON", lambda jws: jws.update(protected=encode(b"{")))
    jws("padded base64", lambda jws: jws.update(payload=jws["payload"] + "=="))
    jws("unprotected header", lambda jws: jws.update(header={"kid": client.kid}))
    jws("several signatures", lambda jws: jws.update(signatures=[{"signature": jws["signature"]}]))
    talk.note("payload no JSON", client.post(url, change=signed_again(client, "{")))
    talk.note("payload no object", client.post(url, [payload]))
    signed = json.dumps(client.sign(url, payload, "abc", False))
    body("wrong content type", signed, "application/json")
    body("no content type", signed, None)
    body("content type with a parameter", signed, "application/jose+json; charset=utf-8")
    body("no JSON", "{")
    body("JSON no object", "[]")
    body("empty", "")
    for name in ("newAccount", "newOrder", "revokeCert", "keyChange"):
        talk.note(f"{name}, GET", client.request("GET", client.directory[name]))
    order = client.post(url, payload)
    talk.note("account, GET", client.request("GET", client.kid))
    talk.note("order, GET", client.request("GET", order.headers["Location"]))
    talk.note("authorization, GET", client.request("GET", order.json()["authorizations"][0]))
    talk.note("finalize, GET", client.request("GET", order.json()["finalize"]))
    for step, jwk in bad_keys().items():
        talk.note(f"key, {step}", client.post(
            client.directory["newAccount"], {"termsOfServiceAgreed": True}, with_jwk=True,
            header={"jwk": jwk}))


def bad_keys():
    good = Client.jwk_of(ec.generate_private_key(ec.SECP256R1()))
    return {"not an object": "x", "empty": {}, "unknown kind": {**good, "kty": "XY"},
            "unknown curve": {**good, "crv": "P-123"}, "no coordinate": {**good, "x": None},
            "not on the curve": {**good, "y": good["x"]},
            "short coordinate": {**good, "x": good["x"][:-2]},
            "short RSA": {"kty": "RSA", "e": "AQAB", "n": encode(b"\xc5" + 127 * b"\x11")}}


def failed_validation(talk):
    """Nobody answers the challenges."""
    client = talk.registered()
    answer = client.new_order(["a.example.com", "b.example.com"])
    order, url = answer.headers["Location"], answer.json()["authorizations"][0]
    challenge = talk.challenge(client.post(url).json())
    client.post(challenge, {})
    talk.note("authorization", talk.until(client, url, "invalid"))
    talk.note("challenge", client.post(challenge))
    talk.note("challenge, start again", client.post(challenge, {}))
    talk.note("order", talk.until(client, order, "invalid"))
    talk.note("finalize", client.post(answer.json()["finalize"],
                                      csr(["a.example.com", "b.example.com"])))
    talk.note("deactivate", client.post(url, {"status": "deactivated"}))
