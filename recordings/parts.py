"""A take's parts on disk: the pieces of video made so far, by encode or copy_parts, and how far that is. Pure."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from cameras.ring import captured_at_of

PART_S = 10.0  # A part holds the pictures of so long, the last one of what is left.
VERSION = 1
STATE = "state.json"
HEADER = 8  # Bytes of a box's size and name.
LONG_HEADER = 16


@dataclass(frozen=True, slots=True)
class Progress:
    """What stands in state.json. The first picture that could be decoded decides the clip's size and its time zero."""

    next_number: int = 0
    fragments: int = 0
    first_at: float = 0.0
    last_at: float = 0.0
    last_pts: int = 0  # In 1/90000 s since first_at.
    last_name: str = ""  # Of the last picture looked at.
    width: int = 0
    height: int = 0
    frames: int = 0
    left_out: int = 0  # Pictures that could not be decoded.
    # The settings may change while a clip grows, but all its parts share one header.
    preset: str = ""
    quality: int = 0
    # Of parts that were copied from the camera's own packets (copy_parts.py); those that were encoded come after them.
    copied: int = 0  # How many of the parts.
    group: str = ""  # The last file copied.
    delay: int = 0  # By which the times in them lie later, in ticks.
    last_dts: int = -1


@dataclass(frozen=True, slots=True)
class Chunk:
    """The pictures of one part, and when the first one after them was captured."""

    pictures: list[Path]
    next_at: float | None


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of a file that go into the open clip."""

    path: Path
    offset: int
    length: int


class Parts:
    """The folder `parts/` of a take. One process at a time writes it; any may read what is there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self) -> Progress:
        """Of a take without any part yet: how it begins."""
        try:
            told = json.loads((self.folder / STATE).read_bytes())
        except FileNotFoundError:
            return Progress()
        if told.pop("version") != VERSION:
            raise ValueError(f"{self.folder / STATE} is not of version {VERSION}.")
        return Progress(**told)

    def write(self, progress: Progress) -> None:
        self.folder.mkdir(exist_ok=True)
        fresh = self.folder / f".{STATE}"
        with fresh.open("w", encoding="utf-8") as file:
            json.dump({"version": VERSION, **asdict(progress)}, file)
            file.flush()
            os.fsync(file.fileno())  # The pictures go when this stands, and must not come back by a power cut.
        fresh.replace(self.folder / STATE)

    def path(self, number: int) -> Path:
        return self.folder / f"{number:04d}.m4s"

    def files(self, progress: Progress | None = None) -> list[Path]:
        """The finished parts in order; what a killed worker left beside them does not count."""
        progress = progress or self.read()
        return [path for number in range(progress.next_number) if (path := self.path(number)).is_file()]

    def pieces(self) -> list[Piece]:
        """What, one after the other, is a fragmented MP4 that plays: of all parts but the first without the header."""
        found: list[Piece] = []
        progress = self.read()
        # What was encoded after what was copied has another header: it is seen once the clip is finished.
        shown = progress.copied or progress.next_number
        for path in self.files(replace(progress, next_number=shown)):
            offset = _first_fragment(path) if found else 0
            found.append(Piece(path, offset, path.stat().st_size - offset))
        return found


def cut(pictures: Sequence[Path], *, linked_until: float, is_over: bool, part_s: float) -> Chunk | None:
    """The next so many seconds of pictures, or of a take that is over whatever is left; None while that is too little.

    How long a part's last picture lasts is known once the next one is there, so an open take keeps one back.
    """
    known = [path for path in pictures if is_over or captured_at_of(path.name) < linked_until]
    if not known:
        return None
    ends_at = captured_at_of(known[0].name) + part_s
    for number, path in enumerate(known):
        at = captured_at_of(path.name)
        if number and at >= ends_at:
            return Chunk(known[:number], at)
    return Chunk(known, None) if is_over else None


def _first_fragment(path: Path) -> int:
    return next((offset for name, offset, _size in boxes(path) if name == "moof"), path.stat().st_size)


def boxes(path: Path) -> Iterator[tuple[str, int, int]]:
    """Name, offset and size of each box at the top level of an MP4."""
    with path.open("rb") as file:
        end, offset = path.stat().st_size, 0
        while offset + HEADER <= end:
            file.seek(offset)
            header = file.read(LONG_HEADER)
            size = int.from_bytes(header[:4], "big")
            if size == 1:
                size = int.from_bytes(header[HEADER:LONG_HEADER], "big")
            size = size or end - offset
            yield header[4:HEADER].decode("latin-1"), offset, size
            offset += max(size, HEADER)
