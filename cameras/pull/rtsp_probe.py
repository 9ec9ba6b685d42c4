"""Asks an RTSP server what it would send before FFmpeg is sent there: FFmpeg checks no address, follows every
redirection, trusts every certificate, and has one word for most of what goes wrong. Pure.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import SplitResult, urldefrag, urljoin, urlsplit

from cameras import addresses
from cameras.addresses import Address, AddressRefused
from cameras.pull.source import Fault, Settings

PORTS = {"rtsp": 554, "rtsps": 322}
MOST_REDIRECTIONS = 5
MOST_BYTES = 65_536
MOST_ADDRESSES = 3  # Of a host with several, so many are tried.


@contextmanager
def answering(settings: Settings) -> Iterator[tuple[Address, str]]:
    """The address that answers, and the URL with it in place of the host. Raises Fault.

    Our connection stays open meanwhile: some servers end, with the last one that asks, the stream that they prepared.
    """
    url = urldefrag(settings.source)[0]
    seen = {url}
    while len(seen) <= MOST_REDIRECTIONS:
        parts = urlsplit(url)
        connection, address = _connected(parts, settings)
        with closing(connection):
            location = _describe(connection, parts)
            if location is None:
                yield address, addresses.pinned(url, address)
                return
        url = _redirected(parts, location)
        if url in seen:
            break
        seen.add(url)
    raise Fault("redirect_loop")


def _connected(parts: SplitResult, settings: Settings) -> tuple[socket.socket, Address]:
    host = parts.hostname or ""
    port = parts.port or PORTS[parts.scheme.lower()]
    try:
        found = addresses.resolve(host, port, settings.allowed)
    except AddressRefused as error:
        raise Fault(error.code, error.detail) from None
    problem: OSError = TimeoutError()
    for address in found[:MOST_ADDRESSES]:
        try:
            plain = socket.create_connection((str(address), port), settings.connect_s)
        except OSError as error:
            problem = error
        else:
            return _secured(plain, host, settings) if parts.scheme.lower() == "rtsps" else plain, address
    if isinstance(problem, ConnectionRefusedError):
        raise Fault("refused")
    raise Fault("timeout", "" if isinstance(problem, TimeoutError) else problem.strerror or "")


def _secured(plain: socket.socket, host: str, settings: Settings) -> socket.socket:
    context = ssl.create_default_context()
    if settings.ca:
        context.load_verify_locations(settings.ca)
    try:
        return context.wrap_socket(plain, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        raise Fault("certificate", error.verify_message) from None
    except TimeoutError:
        raise Fault("silent", "no TLS") from None
    except OSError:
        raise Fault("unsupported", "no TLS") from None


def _describe(connection: socket.socket, parts: SplitResult) -> str | None:
    """Where the server sends us on to. Without a password: whether that is right, FFmpeg finds out."""
    host = parts.netloc.rpartition("@")[2]
    url = SplitResult(parts.scheme, host, parts.path, parts.query, "").geturl()
    head = f"DESCRIBE {url} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\nUser-Agent: Omil\r\n\r\n"
    try:
        connection.sendall(head.encode())
        answer = _head(connection)
    except TimeoutError:
        raise Fault("silent", "no answer") from None
    except OSError:
        raise Fault("ended", "no answer") from None
    status, *fields = answer.split("\r\n")
    version, _space, rest = status.partition(" ")
    if not version.startswith("RTSP/"):
        raise Fault("unsupported", "no RTSP")
    if not rest.startswith("3"):
        return None
    named = (field.partition(":") for field in fields)
    return next((value.strip() for name, _colon, value in named if name.strip().lower() == "location"), "")


def _head(connection: socket.socket) -> str:
    found = b""
    while b"\r\n\r\n" not in found and len(found) < MOST_BYTES:
        chunk = connection.recv(4_096)
        if not chunk:
            raise ConnectionResetError
        found += chunk
        if not b"RTSP/".startswith(found[:5]):
            break
    return found.partition(b"\r\n\r\n")[0].decode("latin-1")


def _redirected(parts: SplitResult, location: str) -> str:
    """With our user and password only as long as it is the same host."""
    target = urlsplit(urljoin(parts.geturl(), location))
    if target.scheme.lower() not in PORTS or not target.hostname or not re.search(r"[^:](:\d{1,5})?$", target.netloc):
        raise Fault("unsupported", "sent on to what is no RTSP")
    if target.hostname == parts.hostname and "@" not in target.netloc and "@" in parts.netloc:
        user = parts.netloc.rpartition("@")[0]
        target = target._replace(netloc=f"{user}@{target.netloc}")
    return target.geturl()
