"""A camera's last analysed entry with its tracker and visit state: written whole after every frame, never pickled.

Two files take turns, each overwritten in place, and the newer one that is whole counts: renaming one over the other
would make ext4 write it out at once, which cost more than all else that is written for a frame.
"""

from __future__ import annotations

import logging
import struct
import zlib
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgpack

from cameras.opened import Opened

logger = logging.getLogger(__name__)

NAMES = ("checkpoint-0", "checkpoint-1")
VERSION = 1
HEAD = struct.Struct("<IIQ")  # Checksum of all that follows it, length of the body, number of this checkpoint.


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`n` is the last entry that took effect; `people` and `outcome` are what it was settled with."""

    n: int = 0
    captured_at: float = 0.0
    outcome: int = 0
    people: int = 0
    catching_up: bool = False
    tracker: dict[str, Any] = field(default_factory=dict)
    visits: dict[str, Any] = field(default_factory=dict)
    zones: dict[str, Any] = field(default_factory=dict)
    mask_version: int = 0  # Of the masks without which no picture of an open visit is left.


class Writer:
    """Writes one camera's checkpoints; there is one at a time, held by the camera's owner."""

    def __init__(self, folder: Path) -> None:
        self._number = max((number for number, _body in _found(folder)), default=0)
        self._files = [Opened(folder / name, is_made=True) for name in NAMES]

    def write(self, checkpoint: Checkpoint) -> None:
        self._number += 1
        # The fields one by one: dataclasses.asdict would copy the nested state.
        body = {name: getattr(checkpoint, name) for name in Checkpoint.__slots__}
        packed: bytes = msgpack.packb({"version": VERSION, **body})
        rest = HEAD.pack(0, len(packed), self._number)[4:] + packed
        self._files[self._number % len(NAMES)].write_at(0, zlib.crc32(rest).to_bytes(4, "little") + rest)


def read(folder: Path) -> Checkpoint:
    """The last checkpoint. One of another version keeps its place in the log and forgets who was there."""
    found = _found(folder)
    if not found:
        return Checkpoint()
    raw = msgpack.unpackb(max(found)[1], strict_map_key=False)
    if raw.pop("version") != VERSION:
        logger.warning("%s: checkpoint of another version; open visits are forgotten", folder)
        return Checkpoint(n=raw["n"], captured_at=raw["captured_at"])
    return Checkpoint(**raw)


def _found(folder: Path) -> list[tuple[int, bytes]]:
    """Number and body of each checkpoint that is whole; a killed owner may have left one half written."""
    found = []
    for name in NAMES:
        with suppress(FileNotFoundError):
            raw = (folder / name).read_bytes()
            if len(raw) >= HEAD.size:
                checksum, length, number = HEAD.unpack_from(raw)
                if zlib.crc32(raw[4 : HEAD.size + length]) == checksum:
                    found.append((number, raw[HEAD.size : HEAD.size + length]))
    return found
