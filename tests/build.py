"""Makers of the things tests are about, with sensible defaults."""

from __future__ import annotations

from typing import Any

from cameras.entries import Entry, Flag, Kind, Outcome
from cameras.frames import Frame

STREAM = "0123456789abcdef" * 2


def make_frame(seq: int = 1, captured_at: float | None = None, **changes: Any) -> Frame:
    """A frame whose picture is a few bytes that name it; ring and spool do not look inside."""
    at = 1_000.0 + seq if captured_at is None else captured_at
    values: dict[str, Any] = {
        "camera_id": 1,
        "stream": STREAM,
        "seq": seq,
        "captured_at": at,
        "received_at": at + 0.05,
        "jpeg": b"picture %d" % seq,
    }
    return Frame(**{**values, **changes})


def make_entry(n: int = 1, kind: Kind = Kind.ADMITTED, captured_at: float = 1_000.0, **changes: Any) -> Entry:
    values: dict[str, Any] = {
        "n": n,
        "kind": kind,
        "reason": "",
        "flags": Flag(0),
        "stream": STREAM,
        "seq": n,
        "size": 100,
        "captured_at": captured_at,
        "received_at": captured_at + 0.05,
        "outcome": Outcome.WAITING,
        "people": 0,
    }
    return Entry(**{**values, **changes})
