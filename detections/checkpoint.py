"""A camera's last analysed entry with its tracker and visit state: replaced whole after every frame, never pickled."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgpack

logger = logging.getLogger(__name__)

NAME = "checkpoint"
VERSION = 1


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


def write(folder: Path, checkpoint: Checkpoint) -> None:
    fresh = folder / f".{NAME}"
    # The fields one by one: dataclasses.asdict would copy the nested state.
    body = {name: getattr(checkpoint, name) for name in Checkpoint.__slots__}
    fresh.write_bytes(msgpack.packb({"version": VERSION, **body}))
    fresh.replace(folder / NAME)


def read(folder: Path) -> Checkpoint:
    """The last checkpoint. One of another version keeps its place in the log and forgets who was there."""
    try:
        raw = msgpack.unpackb((folder / NAME).read_bytes(), strict_map_key=False)
    except FileNotFoundError:
        return Checkpoint()
    if raw.pop("version") != VERSION:
        logger.warning("%s: checkpoint of another version; open visits are forgotten", folder)
        return Checkpoint(n=raw["n"], captured_at=raw["captured_at"])
    return Checkpoint(**raw)
