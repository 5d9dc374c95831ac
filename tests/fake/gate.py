"""What every request to the fake CA passes: the script, the signature, the nonce, the account."""

import secrets
import time

from fake import faults
from fake.http1 import Response
from fake.jose import JoseError, Jws, Key
from fake.model import Book, Seen, Wanted

NONCES_MAX = 500_000
SPENT_MAX = 10_000

PATHS = {"dir": "directory", "nonce": "newNonce", "new-account": "newAccount",
         "account": "account", "orders": "orders", "new-order": "newOrder", "order": "order",
         "finalize": "finalize", "authz": "authorization", "chall": "challenge",
         "cert": "certificate", "revoke": "revoke"}


class Refusal(Exception):
    """An ACME problem as the answer."""

    def __init__(self, status, kind, detail, more=None):
        super().__init__(detail)
        self.answer = faults.problem(status, kind, detail, more)


class Gate:
    """Answers requests one at a time, on the event loop's thread. The resources are the subclass's
    methods, named after the endpoints."""

    def __init__(self, options, issuer, script):
        self.options = options
        self.issuer = issuer
        self.script = script
        self.book = Book()
        self.base = None  # https://localhost:port, set by the server
        self._nonces = {}
        self._spent = {}  # the last spent ones -> the signature that spent each

    def handle(self, request):
        path, _, query = request.path.partition("?")
        first, _, rest = path.lstrip("/").partition("/")
        endpoint = PATHS.get(first)
        if endpoint is None:
            return Response(404)
        order = self._order_of(endpoint, rest, request)
        rule = self.script.pick(endpoint, order)
        refused = rule is not None and faults.FAULTS[rule.fault] == faults.NOT_PROCESSED
        seen = Seen(endpoint, order.id if order else None, None, 0,
                    rule.fault if rule else None, time.monotonic())
        self.book.requests.append(seen)
        if refused:
            answer = faults.refuse(rule)
            if rule.fault in ("badNonce", "rateLimited", "problem", "orderNotReady"):
                answer.set_header("Replay-Nonce", self._nonce())
            if rule.fault == "badNonce":
                self._spend_nonce_of(request)
        else:
            answer = self._answer(endpoint, rest, query, request, rule, seen)
            if rule is not None and faults.FAULTS[rule.fault] == faults.PROCESSED:
                answer = faults.spoil(rule, answer)
        seen.status = answer.status
        return answer

    def _answer(self, endpoint, rest, query, request, rule, seen):
        try:
            if endpoint == "directory":
                return self._directory()
            if endpoint == "newNonce":
                answer = Response(200 if request.method == "HEAD" else 204)
            else:
                answer = self._signed(endpoint, rest, query, request, rule, seen)
        except Refusal as refusal:
            answer = refusal.answer
        except JoseError as fault:
            status = 401 if fault.kind == "unauthorized" else 400
            if fault.kind != "unauthorized":
                self.book.violations.append(f"{endpoint}: {fault.kind}: {fault.detail}")
            answer = faults.problem(status, fault.kind, fault.detail)
        answer.set_header("Replay-Nonce", self._nonce())
        answer.set_header("Cache-Control", "no-store")
        answer.headers.append(("Link", f'<{self.base}/dir>;rel="index"'))
        return answer

    def _signed(self, endpoint, rest, query, request, rule, seen):
        if request.method != "POST":
            raise Refusal(405, "malformed", "only POST is allowed here")
        if request.headers.get("content-type") != "application/jose+json":
            self.book.violations.append(f"{endpoint}: wrong Content-Type")
            raise Refusal(415, "malformed", "Content-Type must be application/jose+json")
        if not request.headers.get("user-agent"):
            self.book.violations.append(f"{endpoint}: no User-Agent (RFC 8555 section 6.1)")
        jws = Jws(request.body)
        header = jws.header
        if header.get("url") != self.base + request.path:
            raise JoseError("unauthorized", f"url {header.get('url')!r} is not this resource")
        account, key = self._signer(endpoint, header)
        key.verify(header.get("alg"), jws.signed, jws.signature)
        self._take_nonce(endpoint, header.get("nonce"), jws)
        if account is not None:
            seen.account = account.id
        if endpoint == "newAccount":
            return self._new_account(jws, key, seen)
        if endpoint == "revoke":
            return self._revoke(jws)
        handler = getattr(self, f"_{endpoint.replace('newOrder', 'new_order')}")
        return handler(jws, account, rest, query, rule, seen)

    def _signer(self, endpoint, header):
        """The account and its key. newAccount carries a jwk; all else a kid."""
        if ("jwk" in header) == ("kid" in header):
            raise JoseError("malformed", "either jwk or kid, not both")
        if "jwk" in header:
            if endpoint not in ("newAccount", "revoke"):
                raise JoseError("malformed", "this resource wants a kid")
            return None, Key(header["jwk"])
        if endpoint == "newAccount":
            raise JoseError("malformed", "newAccount wants a jwk")
        prefix = f"{self.base}/account/"
        kid = header["kid"]
        account = self.book.accounts.get(kid[len(prefix):]) if kid.startswith(prefix) else None
        if account is None or self.options.forget_accounts:
            raise Refusal(400, "accountDoesNotExist", "no such account")
        if account.status != "valid":
            raise Refusal(401, "unauthorized", f"the account is {account.status}")
        return account, account.key

    def _take_nonce(self, endpoint, nonce, jws):
        """Spends it. A request that comes again byte for byte is the transport's doing (HTTP
        clients repeat what a dying connection left open), not the client signing it twice."""
        if self._nonces.pop(nonce, None) is not None:
            self._spent[nonce] = jws.signature
            if len(self._spent) > SPENT_MAX:
                self._spent.pop(next(iter(self._spent)))
            return
        if self._spent.get(nonce) != jws.signature:
            raise JoseError("badNonce", "unknown or spent nonce")
        self.book.repeats.append(endpoint)
        raise Refusal(400, "badNonce", "this request was here before")

    def _nonce(self):
        nonce = secrets.token_urlsafe(16)
        self._nonces[nonce] = True
        if len(self._nonces) > NONCES_MAX:
            self._nonces.pop(next(iter(self._nonces)))
        return nonce

    def _spend_nonce_of(self, request):
        try:
            self._nonces.pop(Jws(request.body).header.get("nonce"), None)
        except JoseError:
            pass

    def _order_of(self, endpoint, rest, request):
        """The order that a request is about, for the script's rules."""
        if endpoint == "newOrder" and self.script.needs_names:
            return Wanted.read(request.body)
        identifier = rest.partition("/")[0]
        if endpoint in ("order", "finalize", "certificate"):
            return self.book.orders.get(identifier)
        if endpoint == "authorization":
            found = self.book.authorizations.get(identifier)
            return found.order if found else None
        if endpoint == "challenge":
            found = self.book.challenges.get(identifier)
            return found[1].order if found else None
        return None
