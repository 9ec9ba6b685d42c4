"""A camera's compressed pictures of the last seconds on disk; written by ingest, read by the recorder.

Not for a camera with masks: what these hide is in there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cameras import masking, packets
from cameras.packets import FOLDER, Name

LATE_S = 65.0  # As in ring.py: nothing comes in so long after a later picture, unless the clock was set back.


def is_forbidden(camera: Path) -> bool:
    """Whether nothing compressed may be kept of the camera with this folder."""
    return bool(masking.read(camera).polygons)


@dataclass(frozen=True, slots=True)
class Held:
    name: Name
    size: int


class PacketRing:
    """One camera's groups; `camera` is its folder. One process writes it, any may read or link what it finds."""

    def __init__(self, camera: Path, *, max_bytes: int) -> None:
        self.folder = camera / FOLDER
        self.max_bytes = max_bytes
        self._held: deque[Held] = deque(self._listing())
        self._bytes = sum(held.size for held in self._held)

    def _listing(self) -> Iterator[Held]:
        """What an earlier process left, in order of capture; half written files go."""
        if self.folder.is_dir():
            for path in self.folder.iterdir():
                if path.name.startswith("."):
                    path.unlink(missing_ok=True)
        for name in packets.names_in(self.folder):
            with suppress(FileNotFoundError):
                yield Held(name, (self.folder / str(name)).stat().st_size)

    def put(self, body: bytes) -> Name | None:
        """Writes a file whole, once; None where the camera is masked. Raises Damaged, and OSError where the disk
        refuses."""
        name = packets.name_in(body)
        if is_forbidden(self.folder.parent):
            return None
        self.folder.mkdir(parents=True, exist_ok=True)
        path, fresh = self.folder / str(name), self.folder / f".{name}"
        try:
            fresh.write_bytes(body)
            fresh.rename(path)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise
        if is_forbidden(self.folder.parent):  # This very moment: what was removed then did not yet hold this one.
            path.unlink(missing_ok=True)
            return None
        self._held.append(Held(name, len(body)))
        self._bytes += len(body)
        return name

    def prune(self, *, older_than: float) -> int:
        """Removes groups of which every picture was captured before this time, then the oldest above the size limit;
        returns how many files. A group goes whole: what is left of one could not be decoded."""
        removed = 0
        while self._held and (self._is_old(older_than) or self._bytes > self.max_bytes):
            key_us = self._held[0].name.key_us
            while self._held and self._held[0].name.key_us == key_us:
                held = self._held.popleft()
                (self.folder / str(held.name)).unlink(missing_ok=True)
                self._bytes -= held.size
                removed += 1
        return removed

    def _is_old(self, older_than: float) -> bool:
        """Of the first group. One from before the clock was set back seems to be of the future."""
        key_us = self._held[0].name.key_us
        last_us = max(held.name.last_us for held in self._held if held.name.key_us == key_us)
        newest_us = self._held[-1].name.last_us
        return last_us < older_than * 1e6 or last_us > newest_us + LATE_S * 1e6
