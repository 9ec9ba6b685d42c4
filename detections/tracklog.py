"""The boxes of every analysed frame: append-only, JSON lines per camera and hour (UTC), never in the database.

A row: n, stream, seq, captured_at, failed, and boxes as [track, visit or null, x1, y1, x2, y2, confidence].
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from cameras.opened import Opened

TAIL_BYTES = 65_536
CAPTURED_AT = '"captured_at":'
ENCODER = json.JSONEncoder(separators=(",", ":"))  # json.dumps would make one for every row.


class LoggedBox(NamedTuple):
    """Edges are relative to the picture, 0 to 1; written as a list."""

    track: int
    visit: str | None
    left: float
    top: float
    right: float
    bottom: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Row:
    n: int
    stream: str
    seq: int
    captured_at: float
    boxes: list[LoggedBox]
    failed: bool = False


class TrackLog:
    """One camera's track log, written by the drain that owns the camera."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file: tuple[Path, Opened] | None = None  # The hour's, once it is mended.

    def _path(self, captured_at: float) -> Path:
        return self.folder / f"{datetime.fromtimestamp(captured_at, UTC):%Y-%m-%dT%H}.jsonl"

    def append(self, row: Row) -> None:
        path = self._path(row.captured_at)
        if self._file is None or self._file[0] != path or not self._file[1].is_still(path):
            self.folder.mkdir(parents=True, exist_ok=True)
            _mend(path, before_n=row.n)
            self._file = path, Opened(path, is_made=True, is_appended=True)
        body = {
            "n": row.n,
            "stream": row.stream,
            "seq": row.seq,
            "captured_at": row.captured_at,
            "failed": row.failed,
            "boxes": row.boxes,
        }
        self._file[1].append(ENCODER.encode(body).encode() + b"\n")

    def rows(self, start: float, end: float) -> Iterator[Row]:
        """The rows captured in [start, end), in the order of analysis."""
        first, last = self._path(start).name, self._path(end).name
        for path in sorted(self.folder.glob("*.jsonl")):
            if first <= path.name <= last:
                with path.open(encoding="utf-8") as file:
                    for line in file:
                        if not start <= _captured_at(line) < end:
                            continue
                        raw = json.loads(line)
                        yield Row(**{**raw, "boxes": [LoggedBox(*box) for box in raw["boxes"]]})


def _captured_at(line: str) -> float:
    """Of a row that need not be parsed for it: most of an hour's rows are not those asked for."""
    value = line[line.index(CAPTURED_AT) + len(CAPTURED_AT) :]
    return float(value[: value.index(",")])


def _mend(path: Path, *, before_n: int) -> None:
    """Cuts off what an owner that was killed wrote beyond its checkpoint: a row to be written again, or half a row."""
    if not path.exists():
        return
    with path.open("r+b") as file:
        end = file.seek(0, 2)
        start = max(0, end - TAIL_BYTES)
        file.seek(start)
        tail = file.read()
        keep = tail.rfind(b"\n") + 1
        while keep:
            line_at = tail.rfind(b"\n", 0, keep - 1) + 1
            if json.loads(tail[line_at:keep])["n"] < before_n:
                break
            keep = line_at
        file.truncate(start + keep)
