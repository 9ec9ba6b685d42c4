"""Connects to RTSP servers at checked addresses, over TLS to those whose certificate is right. Pure."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from urllib.parse import SplitResult, urljoin, urlsplit

from cameras import addresses
from cameras.addresses import AddressRefused
from cameras.pull.source import Fault, Settings

PORTS = {"rtsp": 554, "rtsps": 322}
MOST_ADDRESSES = 3  # Of a host with several, so many are tried.


def connected(url: str, settings: Settings) -> socket.socket:
    """Raises Fault."""
    parts = urlsplit(url)
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
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return _secured(plain, host, settings) if parts.scheme.lower() == "rtsps" else plain
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


def redirected(url: str, location: str) -> str:
    """With our user and password only as long as it is the same host, and the connection is not to lose its TLS.

    Raises Fault where that is no address of RTSP.
    """
    with suppress(ValueError):  # What splitting raises of no URL, and `port` of one that is none.
        parts, target = urlsplit(url), urlsplit(urljoin(url, location))
        if target.scheme.lower() in PORTS and target.hostname and target.port != 0:
            return _with_password(parts, target).geturl()
    raise Fault("unsupported", "sent on to what is no RTSP")


def _with_password(parts: SplitResult, target: SplitResult) -> SplitResult:
    is_trusted = target.hostname == parts.hostname and target.scheme.lower() in (parts.scheme.lower(), "rtsps")
    if is_trusted and "@" not in target.netloc and "@" in parts.netloc:
        user = parts.netloc.rpartition("@")[0]
        return target._replace(netloc=f"{user}@{target.netloc}")
    return target
