"""Connects to RTSP servers at checked addresses, over TLS to those whose certificate is right. Pure."""

from __future__ import annotations

import re
import socket
import ssl
from urllib.parse import urljoin, urlsplit

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
    """With our user and password only as long as it is the same host."""
    parts, target = urlsplit(url), urlsplit(urljoin(url, location))
    if target.scheme.lower() not in PORTS or not target.hostname or not re.search(r"[^:](:\d{1,5})?$", target.netloc):
        raise Fault("unsupported", "sent on to what is no RTSP")
    if target.hostname == parts.hostname and "@" not in target.netloc and "@" in parts.netloc:
        user = parts.netloc.rpartition("@")[0]
        target = target._replace(netloc=f"{user}@{target.netloc}")
    return target.geturl()
