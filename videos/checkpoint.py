"""How far the analysis of a video has come, with all that its next sample depends on; replaced whole, never pickled."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgpack

NAME = "checkpoint"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`next` is the first sample that has not taken effect; `people` are those seen so far, by their visit's key."""

    next: int = 0
    busy_s: float = 0.0  # Spent so far.
    offset: int = 0  # Of the rows of tracks.
    tracker: dict[str, Any] = field(default_factory=dict)
    visits: dict[str, Any] = field(default_factory=dict)
    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    analysers: dict[str, dict[str, Any]] = field(default_factory=dict)


def write(folder: Path, checkpoint: Checkpoint) -> None:
    body = {name: getattr(checkpoint, name) for name in Checkpoint.__slots__}
    fresh = folder / f".{NAME}.{os.getpid()}"
    fresh.write_bytes(msgpack.packb({"version": VERSION, **body}))
    fresh.replace(folder / NAME)


def read(folder: Path) -> Checkpoint:
    """A beginning where there is none, or one of another version."""
    try:
        raw = msgpack.unpackb((folder / NAME).read_bytes(), strict_map_key=False)
    except FileNotFoundError:
        return Checkpoint()
    return Checkpoint(**raw) if raw.pop("version") == VERSION else Checkpoint()
