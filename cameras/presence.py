"""What analysis last said of a camera: written by the drain after each frame, read by the gate, the clock and status.

A fixed-size file, overwritten in place with one small write and guarded by a checksum.
"""

from __future__ import annotations

import os
import struct
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cameras.opened import Opened

NAME = "presence"
FIELDS = struct.Struct("<Qd?dHH?d")
CHECKSUM = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Presence:
    """`n` is the last entry analysed; `present` holds until no box was seen for a second. Times are Unix seconds."""

    n: int = 0
    captured_at: float = 0.0
    present: bool = False
    last_box_at: float = 0.0
    people: int = 0
    open_visits: int = 0
    catching_up: bool = False
    written_at: float = 0.0


NOBODY = Presence()


class Writer:
    """Writes one camera's presence; held by the camera's owner."""

    def __init__(self, folder: Path) -> None:
        self._file = Opened(folder / NAME, is_made=True)

    def write(self, presence: Presence) -> None:
        raw = FIELDS.pack(
            presence.n,
            presence.captured_at,
            presence.present,
            presence.last_box_at,
            min(presence.people, 65_535),
            min(presence.open_visits, 65_535),
            presence.catching_up,
            presence.written_at,
        )
        self._file.write_at(0, raw + CHECKSUM.pack(zlib.crc32(raw)))


def write(folder: Path, presence: Presence) -> None:
    """Once, where there is nothing to keep open for."""
    Writer(folder).write(presence)


def read(folder: Path) -> Presence:
    """The last presence written; NOBODY before analysis has said anything."""
    for _attempt in range(3):  # A reader may meet a writer in the middle.
        with suppress(FileNotFoundError):
            raw = _bytes_of(folder / NAME)
            fields, checksum = raw[: FIELDS.size], raw[FIELDS.size :]
            if checksum == CHECKSUM.pack(zlib.crc32(fields)):
                return Presence(*FIELDS.unpack(fields))
    return NOBODY


def _bytes_of(path: Path) -> bytes:
    """Read for every frame that comes in, and so without a file object, which costs twice as much."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(handle, FIELDS.size + CHECKSUM.size + 1)
    finally:
        os.close(handle)
