"""Whom this process is connected to, as the kernel says: FFmpeg follows redirections without asking anybody. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from cameras.addresses import Address

PROC = Path("/proc/self")
ADDRESS_AT, STATE_AT, INODE_AT = 2, 3, 9  # Columns of /proc/net/tcp.
LISTENING = "0A"


def peers() -> set[Address]:
    """The other ends of all TCP connections of this process."""
    ours = set(_inodes())
    return {address for name in ("tcp", "tcp6") for inode, address in _connections(name) if inode in ours}


def _inodes() -> Iterator[str]:
    for entry in (PROC / "fd").iterdir():
        with suppress(OSError):  # That of the listing itself.
            if found := re.fullmatch(r"socket:\[(\d+)\]", str(entry.readlink())):
                yield found[1]


def _connections(name: str) -> Iterator[tuple[str, Address]]:
    with suppress(FileNotFoundError):
        for line in (PROC / "net" / name).read_text().splitlines()[1:]:
            columns = line.split()
            if columns[STATE_AT] == LISTENING:
                continue
            yield columns[INODE_AT], _address(columns[ADDRESS_AT].partition(":")[0])


def _address(text: str) -> Address:
    """The kernel writes them as words of 32 bits in the machine's own order."""
    raw = bytes.fromhex(text)
    words = [raw[at : at + 4][::-1] for at in range(0, len(raw), 4)]
    address = ipaddress.ip_address(b"".join(words))
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
