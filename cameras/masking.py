"""The masks that hold for one camera on this node: which are wanted, and that no older picture stays without them.

They stand in the camera's spool folder: written by the admin when they change and by the clock where that was missed,
read once a second by whoever receives the camera, so that the database lies on no frame's way.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path

from cameras import folders, live, packets, zones
from cameras.frames import Frame
from cameras.locks import locked
from cameras.zones import NO_MASKS, Masks, wire_version

logger = logging.getLogger(__name__)

NAME = "masks.json"  # What is wanted,
DONE = "masks.done"  # and up to which version the pictures held here have been burnt.
LOCK = "masks.lock"
BURNING = ".burning"
PATIENCE_S = 3.0  # So long the clock leaves the pictures to the process that receives the camera.
MOST_PASSES = 20
MOST_AHEAD_S = 1.0  # A picture written later than now was written before the clock was set back.


def write(camera_id: int, masks: Masks) -> None:
    """Makes these the masks that hold, from the next second on. Must not be called before they are committed."""
    folder = folders.of(camera_id)
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / f".{NAME}-{os.getpid()}-{threading.get_ident()}"
    with fresh.open("w") as file:
        json.dump({"version": masks.version, "masks": masks.polygons}, file)
        file.flush()
        os.fsync(file.fileno())  # A power cut must not lift a mask.
    fresh.replace(folder / NAME)
    if masks.polygons:
        packets.drop_all(folder)  # Nothing can be burnt into them.


def read(folder: Path) -> Masks:
    """The masks that hold; a file that cannot be read hides everything until the clock has written it anew."""
    try:
        raw = json.loads((folder / NAME).read_bytes())
        return zones.as_masks(int(raw["version"]), raw["masks"])
    except FileNotFoundError:
        return NO_MASKS
    except (ValueError, KeyError, TypeError) as error:
        logger.error("%s is damaged and hides everything: %s", folder / NAME, error)
        return Masks(-1, (zones.EVERYTHING,))


def stamp(folder: Path) -> tuple[int, int] | None:
    """Differs when other masks were written."""
    with suppress(FileNotFoundError):
        found = (folder / NAME).stat()
        return found.st_ino, found.st_mtime_ns
    return None


def done_version(folder: Path) -> int:
    with suppress(FileNotFoundError, ValueError):
        return int((folder / DONE).read_text())
    return 0


def burnt(folder: Path) -> tuple[int, float] | None:
    """Up to which version of masks what is held here is burnt, and since when; None where there never was a mask."""
    with suppress(FileNotFoundError):
        return done_version(folder), (folder / DONE).stat().st_mtime
    return None


# --- One frame ---


class Guard:
    """Burns into a camera's frames what its source has not; belongs to the process that receives the camera."""

    def __init__(self, camera_id: int, disk: AbstractContextManager[object] | None = None) -> None:
        self.camera_id = camera_id
        self.folder = folders.of(camera_id)
        self.masks = NO_MASKS
        self.wire_version = 0  # Of the masks; 0 where there are none, so that a frame costs one look at a number.
        self._disk = disk or nullcontext()
        self._stamp: tuple[int, int] | None = None
        self.look(is_start=True)

    def look(self, *, is_start: bool = False) -> None:
        """Takes over what was written since; what is held from before is burnt in a thread of its own.

        Never called while a frame of the camera is judged: each is judged by the old masks or by the new ones.
        """
        if (seen := stamp(self.folder)) == self._stamp:
            return
        self._stamp, before = seen, self.masks
        self.masks = read(self.folder)
        self.wire_version = wire_version(abs(self.masks.version)) if self.masks.polygons else 0
        if is_start and (self.masks.version < 0 or done_version(self.folder) == self.masks.version):
            return
        live.forget(self.camera_id)
        is_burnt = not is_start and done_version(self.folder) == before.version
        is_covered = is_burnt and set(self.masks.polygons) <= set(before.polygons)
        wanted = replace(self.masks, polygons=()) if is_covered else self.masks
        _in_a_thread(self.camera_id, wanted, time.time(), self._disk)

    def holds(self, frame: Frame) -> bool:
        """Whether nothing is in the frame that nobody may see."""
        return not self.wire_version or frame.mask_version == self.wire_version

    def burn(self, frame: Frame) -> Frame:
        """The frame with the masks in its picture. Raises BadImage."""
        from cameras import masks as burner  # Where there are no masks, nothing of this is loaded.

        jpeg = burner.burn_jpeg(frame.jpeg, self.masks.polygons)
        return replace(frame, jpeg=jpeg, mask_version=self.wire_version)


# --- What is held from before ---


def catch_up(camera_id: int, version: int, wanted: Callable[[], Masks]) -> None:
    """The clock's part: writes what the admin could not, and burns where nobody receives the camera."""
    folder = folders.of(camera_id)
    known = read(folder)
    if known.version != version:
        write(camera_id, wanted())
    elif done_version(folder) != version and time.time() - (folder / NAME).stat().st_mtime > PATIENCE_S:
        _in_a_thread(camera_id, known, time.time(), nullcontext())


def _in_a_thread(camera_id: int, masks: Masks, since: float, disk: AbstractContextManager[object]) -> None:
    name = f"masks-{camera_id}-{masks.version}"
    if all(thread.name != name for thread in threading.enumerate()):
        threading.Thread(target=_burn_or_say, args=(camera_id, masks, since, disk), name=name, daemon=True).start()


def _burn_or_say(camera_id: int, masks: Masks, since: float, disk: AbstractContextManager[object]) -> None:
    try:
        burn_held(camera_id, masks, since=since, disk=disk)
    except Exception:  # The clock tries again.
        logger.exception("camera %d: pictures from before its masks could not be burnt", camera_id)


def burn_held(camera_id: int, masks: Masks, *, since: float, disk: AbstractContextManager[object] | None = None) -> int:
    """Burns the masks into all pictures below the camera's folder written before `since`; returns how many those were.

    That is ring, spool and takes, which hold links to one another's pictures: what is linked while this is at work is
    found by another pass. `disk` keeps the ring from removing a picture between the look and its replacement.
    """
    folder = folders.of(camera_id)
    with locked(folder / LOCK):
        burnt = 0
        (folder / BURNING).unlink(missing_ok=True)  # Of a process that was killed.
        for _pass in range(MOST_PASSES):
            old = [path for path in _pictures(folder) if _is_older(path, since)] if masks.polygons else []
            if not old:
                (folder / DONE).write_text(str(masks.version))
                break
            copies: dict[int, Path] = {}
            for path in old:
                _replace(path, masks, copies, folder, disk or nullcontext())
            burnt += len(old)
    if burnt:
        logger.info("camera %d: masks were burnt into %d pictures from before them", camera_id, burnt)
    return burnt


def _pictures(folder: Path) -> Iterator[Path]:
    """The ring's first: what is linked from there afterwards is burnt already."""
    yield from sorted((folder / "ring").glob("[!.]*.jpg"))
    for path in folder.rglob("[!.]*.jpg"):
        if path.parent.name != "ring":
            yield path


def _is_older(path: Path, since: float) -> bool:
    with suppress(FileNotFoundError):
        return not since <= path.stat().st_mtime <= time.time() + MOST_AHEAD_S
    return False


def _replace(
    path: Path, masks: Masks, copies: dict[int, Path], folder: Path, disk: AbstractContextManager[object]
) -> None:
    """Replaces one link; where another link to the same picture was replaced, by a link to that one's."""
    from cameras import masks as burner
    from cameras.images import BadImage

    fresh = folder / BURNING
    with suppress(FileNotFoundError):  # It went meanwhile.
        inode = path.stat().st_ino
        try:
            os.link(copies[inode], fresh)
        except (KeyError, FileNotFoundError):
            try:
                fresh.write_bytes(burner.burn_jpeg(path.read_bytes(), masks.polygons))
            except BadImage:  # Nobody knows what is in it.
                path.unlink(missing_ok=True)
                return
        with disk:
            if path.exists():
                fresh.replace(path)
                copies[inode] = path
    fresh.unlink(missing_ok=True)
