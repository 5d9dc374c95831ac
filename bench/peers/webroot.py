"""A web server for the challenge files of one folder: what a CA fetches for http-01. As little as
that takes, for it shares the machine with what is measured."""

import socket
import threading

THREADS = 4
REQUEST_MAX = 8192
PREFIX = "/.well-known/acme-challenge/"


class Webroot:
    def __init__(self, folder, port):
        self._challenges = folder / PREFIX.strip("/")
        self._challenges.mkdir(parents=True, exist_ok=True)
        self._socket = socket.create_server(("127.0.0.1", port), backlog=1024)
        for _ in range(THREADS):
            threading.Thread(target=self._serve, daemon=True).start()

    def stop(self):
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        finally:
            self._socket.close()

    def _serve(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return  # closed
            with connection:
                try:
                    connection.settimeout(5)
                    connection.sendall(self._answer(self._request(connection)))
                except OSError:
                    continue

    @staticmethod
    def _request(connection):
        data = b""
        while b"\r\n\r\n" not in data and len(data) < REQUEST_MAX:
            more = connection.recv(REQUEST_MAX)
            if not more:
                break
            data += more
        return data

    def _answer(self, request):
        words = request.split(b"\r\n", 1)[0].split(b" ")
        path = words[1].decode("ascii", "replace") if len(words) > 1 else ""
        token = path[len(PREFIX):]
        try:
            if not path.startswith(PREFIX) or not token or "/" in token:
                raise OSError(path)
            body, status = (self._challenges / token).read_bytes(), b"200 OK"
        except OSError:
            body, status = b"", b"404 Not Found"
        return (b"HTTP/1.1 " + status + b"\r\nContent-Type: text/plain\r\nContent-Length: "
                + str(len(body)).encode() + b"\r\nConnection: close\r\n\r\n" + body)
