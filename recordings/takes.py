"""A take: one clip in the making, a folder of hard links to the ring's pictures beside what the recorder knows of it.

Written by the recorder (`take.json`, links) and by the media workers (`parts`, and they take the links they encoded).
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from cameras import folders
from cameras.ring import captured_at_of, scan

FOLDER = "takes"


@dataclass(frozen=True, slots=True)
class Take:
    """What is known of a clip in the making; times are capture times in Unix seconds.

    `start` to `end` is the range wanted, `end` None while nobody knows. Every picture captured before `linked_until` is
    linked, and none of the later ones is to be encoded yet; `last_at` is the newest linked one (0: none so far).
    """

    id: str
    camera_id: int
    reason: str
    is_unanalysed: bool
    start: float
    end: float | None
    linked_until: float
    last_at: float
    max_people: int
    is_confirmed: bool
    is_over: bool
    end_reason: str


class TakeFolder:
    """The folder of one take; it is there as soon as the recorder has opened the take."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.parts = path / "parts"
        self._pictures = path / "pictures"
        self._take = path / "take.json"

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def camera_id(self) -> int:
        return int(self.path.parent.parent.name)

    def make(self) -> None:
        self._pictures.mkdir(parents=True, exist_ok=True)
        self.parts.mkdir(exist_ok=True)

    def read(self) -> Take:
        """Raises FileNotFoundError where the take is gone, or not yet described, and ValueError where it is damaged."""
        raw = json.loads(self._take.read_bytes())
        try:
            return Take(**raw)
        except TypeError as error:
            raise ValueError(f"{self._take} does not describe a take: {error}") from None

    def write(self, take: Take) -> None:
        """Replaces the description whole. Raises FileNotFoundError where the take is gone."""
        fresh = self.path / ".take.json"
        fresh.write_text(json.dumps(asdict(take)))
        fresh.replace(self._take)

    def first_name(self) -> str:
        """Of the oldest picture that no part holds yet; "" where there is none."""
        return min(scan(self._pictures), default="")

    def pictures(self) -> list[Path]:
        """The linked pictures that no part holds yet, in order of capture; none where the take is gone."""
        return [self._pictures / name for name in sorted(scan(self._pictures))]

    def next_pictures(self, seconds: float, *, after: str) -> list[Path]:
        """Of those after this name the ones of the first seconds, and the one that follows them: thousands may wait."""
        first = min((name for name in scan(self._pictures) if name > after), default="")
        if not first:
            return []
        ends_at = captured_at_of(first) + seconds
        names = [name for name in scan(self._pictures) if name >= first and captured_at_of(name) < ends_at]
        following = min((name for name in scan(self._pictures) if captured_at_of(name) >= ends_at), default="")
        return [self._pictures / name for name in [*sorted(names), following] if name]

    def drop_through(self, last: str) -> None:
        """Removes the pictures up to this name: a part holds them, or has passed them."""
        for name in scan(self._pictures):
            if name <= last:
                (self._pictures / name).unlink(missing_ok=True)

    def link(self, picture: Path) -> bool:
        """Takes a picture of the ring in, once; whether the ring still had it."""
        try:
            os.link(picture, self._pictures / picture.name)
        except FileExistsError:
            return True
        except FileNotFoundError:
            return False
        return True

    @contextmanager
    def owned(self) -> Iterator[bool]:
        """Whether the take is there and this process alone is at work on it: a kernel lock, which kill -9 frees."""
        try:
            handle = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            yield False
            return
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
        finally:
            os.close(handle)

    def remove(self) -> None:
        """Removes the take with everything in it. What is left of one removed half is no take any more."""
        self._take.unlink(missing_ok=True)
        shutil.rmtree(self.path, ignore_errors=True)


def folder_of(camera_id: int, take_id: str) -> TakeFolder:
    return TakeFolder(folders.of(camera_id) / FOLDER / take_id)


def folders_of(camera_id: int) -> list[TakeFolder]:
    root = folders.of(camera_id) / FOLDER
    return [TakeFolder(path) for path in sorted(root.iterdir())] if root.is_dir() else []


def all_takes() -> Iterator[TakeFolder]:
    """Those of all cameras of this node, also of cameras whose row is gone."""
    for camera_id in folders.all_ids():
        yield from folders_of(camera_id)
