"""Which hosts the server may pull from: a name is resolved, its addresses are checked, a checked one is used. Pure.

Whoever manages a camera chooses its address, and must not reach by it what only this machine can: itself, its link, a
cloud's metadata service. Private networks are allowed, for cameras live there.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import SplitResult, urlsplit

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

RESOLVE_S = 5.0
# Clouds answer with credentials of the machine here. The usual 169.254.169.254 is link-local, and refused as such.
METADATA = {
    ipaddress.ip_address(text)
    for text in ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254")
}
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
THIS_NETWORK = ipaddress.IPv4Network("0.0.0.0/8")


class AddressRefused(Exception):
    """`code` is "dns" where there is no address, "address_not_allowed" where there is none that may be used."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Allowed:
    """What is allowed beyond the rule: networks, and hosts by name."""

    networks: tuple[Network, ...] = ()
    hosts: frozenset[str] = frozenset()


def parse_allowed(words: Iterable[str]) -> Allowed:
    """From networks (10.0.0.0/8), addresses and host names. Raises ValueError naming what is neither."""
    networks, hosts = [], set()
    for word in words:
        try:
            networks.append(ipaddress.ip_network(word.strip("[]"), strict=False))
        except ValueError:
            if not re.fullmatch(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?", word) or word.replace(".", "").isdigit():
                raise ValueError(f"{word!r} is no host, address or network") from None
            hosts.add(_plain(word))
    return Allowed(tuple(networks), frozenset(hosts))


def _plain(host: str) -> str:
    return host.lower().rstrip(".")


def why_refused(address: Address) -> str | None:
    """What kind of address this is, if no source may use it without being allowed to."""
    address = _meant(address)
    if address in METADATA:
        return "metadata"
    if address.is_unspecified or address in THIS_NETWORK:
        return "unspecified"
    for kind in ("loopback", "link_local", "multicast", "reserved"):
        if getattr(address, f"is_{kind}"):
            return kind.replace("_", "-")
    return None


def _meant(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, where it does."""
    if isinstance(address, ipaddress.IPv6Address):
        if found := address.ipv4_mapped or address.sixtofour:
            return found
        if address in NAT64 or (int(address) >> 32 == 0 and int(address) > 1):  # The latter is "IPv4-compatible".
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if teredo := address.teredo:
            return teredo[1]
    return address


def resolve(host: str, port: int, allowed: Allowed, *, timeout_s: float = RESOLVE_S) -> list[Address]:
    """The addresses of this host that may be used, best first; never empty. Raises AddressRefused."""
    found = _look_up(host, port, timeout_s)
    if _plain(host) in allowed.hosts:
        return found
    usable, refused = [], ""
    for address in found:
        kind = why_refused(address) or ("this machine" if _is_own(address) else None)
        if kind is None or any(_is_in(address, network) for network in allowed.networks):
            usable.append(address)
        else:
            refused = f"{address} ({kind})"
    if not usable:
        raise AddressRefused("address_not_allowed", refused)
    return usable


def _is_own(address: Address) -> bool:
    """Whether this machine itself has this address: what is sent there then comes from it, too. Nothing is sent."""
    address = _meant(address)
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((str(address), 9))
            return ipaddress.ip_address(probe.getsockname()[0]) == address
    except (OSError, ValueError):  # There is no way there, or no IPv6 at all.
        return False


def _is_in(address: Address, network: Network) -> bool:
    return any(each.version == network.version and each in network for each in {address, _meant(address)})


def _look_up(host: str, port: int, timeout_s: float) -> list[Address]:
    """In a thread of its own: a resolver without an answer may take a minute, and cannot be told to stop."""
    answers: list[Address] = []
    faults: list[str] = []

    def ask() -> None:
        try:
            for family, _type, _protocol, _name, where in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
                if family in (socket.AF_INET, socket.AF_INET6):
                    answers.append(ipaddress.ip_address(str(where[0]).partition("%")[0]))
        except (OSError, UnicodeError) as error:
            faults.append(getattr(error, "strerror", None) or "no host name")

    asking = threading.Thread(target=ask, name="resolver", daemon=True)
    asking.start()
    asking.join(timeout_s)
    if asking.is_alive():
        raise AddressRefused("dns", f"{host}: no answer within {timeout_s:g} s")
    if not answers:
        raise AddressRefused("dns", f"{host}: {faults[0] if faults else 'no address'}")
    return list(dict.fromkeys(answers))


def pinned(url: str, address: Address) -> str:
    """The URL with the checked address in place of its host, so that nobody resolves the name a second time."""
    parts = urlsplit(url)
    user, at, _host = parts.netloc.rpartition("@")
    host = f"[{address}]" if address.version == 6 else str(address)
    port = f":{parts.port}" if parts.port is not None else ""
    return SplitResult(parts.scheme, f"{user}{at}{host}{port}", parts.path, parts.query, parts.fragment).geturl()
