"""A camera's spool: its ordered log with an entry for every judged frame, and a hard link to each admitted picture.

Written by the process that receives the camera and by the clock, read by the drain, coverage and (later) the recorder.
Segment files hold SEGMENT entries each, so an entry's place follows from its number, which only ever grows.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cameras import entries, ring
from cameras.entries import Entry, Flag, Kind, Outcome
from cameras.frames import Frame
from cameras.locks import locked
from cameras.opened import Opened

logger = logging.getLogger(__name__)

SEGMENT = 1_024
NO_STREAM = "0" * 32
NO_FLAGS = Flag(0)


class Spool:
    """One camera's spool folder. Appending is safe between processes, and leaves a whole entry or none."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        self.admitted = folder / "admitted"
        self._settled: tuple[Path, Opened] | None = None  # The segment in which an entry was settled last.
        self.log.mkdir(parents=True, exist_ok=True)
        self.admitted.mkdir(exist_ok=True)

    # --- Writing ---

    def put(
        self, frame: Frame, kind: Kind, reason: str, *, flags: Flag = NO_FLAGS, picture: Path | None = None
    ) -> Entry:
        """Logs a judged frame; an admitted one comes with its picture in the ring, linked before the entry is seen."""
        if picture is not None:
            with suppress(FileExistsError):  # Left by a process that died between the link and the entry.
                os.link(picture, self.admitted / picture.name)
        return self.append(
            kind,
            reason,
            flags=flags,
            stream=frame.stream,
            seq=frame.seq,
            size=len(frame.jpeg),
            captured_at=frame.captured_at,
            received_at=frame.received_at,
        )

    def append(
        self,
        kind: Kind,
        reason: str = "",
        *,
        captured_at: float,
        received_at: float,
        flags: Flag = NO_FLAGS,
        stream: str = NO_STREAM,
        seq: int = 0,
        size: int = 0,
    ) -> Entry:
        with locked(self.log / "lock"):
            n = self.last_n() + 1
            entry = Entry(n, kind, reason, flags, stream, seq, size, captured_at, received_at)
            with self._segment(n).open("ab") as segment:
                if torn := segment.tell() % entries.SIZE:
                    segment.truncate(segment.tell() - torn)
                segment.write(entry.pack())
        return entry

    def settle(self, n: int, outcome: Outcome, people: int) -> None:
        """Notes in entry n what analysis made of it; the same note twice changes nothing."""
        path = self._segment(n)
        with suppress(FileNotFoundError):
            if self._settled is None or self._settled[0] != path:
                self._settled = path, Opened(path)
            offset = (n - 1) % SEGMENT * entries.SIZE + entries.TAIL_AT
            self._settled[1].write_at(offset, entries.TAIL.pack(outcome, min(people, 255)))

    def release(self, entry: Entry) -> None:
        """Gives up the admitted picture; the ring may still hold it."""
        self._picture_path(entry).unlink(missing_ok=True)

    # --- Reading ---

    def _segment(self, n: int) -> Path:
        return self.log / f"{(n - 1) // SEGMENT:012d}.log"

    def _segments(self) -> list[int]:
        with os.scandir(self.log) as entries:
            return sorted(int(entry.name[:-4]) for entry in entries if entry.name.endswith(".log"))

    def first_n(self) -> int:
        """The number of the oldest entry still kept (1 in an empty log)."""
        segments = self._segments()
        return segments[0] * SEGMENT + 1 if segments else 1

    def last_n(self) -> int:
        """The number of the newest entry, 0 in an empty log."""
        segments = self._segments()
        if not segments:
            return 0
        size = (self.log / f"{segments[-1]:012d}.log").stat().st_size
        return segments[-1] * SEGMENT + size // entries.SIZE

    def after(self, n: int, *, limit: int = SEGMENT) -> list[Entry]:
        """Up to `limit` entries that follow entry n, in order; pruned ones are passed over."""
        found: list[Entry] = []
        while len(found) < limit:
            raw = self._raw(n + 1, limit - len(found))
            if raw is None:
                first = self.first_n()
                if first <= n + 1:
                    break
                n = first - 1
                continue
            for at in range(0, len(raw) - entries.SIZE + 1, entries.SIZE):
                entry = entries.unpack(raw[at : at + entries.SIZE])
                n += 1
                if entry is None:  # A power cut may spoil an entry; what follows it is still good.
                    logger.error("entry %d of %s is damaged and is passed over", n, self.folder)
                else:
                    found.append(entry)
            if n % SEGMENT or not raw:
                break
        return found

    def _raw(self, n: int, count: int) -> bytes | None:
        try:
            with self._segment(n).open("rb", buffering=0) as segment:
                segment.seek((n - 1) % SEGMENT * entries.SIZE)
                return segment.read(count * entries.SIZE)
        except FileNotFoundError:
            return None

    def entry(self, n: int) -> Entry | None:
        found = self.after(n - 1, limit=1)
        return found[0] if found and found[0].n == n else None

    def _picture_path(self, entry: Entry) -> Path:
        return self.admitted / ring.name_of(entry.stream, entry.seq, entry.captured_at)

    def picture(self, entry: Entry) -> bytes:
        """The JPEG of an admitted entry. Raises OSError where it is gone."""
        return self._picture_path(entry).read_bytes()

    # --- Keeping ---

    def prune(self, *, through_n: int) -> int:
        """Removes the segments that hold nothing newer than entry `through_n`; the newest segment always stays."""
        segments = self._segments()
        removed = [number for number in segments[:-1] if (number + 1) * SEGMENT <= through_n]
        for number in removed:
            (self.log / f"{number:012d}.log").unlink(missing_ok=True)
        return len(removed)

    def sweep(self, *, waiting: set[str], older_than: float) -> int:
        """Removes links that no waiting entry names, made before this time: what a killed process left behind."""
        removed = 0
        for path in self.admitted.iterdir():
            with suppress(FileNotFoundError):
                if path.name not in waiting and path.stat().st_ctime < older_than:
                    path.unlink()
                    removed += 1
        return removed

    @contextmanager
    def owned(self) -> Iterator[bool]:
        """Whether this process now owns the camera's analysis: a kernel lock on the folder, which kill -9 frees."""
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(folder)
