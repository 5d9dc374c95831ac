"""A tiny ACME client, so that the fake CA can be tried alone. Every answer is handed back as it
is: no retries."""

import hashlib
import hmac
import http.client
import json
import ssl
import urllib.parse

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from fake.jose import decode, encode


def make_csr(names, key=None):
    """A CSR in DER."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder(x509.Name([])).add_extension(
        x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
    return request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    def json(self):
        return json.loads(self.body)

    @property
    def problem(self):
        """The ACME problem type's last part, or None."""
        if self.headers.get_content_type() != "application/problem+json":
            return None
        return self.json()["type"].rpartition(":")[2]


class Client:
    def __init__(self, directory, ca_file=None, key=None):
        parts = urllib.parse.urlsplit(directory)
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=ca_file)
            self._connection = http.client.HTTPSConnection(parts.netloc, context=context,
                                                           timeout=10)
        else:
            self._connection = http.client.HTTPConnection(parts.netloc, timeout=10)
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.jwk = self.jwk_of(self.key)
        self.kid = None
        self.nonce = None
        self.directory = self.request("GET", directory).json()

    @staticmethod
    def jwk_of(key):
        numbers = key.public_key().public_numbers()
        return {"kty": "EC", "crv": "P-256", "x": encode(numbers.x.to_bytes(32, "big")),
                "y": encode(numbers.y.to_bytes(32, "big"))}

    def close(self):
        self._connection.close()

    def request(self, method, url, body=None, headers=None):
        parts = urllib.parse.urlsplit(url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        try:
            self._connection.request(method, path, body, {"User-Agent": "client",
                                                          **(headers or {})})
            answer = Answer(self._connection.getresponse())
        except Exception:
            self._connection.close()
            raise
        self.nonce = answer.headers.get("Replay-Nonce", self.nonce)
        return answer

    def sign(self, url, payload, nonce, with_jwk, header=None):
        """`header`: fields of the protected header in place of the right ones; None: absent."""
        header = {"alg": "ES256", "url": url, "nonce": nonce,
                  **({"jwk": self.jwk} if with_jwk else {"kid": self.kid}), **(header or {})}
        header = {name: value for name, value in header.items() if value is not None}
        protected = encode(json.dumps(header).encode())
        text = "" if payload is None else encode(json.dumps(payload).encode())
        return self.seal({"protected": protected, "payload": text})

    def seal(self, jws):
        """Signs what it holds now."""
        der = self.key.sign(f"{jws['protected']}.{jws['payload']}".encode(),
                            ec.ECDSA(hashes.SHA256()))
        r, s = decode_dss_signature(der)
        jws["signature"] = encode(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
        return jws

    def post(self, url, payload=None, with_jwk=False, change=None, header=None):
        """POST, or POST-as-GET without a payload. `change` may spoil the JWS; `header`: see
        sign."""
        if self.nonce is None:
            self.request("HEAD", self.directory["newNonce"])
        nonce, self.nonce = self.nonce, None
        jws = self.sign(url, payload, nonce, with_jwk, header)
        if change:
            change(jws)
        return self.request("POST", url, json.dumps(jws),
                            {"Content-Type": "application/jose+json"})

    def binding(self, eab, **header):
        """External account binding; `header`: fields in place of the right ones."""
        kid, key = eab
        protected = encode(json.dumps({"alg": "HS256", "kid": kid,
                                       "url": self.directory["newAccount"], **header}).encode())
        payload = encode(json.dumps(self.jwk).encode())
        mac = hmac.new(decode(key), f"{protected}.{payload}".encode(), hashlib.sha256).digest()
        return {"protected": protected, "payload": payload, "signature": encode(mac)}

    def register(self, eab=None, **more):
        payload = {"termsOfServiceAgreed": True, **more}
        if eab:
            payload["externalAccountBinding"] = self.binding(eab)
        answer = self.post(self.directory["newAccount"], payload, with_jwk=True)
        self.kid = answer.headers.get("Location", self.kid)
        return answer

    def new_order(self, names, **more):
        return self.post(self.directory["newOrder"],
                         {"identifiers": [{"type": "dns", "value": name} for name in names],
                          **more})

    def finalize(self, order, csr):
        return self.post(order["finalize"], {"csr": encode(csr)})
