"""The HTTP server in front of moto: checks each signature, injects faults, keeps count, forwards."""

import email.utils
import http.client
import http.server
import json
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field

from harness.aws_errors import error_answer
from harness.aws_service import UNSIGNED, action_of, resource_of, service_of
from harness.aws_signature import Refused, check_signature, read_scope

BODY_MAX = 16 * 1024 * 1024
# Of a request's body, what is not kept in the record.
_SECRETS = {"PrivateKey"}


@dataclass
class Request:
    method: str
    target: str  # as in the request line
    headers: http.client.HTTPMessage
    body: bytes


@dataclass
class Call:
    """What came of one request. `outcome`: "ok", "fault", "quota", "refused" or "lost"."""
    time: float
    method: str
    target: str
    service: str = ""
    operation: str = ""
    region: str = ""
    account: str = ""
    key_id: str = ""
    https: bool = False
    body: object = None
    status: int = 0
    code: str = ""
    outcome: str = ""
    host: str = ""
    headers: dict = field(default_factory=dict)


class Cut(Exception):
    """The connection is to end without an answer."""


def _recorded(request):
    text = request.body.decode("utf-8", "replace")
    if request.headers.get("Content-Type", "").startswith("application/x-amz-json"):
        try:
            body = json.loads(text)
        except ValueError:
            return text
        return {name: "(not kept)" if name in _SECRETS else value for name, value in body.items()}
    return text


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 120

    def setup(self):
        if isinstance(self.request, ssl.SSLSocket):
            self.request.settimeout(20)
            self.request.do_handshake()
        super().setup()

    def log_message(self, *_):
        pass

    def _read(self):
        length = int(self.headers.get("Content-Length", 0))
        if length > BODY_MAX or self.headers.get("Transfer-Encoding"):
            raise Cut
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        # http.server takes the second slash from a path that begins with two.
        return Request(self.command, self.requestline.split(" ")[1], self.headers,
                       self.rfile.read(length))

    def _answer(self):
        listener = self.server.listener
        try:
            request = self._read()
            status, headers, body = listener.gateway.answer(request, listener)
        except Cut:
            self.close_connection = True
            try:
                self.connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            return
        self.send_response_only(status)
        self.send_header("Date", email.utils.formatdate(listener.gateway.now(), usegmt=True))
        if status not in (204, 304):
            headers = {**headers, "Content-Length": headers.get("Content-Length") if
                       request.method == "HEAD" and "Content-Length" in headers else str(len(body))}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if request.method != "HEAD":
            self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _answer  # noqa: N815


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, port, listener):
        self.listener = listener
        self.connections = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def get_request(self):
        connection, address = super().get_request()
        if self.listener.trust:
            connection = self.listener.trust.wrap_socket(connection, server_side=True,
                                                         do_handshake_on_connect=False)
        self.connections.add(connection)
        return connection, address

    def shutdown_request(self, request):
        self.connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request, client_address):
        pass  # clients may go at any time


class Listener:
    """One port. With a region, requests signed for another are refused, as AWS's hosts do."""

    def __init__(self, gateway, trust=None, region=None):
        self.gateway, self.trust, self.region = gateway, trust, region
        self.server, self.port = None, 0
        self.up()

    @property
    def url(self):
        return f"{'https' if self.trust else 'http'}://127.0.0.1:{self.port}"

    def up(self):
        self.server = _Server(self.port, self)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def down(self):
        """From now on connections are refused, and those that are open end."""
        server, self.server = self.server, None
        if server is None:
            return
        server.shutdown()
        server.server_close()
        for connection in list(server.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Gateway:
    """`host` holds the members that aws.Aws documents: keys, faults, quotas, behaviour, calls."""

    def __init__(self, host, moto_port):
        self.host, self.moto_port = host, moto_port

    def now(self):
        return self.host.now()

    def answer(self, request, listener):
        scope = read_scope(request.headers.get("Authorization"))
        service, operation = service_of(request, scope)
        call = Call(self.now(), request.method, request.target, service, operation,
                    scope.region if scope else "", https=listener.trust is not None,
                    body=_recorded(request), host=request.headers.get("Host", ""),
                    headers={name.lower(): value for name, value in request.headers.items()
                             if name.lower() not in ("authorization", "x-amz-security-token")})
        try:
            status, headers, body = self._judge(call, request, scope, listener)
        except Cut:
            call.outcome = "lost"
            raise
        finally:
            with self.host.lock:
                self.host.calls.append(call)
                self.host.changed.notify_all()
        call.status = status
        call.code = headers.get("x-amzn-ErrorType", "") or _code_in(body)
        return status, headers, body

    def _judge(self, call, request, scope, listener):
        try:
            key = self._key_of(call, request, scope, listener)
        except Refused as refused:
            call.outcome = "refused"
            with self.host.lock:
                if refused.code in ("signature", "missing", "scope"):
                    self.host.bad_signatures.append((call, str(refused)))
            return error_answer(call.service, refused.code, refused.message, refused.status,
                                **refused.more)
        with self.host.lock:
            fault = next((each for each in self.host.faults if each.takes(call)), None)
        if fault:
            call.outcome = "fault"
            answer = self._inject(fault, call, request, key)
            if answer:
                return answer
        refusal = self._permission(call, request, key) or self.host.refusal(call, request, key)
        with self.host.lock:
            quota = self.host.quotas.get((call.service, call.operation))
            if not refusal and quota and not quota.take(call):
                call.outcome = "quota"
                refusal = error_answer(call.service, "throttle")
        answer = refusal or self.host.behaviour.before(call, request)
        if answer:
            call.outcome = call.outcome or ("ok" if answer[0] < 300 else "refused")
            return answer
        call.outcome = call.outcome or "ok"
        return self._forward(call, request, key)

    def _key_of(self, call, request, scope, listener):
        """Whose request it is; raises Refused when the signature is not right."""
        if scope is None:
            if request.headers.get("Authorization") or call.operation not in UNSIGNED:
                raise Refused("missing")
            return None
        call.key_id = scope.key_id
        with self.host.lock:
            key = self.host.keys.get(scope.key_id)
        if key is None:
            raise Refused("unknown-key")
        call.account = key.account
        if scope.service != call.service:
            raise Refused("scope", "Credential should be scoped to correct service: "
                          f"'{call.service}'.")
        expected = "us-east-1" if call.service == "route53" else listener.region or scope.region
        if scope.region != expected:
            message = f"Credential should be scoped to a valid region, not '{scope.region}'."
            if call.service == "s3":
                message = ("The authorization header is malformed; the region "
                           f"'{scope.region}' is wrong; expecting '{expected}'")
            raise Refused("scope", message, Region=expected)
        check_signature(scope, key, request, self.now())
        if key.expires_at and key.expires_at <= self.now():
            raise Refused("expired")
        return key

    def _permission(self, call, request, key):
        action = action_of(call.service, call.operation)
        if key is None or key.allowed is None or action in key.allowed or \
                action == "sts:GetCallerIdentity":
            return None
        return self._denied(call, request, key)

    @staticmethod
    def _denied(call, request, key):
        action = action_of(call.service, call.operation)
        resource = resource_of(request, call.service, call.region, key.account)
        return error_answer(call.service, "denied", f"User: {key.arn} is not authorized to perform: "
                            f"{action} on resource: {resource} because no identity-based policy "
                            f"allows the {action} action")

    def _inject(self, fault, call, request, key):
        """The answer; None: go on as usual."""
        if fault.kind in ("slow", "silent"):
            fault.released.wait(fault.seconds if fault.kind == "slow" else None)
            if self.host.stopping:
                raise Cut
            return None
        if fault.kind == "cut-before":
            raise Cut
        if fault.kind == "cut-after":
            self._forward(call, request, key)
            raise Cut
        if fault.kind == "deny":
            return self._denied(call, request, key)
        if fault.kind == "reply" and fault.answer:
            return fault.answer
        status, headers, body = error_answer(
            call.service, fault.code if fault.kind == "reply" else fault.kind, fault.message,
            fault.status)
        return status, {**headers, **(fault.headers or {})}, body

    def _forward(self, call, request, key):
        headers = {name: value for name, value in request.headers.items()
                   if name.lower() not in ("connection", "content-length", "expect")}
        if key:
            headers["x-moto-account-id"] = key.account
        headers["Host"] = "127.0.0.1"
        connection = http.client.HTTPConnection("127.0.0.1", self.moto_port, timeout=60)
        try:
            connection.request(request.method, request.target, request.body, headers)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        kept = {name: value for name, value in answer.getheaders()
                if name.lower() not in ("connection", "date", "server", "transfer-encoding",
                                        "content-length", "content-encoding")}
        if request.method == "HEAD" and answer.getheader("Content-Length"):
            kept["Content-Length"] = answer.getheader("Content-Length")
        if not {"x-amzn-requestid", "x-amz-request-id"} & {name.lower() for name in kept}:
            kept["x-amz-request-id" if call.service == "s3" else "x-amzn-RequestId"] = \
                f"moto-{time.monotonic_ns()}"
        body = self.host.behaviour.after(call, request, answer.status, body)
        return answer.status, kept, self.host.learn(call, request, answer.status, body)


def _code_in(body):
    """AWS's error code in an XML body; "" when there is none."""
    begin = body.find(b"<Code>")
    return body[begin + 6:body.find(b"</Code>")].decode() if begin >= 0 else ""
