"""A small HTTP/1.1 server on asyncio that can also answer wrongly: cut, late, reset, not at all."""

import asyncio
import socket
import struct
from dataclasses import dataclass, field

HEAD_MAX = 64 * 1024
BODY_MAX = 1024 * 1024
REASONS = {200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 400: "Bad Request",
           401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
           409: "Conflict", 413: "Content Too Large", 415: "Unsupported Media Type",
           429: "Too Many Requests", 500: "Internal Server Error", 502: "Bad Gateway",
           503: "Service Unavailable"}


@dataclass
class Request:
    method: str
    path: str
    headers: dict  # names in lower case
    body: bytes


@dataclass
class Response:
    status: int = 200
    headers: list = field(default_factory=list)  # (name, value)
    body: bytes = b""
    # How it is delivered:
    delay_s: float = 0
    lost: bool = False  # close without a byte
    reset: bool = False  # TCP reset without a byte
    truncate_at: int = -1  # send only so many bytes of the body, then close

    def drop_header(self, name):
        self.headers = [each for each in self.headers if each[0].lower() != name.lower()]

    def set_header(self, name, value):
        self.drop_header(name)
        self.headers.append((name, value))


class Connection(asyncio.Protocol):
    """One connection: requests one after the other, kept alive.

    `handle(request)` gives a Response, or an awaitable of one."""

    def __init__(self, handle, connections):
        self._handle = handle
        self._connections = connections
        self._buffer = b""
        self._busy = False
        self._transport = None

    def connection_made(self, transport):
        self._transport = transport
        self._connections.add(self)

    def connection_lost(self, _):
        self._connections.discard(self)

    def close(self):
        self._transport.abort()

    def data_received(self, data):
        self._buffer += data
        if not self._busy:
            self._next()

    def _next(self):
        """Takes the next whole request out of the buffer, if there is one."""
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > HEAD_MAX:
                self.close()
            return
        try:
            lines = self._buffer[:end].decode("latin-1").split("\r\n")
            method, path, _ = lines[0].split(" ")
            headers = {}
            for line in lines[1:]:
                name, _, value = line.partition(":")
                headers[name.lower()] = value.strip()
            length = int(headers.get("content-length", "0"))
            if not 0 <= length <= BODY_MAX or "transfer-encoding" in headers:
                raise ValueError("body")
        except ValueError:
            self.close()
            return
        if headers.get("expect", "").lower() == "100-continue" and \
                len(self._buffer) < end + 4 + length:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if len(self._buffer) < end + 4 + length:
            return
        body = self._buffer[end + 4:end + 4 + length]
        self._buffer = self._buffer[end + 4 + length:]
        self._busy = True
        answer = self._handle(Request(method, path, headers, body))
        if isinstance(answer, Response) and not answer.delay_s:
            self._send(answer, method == "HEAD")
        else:
            task = asyncio.ensure_future(self._send_later(answer, method == "HEAD"))
            task.add_done_callback(lambda done: done.exception())

    async def _send_later(self, answer, head):
        if not isinstance(answer, Response):
            answer = await answer
        if answer.delay_s:
            await asyncio.sleep(answer.delay_s)
        self._send(answer, head)

    def _send(self, answer, head):
        if self._transport.is_closing():
            return
        if answer.reset:
            raw = self._transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()
            return
        if answer.lost:
            self._transport.abort()
            return
        reason = REASONS.get(answer.status, "Unknown")
        lines = [f"HTTP/1.1 {answer.status} {reason}"]
        lines += [f"{name}: {value}" for name, value in answer.headers]
        if answer.status != 204:
            lines.append(f"Content-Length: {len(answer.body)}")
        body = b"" if head else answer.body
        if answer.truncate_at >= 0:
            body = body[:answer.truncate_at]
        self._transport.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
        if answer.truncate_at >= 0:
            self._transport.close()
            return
        self._busy = False
        if self._buffer:
            self._next()
