"""A file that one owner writes again and again in small pieces: opened once, each piece one system call."""

from __future__ import annotations

import os
from pathlib import Path


class Opened:
    """Closed when nobody holds it any more. Raises FileNotFoundError where the file is not there and is not made."""

    def __init__(self, path: Path, *, is_made: bool = False, is_appended: bool = False) -> None:
        flags = os.O_WRONLY | os.O_CLOEXEC | (os.O_CREAT if is_made else 0) | (os.O_APPEND if is_appended else 0)
        self._handle = -1
        self._handle = os.open(path, flags, 0o644)

    def write_at(self, offset: int, piece: bytes) -> None:
        """Raises OSError, also where only a part found room."""
        _check(os.pwrite(self._handle, piece, offset), piece)

    def append(self, piece: bytes) -> None:
        """Raises OSError, also where only a part found room."""
        _check(os.write(self._handle, piece), piece)

    def is_still(self, path: Path) -> bool:
        """Whether this path still leads to the same file."""
        try:
            return os.path.samestat(os.fstat(self._handle), path.stat())
        except FileNotFoundError:
            return False

    def __del__(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)


def _check(written: int, piece: bytes) -> None:
    if written != len(piece):
        raise OSError(f"only {written} of {len(piece)} bytes could be written")
