"""A camera's last analysed entry with its tracker and visit state: written whole after every frame, never pickled.

Two files take turns, so that a write cut short spoils the older one. They are overwritten in place: renaming a fresh
file over the last one makes the file system start writing to disk, which cost a frame as much as all its other writes.
"""

from __future__ import annotations

import logging
import struct
import zlib
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import msgpack

logger = logging.getLogger(__name__)

NAMES = ("checkpoint.0", "checkpoint.1")
VERSION = 1
HEAD = struct.Struct("<II")  # Length and checksum of what follows; a longer one before it may have left a rest.


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
    slot: int = field(default=1, compare=False)  # The file that holds it, or an older one.


FIELDS = tuple(each.name for each in fields(Checkpoint) if each.name != "slot")


def write(folder: Path, checkpoint: Checkpoint) -> Checkpoint:
    """Into the other file than that of the checkpoint this one follows; returns it as it then stands. Each has a
    greater `n` than the one before."""
    slot = 1 - checkpoint.slot
    # The fields one by one: dataclasses.asdict would copy the nested state.
    body = msgpack.packb({"version": VERSION, **{name: getattr(checkpoint, name) for name in FIELDS}})
    put(folder / NAMES[slot], HEAD.pack(len(body), zlib.crc32(body)) + body)
    return replace(checkpoint, slot=slot)


def put(path: Path, record: bytes) -> None:
    try:
        file = path.open("r+b", buffering=0)
    except FileNotFoundError:
        file = path.open("x+b", buffering=0)
    with file:
        if (written := file.write(record)) != len(record):
            raise OSError(f"{path}: {written} of {len(record)} bytes could be written.")


def read(folder: Path) -> Checkpoint:
    """The last checkpoint. One of another version keeps its place in the log and forgets who was there."""
    found = [(raw, slot) for slot, name in enumerate(NAMES) if (raw := _read(folder / name))]
    if not found:
        return Checkpoint()
    raw, slot = max(found, key=lambda each: each[0]["n"])
    if raw.pop("version") != VERSION:
        logger.warning("%s: checkpoint of another version; open visits are forgotten", folder)
        return Checkpoint(n=raw["n"], captured_at=raw["captured_at"], slot=slot)
    return Checkpoint(**raw, slot=slot)


def _read(path: Path) -> dict[str, Any] | None:
    """What the file holds, or None where it is missing or was not written to its end."""
    try:
        record = path.read_bytes()
    except FileNotFoundError:
        return None
    if len(record) < HEAD.size:
        return None
    length, checksum = HEAD.unpack_from(record)
    body = record[HEAD.size : HEAD.size + length]
    if zlib.crc32(body) != checksum:
        logger.info("%s was not written to its end; the checkpoint before it counts", path)
        return None
    raw: dict[str, Any] = msgpack.unpackb(body, strict_map_key=False)
    return raw
