"""JSON Web Signature as ACME uses it (RFC 8555 section 6.2): checking, never trusting."""

import base64
import binascii
import hashlib
import hmac
import json

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

# JWS algorithm -> curve, JWK name of the curve, bytes of a coordinate, digest.
CURVES = {
    "ES256": (ec.SECP256R1(), "P-256", 32, hashes.SHA256()),
    "ES384": (ec.SECP384R1(), "P-384", 48, hashes.SHA384()),
}


class JoseError(Exception):
    """The request is refused: an ACME problem type and what is wrong."""

    def __init__(self, kind, detail):
        super().__init__(detail)
        self.kind = kind
        self.detail = detail


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text):
    if not isinstance(text, str) or "=" in text or "+" in text or "/" in text:
        raise JoseError("malformed", "not base64url without padding")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as fault:
        raise JoseError("malformed", f"not base64url: {fault}") from None


def decode_json(text):
    try:
        value = json.loads(decode(text))
    except ValueError as fault:
        raise JoseError("malformed", f"not JSON: {fault}") from None
    if not isinstance(value, dict):
        raise JoseError("malformed", "not a JSON object")
    return value


def thumbprint(jwk):
    """RFC 7638."""
    members = {"EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n")}[jwk["kty"]]
    text = json.dumps({name: jwk[name] for name in members}, separators=(",", ":"), sort_keys=True)
    return encode(hashlib.sha256(text.encode()).digest())


class Key:
    """An account's public key: read once, then used for every request of the account."""

    def __init__(self, jwk):
        try:
            self._read(jwk)
            self.thumbprint = thumbprint(jwk)
        except (KeyError, TypeError, ValueError) as fault:
            raise JoseError("badPublicKey", f"jwk: {fault!r}") from None
        if "d" in jwk or "p" in jwk:
            raise JoseError("badPublicKey", "jwk holds the private key")

    def _read(self, jwk):
        if jwk["kty"] == "EC":
            for algorithm, (curve, name, size, digest) in CURVES.items():
                if jwk["crv"] == name:
                    break
            else:
                raise JoseError("badPublicKey", f"curve {jwk['crv']!r} is not allowed")
            x, y = decode(jwk["x"]), decode(jwk["y"])
            if len(x) != size or len(y) != size:
                raise JoseError("badPublicKey", "coordinate of the wrong length (RFC 7518 6.2.1.2)")
            numbers = ec.EllipticCurvePublicNumbers(int.from_bytes(x, "big"),
                                                    int.from_bytes(y, "big"), curve)
            self.algorithm, self._size, self._digest = algorithm, size, digest
            self._public = numbers.public_key()
        elif jwk["kty"] == "RSA":
            n, e = (int.from_bytes(decode(jwk[name]), "big") for name in ("n", "e"))
            if n.bit_length() < 2048:
                raise JoseError("badPublicKey", "RSA keys need 2048 bits")
            self.algorithm = "RS256"
            self._public = rsa.RSAPublicNumbers(e, n).public_key()
        else:
            raise JoseError("badPublicKey", f"kty {jwk['kty']!r} is not allowed")

    def verify(self, algorithm, signed, signature):
        if algorithm != self.algorithm:
            raise JoseError("badSignatureAlgorithm", f"{algorithm!r} does not go with the key")
        try:
            if algorithm == "RS256":
                self._public.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
                return
            if len(signature) != 2 * self._size:
                raise JoseError("malformed", "signature of the wrong length (RFC 7518 3.4)")
            r, s = signature[:self._size], signature[self._size:]
            der = encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
            self._public.verify(der, signed, ec.ECDSA(self._digest))
        except InvalidSignature:
            raise JoseError("malformed", "the signature does not verify") from None


class Jws:
    """A parsed request body; the signature is not checked yet."""

    def __init__(self, body):
        try:
            text = json.loads(body)
        except ValueError as fault:
            raise JoseError("malformed", f"the body is no JSON: {fault}") from None
        if not isinstance(text, dict) or set(text) != {"protected", "payload", "signature"}:
            raise JoseError("malformed", "a flattened JWS has protected, payload and signature")
        self.header = decode_json(text["protected"])
        self.payload = decode(text["payload"])
        self.signature = decode(text["signature"])
        self.signed = f"{text['protected']}.{text['payload']}".encode()

    def object(self):
        """The payload as an object."""
        try:
            value = json.loads(self.payload)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise JoseError("malformed", "the payload is no JSON object")
        return value


def check_binding(binding, key_of, url, outer_jwk):
    """External account binding (RFC 8555 section 7.3.4). Returns the key id.

    `key_of` gives the HMAC key (bytes) of a key id, or None."""
    inner = Jws(json.dumps(binding))
    if inner.header.get("alg") != "HS256" or "nonce" in inner.header:
        raise JoseError("malformed", "the binding needs alg HS256 and no nonce")
    if inner.header.get("url") != url:
        raise JoseError("malformed", "the binding's url is another than the request's")
    if inner.object() != outer_jwk:
        raise JoseError("malformed", "the binding is for another key")
    identifier = inner.header.get("kid")
    mac = key_of(identifier)
    if mac is None:
        raise JoseError("unauthorized", "unknown external account key id")
    expected = hmac.new(mac, inner.signed, hashlib.sha256).digest()
    if not hmac.compare_digest(expected, inner.signature):
        raise JoseError("unauthorized", "the external account binding's MAC is wrong")
    return identifier
