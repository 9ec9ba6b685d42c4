"""A camera of the tests' own that misbehaves on purpose: an HTTP server whose every fault is real bytes on a socket."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Handler = Callable[["Connection"], None]


class Connection:
    """One accepted connection, its request read."""

    def __init__(self, raw: socket.socket, request: bytes, stopping: threading.Event) -> None:
        self.raw = raw
        self.request = request
        self.stopping = stopping

    @property
    def path(self) -> str:
        return self.request.split(b" ")[1].decode()

    def header(self, name: str) -> str:
        for line in self.request.split(b"\r\n")[1:]:
            key, _colon, value = line.partition(b":")
            if key.decode().lower() == name.lower():
                return value.decode().strip()
        return ""

    def send(self, data: bytes) -> None:
        self.raw.sendall(data)

    def head(self, status: str = "200 OK", **headers: str) -> None:
        lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
        self.send(("\r\n".join(lines) + "\r\n\r\n").encode())

    def answer(self, status: str, body: bytes = b"", **headers: str) -> None:
        self.head(status, Content_Length=str(len(body)), Connection="close", **headers)
        self.send(body)

    def stream(self, boundary: str = "frame") -> None:
        self.head(Content_Type=f"multipart/x-mixed-replace; boundary={boundary}", Connection="close")

    def part(self, jpeg: bytes, mark: str = "--frame", *, length: int | None = None) -> None:
        said = f"Content-Length: {length}\r\n" if length is not None else ""
        self.send(f"{mark}\r\nContent-Type: image/jpeg\r\n{said}\r\n".encode() + jpeg + b"\r\n")

    def be_silent(self) -> None:
        self.stopping.wait(30)

    def play(self, jpegs: list[bytes], fps: float = 25, boundary: str = "frame") -> None:
        """As a healthy camera does, until it is stopped."""
        self.stream(boundary)
        number = 0
        while not self.stopping.wait(1 / fps):
            jpeg = jpegs[number % len(jpegs)]
            self.part(jpeg, f"--{boundary}", length=len(jpeg))
            number += 1


class Camera:
    """The server. `handler` answers each request, and may be changed at any time."""

    def __init__(self, handler: Handler, *, tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        self.handler = handler
        self.requests: list[bytes] = []
        self.connections = 0
        self.tls = tls
        self._stopping = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        self.open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def url(self, path: str = "/", *, user: str = "") -> str:
        return f"{'https' if self.tls else 'http'}://{user}127.0.0.1:{self.port}{path}"

    def _accept(self) -> None:
        while True:
            try:
                raw, _where = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self.open.add(raw)
            thread = threading.Thread(target=self._serve, args=(raw,), daemon=True)
            thread.start()
            self._threads.append(thread)

    def _serve(self, raw: socket.socket) -> None:
        with suppress(OSError):
            if self.tls:
                raw = self.tls.wrap_socket(raw, server_side=True)
                self.open.add(raw)
            while request := self._request(raw):
                self.requests.append(request)
                connection = Connection(raw, request, self._stopping)
                self.handler(connection)
                break
        raw.close()
        self.open.discard(raw)

    @staticmethod
    def _request(raw: socket.socket) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            more = raw.recv(4_096)
            if not more:
                return b""
            data += more
        return data

    def drop(self) -> None:
        """Ends every connection, and goes on."""
        for raw in list(self.open):
            with suppress(OSError):
                raw.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Killed, as far as its clients can tell."""
        self._stopping.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # Else the thread that waits for one more would get it.
        self._listener.close()
        deadline = time.monotonic() + 2
        self._accepting.join(2)  # Whoever was let in meanwhile is in both lists now.
        self.drop()
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))


@contextmanager
def camera(handler: Handler, *, tls: ssl.SSLContext | None = None, port: int = 0) -> Iterator[Camera]:
    server = Camera(handler, tls=tls, port=port)
    try:
        yield server
    finally:
        server.close()
