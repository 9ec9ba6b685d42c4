"""The last pictures of a camera on disk, each written once and before its acknowledgement. Clips are cut from here.

A file's name is its capture time, stream and sequence number, so a sorted listing is in order of capture.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from cameras.frames import Frame

LATE_S = 65.0  # No picture comes in so long after a later one, unless the clock was set back between them.


def name_of(stream: str, seq: int, captured_at: float) -> str:
    return f"{round(captured_at * 1e6):017d}-{stream}-{seq:010d}.jpg"


def captured_at_of(name: str) -> float:
    return int(name[:17]) / 1e6


def scan(folder: Path) -> Iterator[str]:
    """The names of a folder's pictures in no order; none where it is gone."""
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".jpg") and entry.name[0] != ".":
                yield entry.name


@dataclass(frozen=True, slots=True)
class Held:
    name: str
    captured_at: float
    size: int


class Ring:
    """One camera's ring. One process writes it; any may read a name it knows. Not safe for concurrent writers.

    Whoever holds `disk` may replace a picture by another of the same name, for none goes meanwhile.
    """

    def __init__(self, folder: Path, *, max_bytes: int) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self.disk = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)
        self._held = deque(self._listing())
        self._bytes = sum(held.size for held in self._held)

    def _listing(self) -> list[Held]:
        """What an earlier process left; a picture it had half written is removed, never read."""
        found = []
        with os.scandir(self.folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    Path(entry.path).unlink(missing_ok=True)
                elif entry.name.endswith(".jpg"):
                    found.append(Held(entry.name, captured_at_of(entry.name), entry.stat().st_size))
        return sorted(found, key=lambda held: held.name)

    def put(self, frame: Frame) -> Path:
        """Writes the picture unless it is already there (a frame sent again). Raises OSError when the disk refuses."""
        name = name_of(frame.stream, frame.seq, frame.captured_at)
        path = self.folder / name
        if path.exists():
            return path
        fresh = self.folder / f".{name}"
        try:
            fresh.write_bytes(frame.jpeg)
            fresh.rename(path)  # Whole or absent, whenever the process dies.
        except OSError:
            fresh.unlink(missing_ok=True)
            raise
        self._held.append(Held(name, frame.captured_at, len(frame.jpeg)))
        self._bytes += len(frame.jpeg)
        return path

    def drop(self, frame: Frame) -> None:
        """Removes a picture that turned out to be none."""
        with self.disk:
            (self.folder / name_of(frame.stream, frame.seq, frame.captured_at)).unlink(missing_ok=True)

    def prune(self, *, older_than: float) -> int:
        """Removes what was captured before this time, then the oldest above the size limit; returns how many."""
        removed, through = 0, self._through(older_than)
        while self._held and (removed < through or self._bytes > self.max_bytes):
            held = self._held.popleft()
            with self.disk:
                (self.folder / held.name).unlink(missing_ok=True)
            self._bytes -= held.size
            removed += 1
        return removed

    def _through(self, older_than: float) -> int:
        """How many of the oldest by arrival go for their age. A picture goes at the latest with one that came after it:
        those from before the clock was set back, which seem to be of the future, must not keep the others."""
        if not self._held or self._held[0].captured_at <= self._held[-1].captured_at + LATE_S:
            return sum(1 for _ in takewhile(lambda held: held.captured_at < older_than, self._held))
        old = (place for place, held in enumerate(self._held, 1) if held.captured_at < older_than)
        return max(old, default=0)
