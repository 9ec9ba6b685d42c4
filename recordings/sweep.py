"""Brings rows and files of clips together again after what was killed, lost or removed half; keeping calls it.

Files of ours that no clip owns go after an hour, others are never touched; a clip whose file is lost is FAILED, and
READY again when the file is back.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db import models
from django.utils import timezone

from cameras import folders
from cameras.models import Camera
from recordings import storage, takes
from recordings.models import Recording, Seal

logger = logging.getLogger(__name__)

EVERY_S = 600.0
YOUNG_S = 3_600.0  # What is younger may still be in the making.
CHUNK = 500
STAMP = "recordings-swept"
OURS = re.compile(r"^\.?\d{6}Z-[0-9a-f-]{36}\.")
NAMED = re.compile(r"^\d{6}Z-(?P<id>[0-9a-f-]{36})(?:\.mp4|\.jpg|\.strip\.jpg)$")
State = Recording.State


def sweep_if_due(now: float) -> int:
    stamp = Path(settings.RUN_DIR) / STAMP
    with suppress(FileNotFoundError):
        if 0 <= now - stamp.stat().st_mtime < EVERY_S:
            return 0
    removed = sweep(now)
    stamp.touch()
    os.utime(stamp, (now, now))
    return removed


def sweep(now: float) -> int:
    """Returns how many files went."""
    _close_chains()
    removed = sum(_sweep_folder(folder, names, now) for folder, names in walk())
    _compare_rows(now)
    return removed


def walk() -> Iterator[tuple[Path, list[str]]]:
    """Each folder below the storage with the files in it."""
    for folder, _folders, names in os.walk(storage.root()):
        if names := [name for name in names if (Path(folder), name) != (storage.root(), storage.IDENTITY)]:
            yield Path(folder), names


def strangers(folder: Path, names: list[str]) -> list[str]:
    """The names of files that belong to no clip: neither to a row nor to a seal that still stands."""
    ids = {name: match["id"] for name in names if (match := NAMED.match(name))}
    owned: dict[str, set[str]] = {}
    wanted = sorted(set(ids.values()))
    for at in range(0, len(wanted), CHUNK):
        chunk = wanted[at : at + CHUNK]
        rows = [
            *Recording.objects.filter(pk__in=chunk).values_list("pk", "path"),
            *Seal.objects.filter(recording_id__in=chunk, removed_at=None).values_list("recording_id", "path"),
        ]
        for pk, path in rows:
            owned.setdefault(str(pk), set()).add(path)
    return [name for name in names if name not in ids or not _is_owned(folder, name, owned.get(ids[name], set()))]


def _is_owned(folder: Path, name: str, paths: set[str]) -> bool:
    """A clip that is being finished has no path yet: then its id is enough."""
    stem = name.partition(".")[0]
    return "" in paths or str((folder / f"{stem}.mp4").relative_to(storage.root())) in paths


def _sweep_folder(folder: Path, names: list[str], now: float) -> int:
    removed = 0
    for name in strangers(folder, [name for name in names if OURS.match(name)]):
        path = folder / name
        with suppress(FileNotFoundError):
            if now - path.stat().st_mtime > YOUNG_S:
                path.unlink()
                removed += 1
                logger.warning("removed %s, which belongs to no recording", path)
    with suppress(OSError):
        if removed:
            folder.rmdir()
    return removed


def _close_chains() -> None:
    """The clips of a camera that was deleted went with it; its chain says so."""
    gone = Seal.objects.filter(removed_at=None).exclude(camera_key__in=Camera.objects.values("pk"))
    gone.update(removed_at=timezone.now(), removed_because="camera deleted")


def _compare_rows(now: float) -> None:
    ready = Recording.objects.filter(state=State.READY)
    lost = [pk for pk, path in ready.values_list("pk", "path").iterator() if not _is_file(path)]
    found = [
        pk
        for pk, path in Recording.objects.filter(state=State.FAILED).exclude(sha256="").values_list("pk", "path")
        if _is_file(path)
    ]
    if storage.look().problem == "missing":  # It went while we looked: nothing is lost yet.
        return
    _mark(ready, lost, State.FAILED, "its file is lost")
    _mark(Recording.objects.filter(state=State.FAILED), found, State.READY, "its file is back")
    _mark(*_forgotten(now), State.FAILED, "its pictures are gone")


def _is_file(path: str) -> bool:
    return bool(path) and (storage.root() / path).is_file()


def _mark(rows: models.QuerySet[Recording], ids: Sequence[UUID], state: State, why: str) -> None:
    for at in range(0, len(ids), CHUNK):
        rows.filter(pk__in=ids[at : at + CHUNK]).update(state=state)
    for pk in ids:
        logger.warning("recording %s is %s: %s", pk, state, why)


def _forgotten(now: float) -> tuple[models.QuerySet[Recording], list[UUID]]:
    """Clips of this node's cameras that nobody makes any more."""
    before = datetime.fromtimestamp(now - YOUNG_S, UTC)
    states = (State.RECORDING, State.ENCODING)
    rows = Recording.objects.filter(state__in=states, end__lt=before, camera__in=folders.all_ids())
    ids = [pk for pk, camera in rows.values_list("pk", "camera") if not takes.folder_of(camera, str(pk)).path.is_dir()]
    return rows, ids
