from __future__ import annotations

import asyncio
import os
import socket
import ssl
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from pytest_django import Settings
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from omil import authority

pytestmark = pytest.mark.timeout(60)

# Answers every message with its size, says something more to a socket that has closed, as if it had not heard, notes
# the code that it closed with, and streams on /stream.
APPLICATION = """
import asyncio, os, pathlib, sys
import django
django.setup()
from omil import server

async def application(scope, receive, send):
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": str(len(message.get("bytes") or message.get("text")))})
        await send({"type": "websocket.send", "text": "too late"})
        pathlib.Path(sys.argv[2]).open("a").write(f"{message['code']}\\n")
    else:
        size = 0
        while True:
            message = await receive()
            size += len(message.get("body", b""))
            if not message.get("more_body"):
                break
        if scope["path"] == "/never":
            await asyncio.sleep(30)
        kinds = {"/live": [(b"Content-Type", b"multipart/x-mixed-replace; boundary=x")]}
        await send({"type": "http.response.start", "status": 200, "headers": kinds.get(scope["path"], [])})
        while scope["path"] in ("/live", "/film"):
            await send({"type": "http.response.body", "body": bytes(65_536), "more_body": True})
            await asyncio.sleep(0)
        if scope["path"] == "/stream":
            for _ in range(5):
                await send({"type": "http.response.body", "body": b"x" * 10, "more_body": True})
                await asyncio.sleep(1)
        await send({"type": "http.response.body", "body": str(size).encode()})

server.RESPONSE_S = server.STALLED_S = 1
server.MAX_BODY_BYTES = 500_000
server.serve(application, sys.argv[1])
"""


@dataclass(frozen=True, slots=True)
class Server:
    """A server in a process of its own; closes is the file of the codes its sockets closed with."""

    port: int
    closes: Path

    def codes(self) -> list[str]:
        return self.closes.read_text().split() if self.closes.exists() else []


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def serve(endpoint: str, port: int, closes: Path) -> Iterator[Server]:
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "omil.settings"}
    command = ["setpriv", "--pdeathsig", "KILL", "--", sys.executable, "-c", APPLICATION, endpoint, str(closes)]
    process = subprocess.Popen(command, env=env, cwd=Path(__file__).parents[2])
    try:
        deadline = time.monotonic() + 20
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield Server(port, closes)
    finally:
        process.terminate()
        assert process.wait(timeout=15) == 0


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    port = free_port()
    yield from serve(f"tcp:port={port}:interface=127.0.0.1", port, tmp_path_factory.mktemp("server") / "closes")


async def raw(port: int, request: str, *, timeout_s: float = 10) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(textwrap.dedent(request).strip().replace("\n", "\r\n").encode() + b"\r\n\r\n")
    try:
        return await asyncio.wait_for(reader.read(), timeout_s)
    finally:
        writer.close()


async def test_a_message_of_a_mebibyte_is_answered(plain: Server) -> None:
    async with connect(f"ws://127.0.0.1:{plain.port}/") as client:
        await client.send(bytes(1_048_576))
        assert await client.recv() == "1048576"
        await client.send("still here")
        assert await client.recv() == "10"


@pytest.mark.parametrize("size", [1_048_577, 50_000_000])
async def test_a_larger_message_is_closed_with_its_code_and_the_application_hears_it(plain: Server, size: int) -> None:
    before = len(plain.codes())
    async with connect(f"ws://127.0.0.1:{plain.port}/") as client:
        with pytest.raises(ConnectionClosed) as closed:
            await client.send(bytes(size))
            await client.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009
    async with asyncio.timeout(5):
        while len(plain.codes()) == before:
            await asyncio.sleep(0.02)
    assert plain.codes()[before:] == ["1009"]


async def test_a_usual_close_keeps_its_code(plain: Server) -> None:
    before = len(plain.codes())
    async with connect(f"ws://127.0.0.1:{plain.port}/") as client:
        await client.close(4001)
    async with asyncio.timeout(5):
        while len(plain.codes()) == before:
            await asyncio.sleep(0.02)
    assert plain.codes()[before:] == ["4001"]


async def test_it_does_not_say_what_software_serves(plain: Server) -> None:
    answer = await raw(plain.port, "GET / HTTP/1.1\nHost: localhost\nConnection: close")
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"server:" not in answer.lower()


async def test_a_response_that_never_begins_ends_as_unavailable(plain: Server) -> None:
    answer = await raw(plain.port, "GET /never HTTP/1.1\nHost: localhost\nConnection: close")
    assert answer.startswith(b"HTTP/1.1 503")


async def test_a_stream_may_last_longer_than_the_limit_for_its_beginning(plain: Server) -> None:
    answer = await raw(plain.port, "GET /stream HTTP/1.1\nHost: localhost\nConnection: close")
    assert answer.count(b"x") == 50


@pytest.mark.parametrize(("path", "is_cut"), [("/live", True), ("/film", False)])
async def test_whoever_takes_nothing_of_a_live_stream_is_hung_up_on(plain: Server, path: str, is_cut: bool) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", plain.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    await asyncio.sleep(2.5)  # What has been sent until then lies in buffers; nobody has read it.
    taken, ended = 0, False
    with suppress(ConnectionResetError):
        while taken < 30_000_000 and not ended:
            chunk = await asyncio.wait_for(reader.read(65_536), 5)
            taken, ended = taken + len(chunk), not chunk
    assert (taken < 30_000_000) is is_cut
    writer.transport.abort()


@pytest.mark.parametrize("length", ["Content-Length: 900000", "Transfer-Encoding: chunked"])
async def test_a_body_without_end_is_hung_up_on(plain: Server, length: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", plain.port)
    writer.write(f"POST / HTTP/1.1\r\nHost: localhost\r\n{length}\r\n\r\n".encode())
    try:
        for _ in range(90):
            writer.write(b"2710\r\n" + bytes(10_000) + b"\r\n" if "chunked" in length else bytes(10_000))
            await writer.drain()
        assert await asyncio.wait_for(reader.read(), 10) == b""
    except (ConnectionResetError, BrokenPipeError):
        pass
    finally:
        writer.close()


async def test_a_body_within_the_limit_arrives_whole(plain: Server) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", plain.port)
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 499999\r\n\r\n"
    writer.write(head + bytes(499_999))
    assert (await asyncio.wait_for(reader.read(), 10)).endswith(b"499999\r\n0\r\n\r\n")
    writer.close()


# --- TLS -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hosts", [["gate.local", "127.0.0.1"]])
def test_it_serves_tls_that_the_authority_vouches_for(tmp_path: Path, settings: Settings, hosts: list[str]) -> None:
    from omil import server

    settings.OMIL_HOSTS, settings.RUN_DIR = hosts, tmp_path
    served = authority.local(tmp_path / "with: colon", hosts=hosts, now=datetime.now(UTC).replace(microsecond=0))
    assert served.authority
    port = free_port()
    running = serve(server.tls_endpoint(served, port), port, tmp_path / "closes")
    next(running)
    try:
        trusting = ssl.create_default_context(cafile=str(served.authority))
        for host in hosts:
            line = socket.create_connection(("127.0.0.1", port))
            with trusting.wrap_socket(line, server_hostname=host) as tls:
                assert tls.version() == "TLSv1.3"
                certificate = tls.getpeercert(binary_form=True)
                assert certificate is not None
                assert x509.load_der_x509_certificate(certificate) == served.chain()[0]
        with socket.create_connection(("127.0.0.1", port)) as line, pytest.raises(ssl.SSLCertVerificationError):
            trusting.wrap_socket(line, server_hostname="other.local")
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="TLSVersion.TLSv1"):
            old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        with socket.create_connection(("127.0.0.1", port)) as line, pytest.raises(ssl.SSLError):
            old.wrap_socket(line)
    finally:
        for _ in running:
            pass


def test_a_chain_is_handed_over_whole(tmp_path: Path, settings: Settings) -> None:
    import trustme

    from omil import server

    settings.OMIL_HOSTS, settings.RUN_DIR = ["gate.local"], tmp_path
    root = trustme.CA()
    pair = root.create_child_ca().issue_cert("gate.local")
    certificate, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    certificate.write_bytes(b"".join(blob.bytes() for blob in pair.cert_chain_pems))
    key.write_bytes(pair.private_key_pem.bytes())
    port = free_port()
    endpoint = server.tls_endpoint(authority.Served(certificate, key, None), port)
    running = serve(endpoint, port, tmp_path / "closes")
    next(running)
    try:
        trusting = ssl.create_default_context()
        root.configure_trust(trusting)
        with socket.create_connection(("127.0.0.1", port)) as line:
            trusting.wrap_socket(line, server_hostname="gate.local").close()
    finally:
        for _ in running:
            pass


def test_a_taken_port_ends_the_server_with_an_error(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        endpoint = f"tcp:port={taken.getsockname()[1]}:interface=127.0.0.1"
        env = {**os.environ, "DJANGO_SETTINGS_MODULE": "omil.settings"}
        command = [sys.executable, "-c", APPLICATION, endpoint, str(tmp_path / "closes")]
        ended = subprocess.run(
            command, env=env, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=20, check=False
        )
    assert ended.returncode == 1
    assert "Couldn't listen" in ended.stderr
