"""FFmpeg sees one server through the forwarder, and is sent nowhere else: by real servers, good and hostile."""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import psutil
import pytest
import trustme

from cameras.pull import rtsp
from cameras.pull.forwarder import Forwarder
from cameras.pull.source import Control, Fault, Item
from tests.cameras.pull import streams
from tests.cameras.pull.rtsp_server import (
    Answer,
    before,
    forbidden,
    misbehaving,
    number_of,
    pictures,
    read,
    settings,
    with_absolute_urls,
)
from tests.cameras.pull.streams import launch, serving

LOGIN = {"user": "user", "password": "hunter2"}


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    return streams.encode(folder / "h264.mp4", *streams.pattern(), seconds=60, group=5)


@pytest.fixture(scope="module")
def port(film: Path) -> Iterator[int]:
    """Of a server that asks for no password."""
    with serving(launch(film)) as server:
        yield server.port


# --- Sent elsewhere ---


def redirecting(port: int, method: str, answer: str, to: str) -> Answer:
    """Good up to this request."""

    def instead(request: str) -> bytes:
        if not request.startswith(method + " "):
            return b""
        return answer.format(to=to, number=number_of(request)).replace("|", "\r\n").encode()

    return before(port, instead=instead)


FOUND = "RTSP/1.0 302 Found|{number}|Location: {to}||"


@pytest.mark.parametrize("method", ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"])
def test_a_server_that_sends_us_on_at_any_step_makes_nobody_connect(port: int, method: str) -> None:
    with (
        forbidden() as (url, came),
        misbehaving(redirecting(port, method, FOUND, url)) as source,
        pytest.raises(Fault) as fault,
    ):
        read(source, 1)
    assert (fault.value.code, fault.value.detail) == ("address_not_allowed", "127.0.0.2 (loopback)")
    assert not came


@pytest.mark.parametrize(
    "answer",
    [
        "RTSP/1.0 305 Use Proxy|{number}|location:{to}||",
        "RTSP/2.0  301 Moved|Location : {to}|{number}||",
        "RTSP/1.0\t302 Found|Location: {to}|{number}||",  # FFmpeg takes this for a status, too.
        "RTSP/1.0 0302 Found|Location: {to}|{number}||",
        "RTSP/1.0 302|Location: {to}|{number}||",
        "RTSP/1.0 200 OK|{number}|Content-Length: 999999||",
        "RTSP/1.0 200 OK\nRTSP/1.0 302 Found\n{number}\nLocation: {to}\n\n||",
        "RTSP/1.0 200 OK\n\nRTSP/1.0 302 Found\n{number}\nLocation: {to}\n||",  # Two answers, where lines end so.
        "RTSP/1.0 200 OK|$\0\0\0|RTSP/1.0 302 Found|{number}|Location: {to}||",  # FFmpeg sees a frame in it.
        "$\0\0\4RTSPRTSP/1.0 302 Found|{number}|Location: {to}||",
        "||RTSP/1.0 302 Found|{number}|Location: {to}||",
        "REDIRECT rtsp://x/ RTSP/1.0|{number}|Location: {to}||RTSP/1.0 302 Found|{number}|Location: {to}||",
    ],
)
@pytest.mark.parametrize("method", ["DESCRIBE", "SETUP"])
def test_a_redirection_is_seen_in_every_disguise(port: int, method: str, answer: str) -> None:
    with (
        forbidden() as (url, came),
        misbehaving(redirecting(port, method, answer, url)) as source,
        pytest.raises(Fault),
    ):
        read(source, 1, connect_s=0.7)
    assert not came


def test_a_redirection_in_the_middle_ends_the_connection(port: int) -> None:
    with (
        forbidden() as (url, came),
        misbehaving(sending(port, FOUND.format(to=url, number="CSeq: 9"))) as source,
        pytest.raises(Fault) as fault,
    ):
        read(source, 5)
    assert (fault.value.code, fault.value.detail) == ("ended", "sent elsewhere")
    assert not came


def test_noise_in_the_middle_ends_the_connection(port: int) -> None:
    with misbehaving(sending(port, "no such thing")) as source, pytest.raises(Fault) as fault:
        read(source, 5)
    assert (fault.value.code, fault.value.detail) == ("unsupported", "no RTSP")


def sending(port: int, words: str) -> Answer:
    """Plays a second, then says this."""

    def answer(connection: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", port)) as behind:
            request = ""
            while not request.startswith("PLAY"):
                request = connection.recv(4_096).decode()
                behind.sendall(request.encode())
                if not request.startswith("PLAY"):
                    time.sleep(0.2)
                    connection.sendall(behind.recv(65_536))
            ends_at = time.monotonic() + 1
            with behind.makefile("rb") as said:
                while line := said.readline().strip():
                    connection.sendall(line + b"\r\n")
                connection.sendall(b"\r\n")
                while time.monotonic() < ends_at:
                    head = said.read(4)
                    connection.sendall(head + said.read(int.from_bytes(head[2:], "big")))
            connection.sendall(words.replace("|", "\r\n").encode())
            time.sleep(1)

    return answer


# --- What the server gets to see ---


@pytest.mark.parametrize("kind", ["digest", "basic"])
@pytest.mark.parametrize("has_absolute_urls", [False, True])
def test_the_server_sees_its_own_url_and_the_password_that_it_asks_for(
    film: Path, kind: str, has_absolute_urls: bool
) -> None:
    heard: list[str] = []
    with serving(launch(film), auth=kind, **LOGIN) as server:
        edited: Callable[[bytes], bytes] = (
            with_absolute_urls("rtsp://camera.example/cam") if has_absolute_urls else lambda answer: answer
        )
        with misbehaving(before(server.port, heard=heard, edited=edited)) as source:
            assert pictures(read(source, 0.5))
            time.sleep(0.2)
        with misbehaving(before(server.port)) as other, pytest.raises(Fault) as fault:
            read(other.replace("hunter2", "hunter3"), 1)
    assert fault.value.code == "unauthorized"
    own = source.replace("user:hunter2@", "")
    requests = [text for text in heard if text[0].isupper()]
    assert [text.split()[0] for text in requests] == ["OPTIONS", *(["DESCRIBE"] * 2), "SETUP", "PLAY", "TEARDOWN"]
    for number, text in enumerate(requests, 1):
        method, uri = text.split()[:2]
        is_absolute = has_absolute_urls and method == "SETUP"
        assert uri.startswith("rtsp://camera.example/cam/" if is_absolute else own)
        assert f"CSeq: {number}\r\n" in text
        assert "User-Agent: Omil\r\n" in text
        assert "hunter2" not in text
        assert text.count("Authorization: ") == (number > 2)
        if kind == "digest" and number > 2:
            assert f'uri="{uri}"' in text


def test_the_query_is_the_servers_own(port: int) -> None:
    """FFmpeg would take these words for itself: "listen" makes a server of it."""
    heard: list[str] = []
    with misbehaving(before(port, heard=heard)) as source, suppress(Fault):
        read(f"{source}?listen&udp&name=a b", 0.2)
    assert re.match(r"OPTIONS rtsp://[\d.:]+/cam\?listen&udp&name=a%20b RTSP/1.0\r\n", heard[0])


# --- TLS ---


def test_a_stream_over_tls_comes_from_a_server_with_a_right_certificate_only(port: int, tmp_path: Path) -> None:
    authority, another = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))

    def secured(issuer: trustme.CA, host: str) -> Answer:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issuer.issue_cert(host).configure_cert(context)

        def answer(connection: socket.socket) -> None:
            with context.wrap_socket(connection, server_side=True) as secure:
                before(port, heard=heard)(secure)

        return answer

    heard: list[str] = []
    with misbehaving(secured(authority, "127.0.0.1")) as source:
        items = read(source.replace("rtsp:", "rtsps:"), 2, ca=str(tmp_path / "ca.pem"))
        assert len(pictures(items)) >= 8
    assert heard[0].startswith("OPTIONS rtsps://127.0.0.1:")
    heard.clear()
    for issuer, host in ((another, "127.0.0.1"), (authority, "127.0.0.9"), (authority, "camera.example")):
        with misbehaving(secured(issuer, host)) as source, pytest.raises(Fault) as fault:
            read(source.replace("rtsp:", "rtsps:"), 1, ca=str(tmp_path / "ca.pem"))
        assert fault.value.code == "certificate"
    assert not heard


# --- Ends ---


def test_a_server_that_stops_in_the_middle_is_noticed(port: int) -> None:
    """It keeps the connection, and says nothing more: after so much of the stream."""

    def answer(connection: socket.socket) -> None:
        left = 60_000

        def edited(data: bytes) -> bytes:
            nonlocal left
            left -= len(data)
            return data if left > 0 else b""

        before(port, edited=edited)(connection)

    with misbehaving(answer) as source:
        began_at = time.monotonic()
        with pytest.raises(Fault) as fault:
            read(source, 20, silent_s=1.0)
    assert fault.value.code in ("silent", "not_a_picture")  # As the last bytes were none or some of a picture.
    assert time.monotonic() - began_at < 6


def test_twenty_connections_leave_nothing_open(port: int) -> None:
    """By turns: left by us, ended by the server in the middle, refused by it, sent on by it."""

    def ending(connection: socket.socket) -> None:
        left = 40_000

        def edited(data: bytes) -> bytes:
            nonlocal left
            left -= len(data)
            if left < 0:
                raise ConnectionResetError
            return data

        before(port, edited=edited)(connection)

    def used() -> tuple[int, int]:
        return process.num_fds(), process.num_threads()

    process = psutil.Process()
    with (
        misbehaving(before(port)) as good,
        misbehaving(ending) as bad,
        forbidden() as (url, came),
        misbehaving(redirecting(port, "SETUP", FOUND, url)) as sly,
    ):
        assert pictures(read(good, 0))
        time.sleep(0.5)
        at_first = used()
        for number in range(20):
            source = (good, bad, good + "/none", sly)[number % 4]
            with suppress(Fault):
                read(source, 0 if number % 4 == 0 else 10)
        deadline = time.monotonic() + 5
        while used() > at_first and time.monotonic() < deadline:
            time.sleep(0.1)
        assert used() <= at_first
    assert not came


def test_another_program_that_connects_first_gets_nothing() -> None:
    """As any user of this machine could; the server asks for a password, which we would give."""
    here, server = socket.socketpair()
    with server, Forwarder(here, "rtsp://user:hunter2@camera/cam", settings("")) as forwarder:
        where = forwarder.url.removeprefix("rtsp://").rstrip("/").split(":")
        with socket.create_connection((where[0], int(where[1])), 2) as stranger:
            stranger.sendall(f"DESCRIBE {forwarder.url} RTSP/1.0\r\nCSeq: 1\r\nUser-Agent: x\r\n\r\n".encode())
            assert stranger.recv(100) == b""
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((where[0], int(where[1])), 2)
        assert server.recv(100) == b""


def test_reading_may_be_given_up_at_any_moment(port: int) -> None:
    """A generator that is closed ends the session, which the server hears of."""
    heard: list[str] = []
    with misbehaving(before(port, heard=heard)) as source:
        items: Iterator[Item] = rtsp.read(settings(source), Control(5.0))
        with closing(items):  # type: ignore[type-var]
            next(items)
        time.sleep(0.2)
    assert heard[-1].startswith("TEARDOWN ")
