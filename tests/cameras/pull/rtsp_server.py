"""RTSP servers of the tests' own, which misbehave or stand before GStreamer's; and what a reader gets of them."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from cameras.pull import rtsp
from cameras.pull.source import Control, Item, Picture, Settings


def settings(url: str, **changes: object) -> Settings:
    values: dict[str, object] = {
        "fps": 5.0,
        "allow": ("127.0.0.1",),
        "copies_packets": True,
        "connect_s": 2.0,
        "silent_s": 2.0,
        **changes,
    }
    return Settings(1, url, **values)  # type: ignore[arg-type]


def read(url: str, seconds: float, **changes: object) -> list[Item]:
    """What comes in so many seconds from the first picture on. Raises Fault."""
    control, found, ends_at = Control(5.0), [], 0.0
    for item in rtsp.read(settings(url, **changes), control):
        found.append(item)
        if isinstance(item, Picture):
            ends_at = ends_at or time.monotonic() + seconds
        if ends_at and time.monotonic() > ends_at:
            return found
    raise AssertionError("the source ended without a fault")


def pictures(items: list[Item]) -> list[Picture]:
    return [item for item in items if isinstance(item, Picture)]


Answer = Callable[[socket.socket], None]


@contextmanager
def misbehaving(answer: Answer) -> Iterator[str]:
    """A server of which every connection is answered so; its address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        stopping = threading.Event()
        server.settimeout(0.1)

        def serve() -> None:
            while not stopping.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                threading.Thread(target=serve_one, args=(connection,), daemon=True).start()

        def serve_one(connection: socket.socket) -> None:
            with connection:
                try:
                    answer(connection)
                except OSError:
                    return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"rtsp://user:hunter2@127.0.0.1:{server.getsockname()[1]}/cam"
        finally:
            stopping.set()
            thread.join()


def saying(status: str, *fields: str) -> Answer:
    """To every request but OPTIONS."""

    def answer(connection: socket.socket) -> None:
        while request := connection.recv(4_096).decode():
            number = next(line for line in request.split("\r\n") if line.startswith("CSeq"))
            line = "200 OK" if request.startswith("OPTIONS") else status
            connection.sendall("\r\n".join([f"RTSP/1.0 {line}", number, *fields, "", ""]).encode())

    return answer


def silence(connection: socket.socket) -> None:
    while connection.recv(4_096):
        pass


def number_of(request: str) -> str:
    return next(line for line in request.split("\r\n") if line.startswith("CSeq"))


def before(
    port: int,
    *,
    instead: Callable[[str], bytes] = lambda _request: b"",
    edited: Callable[[bytes], bytes] = lambda answer: answer,
    heard: list[str] | None = None,
) -> Answer:
    """Passes everything on to GStreamer's server on this port, but some requests, which it answers itself; and edits
    descriptions. `heard` gets all that the client has sent."""

    def answer(connection: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", port)) as behind:
            threading.Thread(target=pass_back, args=(behind, connection), daemon=True).start()
            with suppress(OSError):
                while request := connection.recv(4_096):
                    text = request.decode("latin-1")
                    if heard is not None:
                        heard.append(text)
                    own = instead(text)
                    (connection if own else behind).sendall(own or request)
            behind.shutdown(socket.SHUT_RDWR)

    def pass_back(behind: socket.socket, connection: socket.socket) -> None:
        with suppress(OSError):
            while data := behind.recv(65_536):
                while b"application/sdp" in data and b"a=control:stream" not in data:
                    data += behind.recv(65_536)
                connection.sendall(edited(data))
            connection.shutdown(socket.SHUT_RDWR)

    return answer


def with_absolute_urls(base: str) -> Callable[[bytes], bytes]:
    """The description names its streams by whole URLs, and nothing says what relative ones would be relative to."""

    def edited(answer: bytes) -> bytes:
        if b"application/sdp" not in answer:
            return answer
        head, _blank, body = answer.partition(b"\r\n\r\n")
        body = re.sub(rb"a=control:(stream=\d+)", rf"a=control:{base}/\1".encode(), body)
        head = re.sub(rb"\r\nContent-Base:[^\r]*", b"", head)
        head = re.sub(rb"Content-Length: \d+", f"Content-Length: {len(body)}".encode(), head)
        return head + b"\r\n\r\n" + body

    return edited


@contextmanager
def forbidden() -> Iterator[tuple[str, list[str]]]:
    """Where nobody may connect to: its URL, and who has."""
    with socket.create_server(("127.0.0.2", 0)) as server:
        came: list[str] = []
        server.settimeout(0.1)
        stopping = threading.Event()

        def accept() -> None:
            while not stopping.is_set():
                with suppress(TimeoutError):
                    connection, peer = server.accept()
                    came.append(str(peer))
                    connection.close()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield f"rtsp://127.0.0.2:{server.getsockname()[1]}/cam", came
        finally:
            time.sleep(0.2)
            stopping.set()
            thread.join()
