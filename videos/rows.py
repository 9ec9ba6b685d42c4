"""A file of JSON lines that grows sample by sample; a checkpoint names how long it was, and it goes on from there."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False)


class RowFile:
    """Append-only. `offset` belongs into the checkpoint; what a killed worker wrote beyond it is cut off."""

    def __init__(self, path: Path, offset: int = 0) -> None:
        self.offset = offset
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        size = os.fstat(self._file).st_size
        if size < offset:
            os.close(self._file)
            raise OSError(f"{path} has {size} bytes, but its checkpoint says {offset}.")
        os.ftruncate(self._file, offset)

    def append(self, row: object) -> None:
        line = ENCODER.encode(row).encode() + b"\n"
        left = memoryview(line)
        while left:
            left = left[os.write(self._file, left) :]
        self.offset += len(line)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __del__(self) -> None:
        self.close()


def read(lines: Iterator[bytes] | Any) -> Iterator[Any]:
    """The rows of an open file."""
    for line in lines:
        yield json.loads(line)
