"""Whether a request carries the Signature Version 4 that AWS would accept, by botocore's own code:
recomputed from the bytes as they came, with nothing taken from who sent them."""

import calendar
import hashlib
import hmac
import re
import time
from dataclasses import dataclass, field
from urllib.parse import quote, unquote_to_bytes

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

SKEW_S = 15 * 60  # as AWS allows
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/, ]+)/(\d{8})/([a-z0-9-]+)/([a-z0-9]+)/aws4_request, "
    r"?SignedHeaders=([a-z0-9;_-]+), ?Signature=([0-9a-f]{64})")
_DATE = re.compile(r"\d{8}T\d{6}Z")


class Refused(Exception):
    """The request is refused: `code` is a word of aws_errors.REFUSALS, or AWS's own code."""

    def __init__(self, code, message=None, status=None, **more):
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status, self.more = code, message, status, more


@dataclass
class Key:
    """An access key, and whose it is."""
    key_id: str
    secret: str
    account: str
    arn: str
    token: str = ""
    expires_at: float = 0  # 0: never
    allowed: set = field(default=None)  # IAM actions; None: all


@dataclass
class Scope:
    """What the Authorization header says."""
    key_id: str
    date: str
    region: str
    service: str
    signed: list
    signature: str


def read_scope(authorization):
    """None when the header is not of the form that AWS documents."""
    match = _AUTHORIZATION.fullmatch(authorization or "")
    if not match:
        return None
    key_id, date, region, service, signed, signature = match.groups()
    return Scope(key_id, date, region, service, signed.split(";"), signature)


def stamp(seconds):
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(seconds))


def check_date(scope, date, now):
    """The X-Amz-Date, within 15 minutes of the server's clock."""
    if not _DATE.fullmatch(date or "") or not date.startswith(scope.date):
        raise Refused("signature", "Date in Credential scope does not match YYYYMMDD from "
                      "ISO-8601 version of date from HTTP.")
    signed_at = calendar.timegm(time.strptime(date, "%Y%m%dT%H%M%SZ"))
    if signed_at < now - SKEW_S:
        raise Refused("skew", f"Signature expired: {date} is now earlier than "
                      f"{stamp(now - SKEW_S)} ({stamp(now)} - 15 min.)", date=date, now=now)
    if signed_at > now + SKEW_S:
        raise Refused("skew", f"Signature not yet current: {date} is still later than "
                      f"{stamp(now + SKEW_S)} ({stamp(now)} + 15 min.)", date=date, now=now)


def check_headers(scope, headers):
    """AWS wants the host, Content-Type and every X-Amz- header signed, each one time."""
    if scope.signed != sorted(set(scope.signed)):
        raise Refused("signature", "the signed headers are not sorted")
    for name in {each.lower() for each in headers.keys()}:
        if (name in ("host", "content-type") or name.startswith("x-amz-")) and \
                name not in scope.signed:
            raise Refused("signature", f"the header {name} is not signed")
    for name in scope.signed:
        if len(headers.get_all(name, [])) != 1:
            raise Refused("signature", f"the signed header {name} is not there once")


def check_encoding(target):
    """The server decodes and encodes again before it computes: what is not in the one canonical
    form cannot be told from another request."""
    path, _, query = target.partition("?")
    if quote(unquote_to_bytes(path), safe="/~") != path:
        raise Refused("signature", f"the path {path} is not in its canonical encoding")
    for pair in filter(None, query.split("&")):
        for part in pair.partition("=")[::2]:
            if quote(unquote_to_bytes(part), safe="-_.~") != part:
                raise Refused("signature", f"the query {query} is not in its canonical encoding")


def _check_payload(scope, headers, body):
    said = headers.get("X-Amz-Content-SHA256")
    if scope.service == "s3" and said is None:
        raise Refused("InvalidRequest", "Missing required header for this request: "
                      "x-amz-content-sha256", 400)
    if said not in (None, "UNSIGNED-PAYLOAD", hashlib.sha256(body).hexdigest()):
        raise Refused("XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header "
                      "does not match what was computed.", 400)


def check_signature(scope, key, request, now):
    """`request` has method, target (as in the request line), headers and body. Raises Refused."""
    check_encoding(request.target)
    check_headers(scope, request.headers)
    date = request.headers.get("X-Amz-Date")
    check_date(scope, date, now)
    _check_payload(scope, request.headers, request.body)
    token = request.headers.get("X-Amz-Security-Token", "")
    if token != key.token:
        raise Refused("token")
    signed = {name: request.headers[name] for name in scope.signed}
    host = request.headers["Host"]
    again = AWSRequest(method=request.method, url=f"http://{host}{request.target}",
                       headers=signed, data=request.body)
    again.context["timestamp"] = date
    kind = S3SigV4Auth if scope.service == "s3" else SigV4Auth
    signer = kind(Credentials(key.key_id, key.secret, key.token or None), scope.service,
                  scope.region)
    canonical = signer.canonical_request(again)
    signature = signer.signature(signer.string_to_sign(again, canonical), again)
    if not hmac.compare_digest(signature, scope.signature):
        raise Refused("signature", canonical=canonical)
