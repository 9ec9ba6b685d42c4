"""Bounds the takes that wait to become clips while their storage is away or full; keeping calls `fit`."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from recordings import storage, takes
from recordings.models import Recording
from recordings.takes import Take, TakeFolder

logger = logging.getLogger(__name__)

LEFT_OVER_S = 3_600.0
SPARE = 1.2  # Of the free space below which frames are refused: takes that wait must go before frames do.
OPEN = (Recording.State.RECORDING, Recording.State.ENCODING)


@dataclass(frozen=True, slots=True)
class Waiting:
    folder: TakeFolder
    take: Take
    size: int


def fit(now: float) -> int:
    """Drops the oldest finished takes above the limits, but none of which somebody keeps the clip; returns how many."""
    waits = sorted(_waiting(now), key=lambda wait: wait.take.start)
    excess = sum(wait.size for wait in waits) - settings.RECORD_WAITING_BYTES
    if storage.state().problem:
        excess = max(excess, int(SPARE * settings.FREE_SPACE_BYTES) - shutil.disk_usage(settings.DATA_DIR).free)
    if excess <= 0:
        return 0
    kept = {str(pk) for pk in Recording.objects.filter(is_kept=True, state__in=OPEN).values_list("pk", flat=True)}
    dropped = 0
    for wait in waits:
        if excess <= 0:
            break
        if wait.take.is_over and str(wait.take.id) not in kept and _drop(wait):
            excess -= wait.size
            dropped += 1
    return dropped


def _waiting(now: float) -> Iterator[Waiting]:
    for folder in takes.all_takes():
        try:
            take = folder.read()
        except FileNotFoundError:
            _remove_left_over(folder, now)
        except (OSError, ValueError, TypeError) as error:
            logger.error("take %s of camera %d cannot be read: %s", folder.id, folder.camera_id, error)
        else:
            yield Waiting(folder, take, _size_of(folder.path))


def _remove_left_over(folder: TakeFolder, now: float) -> None:
    """A take without a description is being made, or one whose removal was cut short."""
    with suppress(FileNotFoundError):
        if now - folder.path.stat().st_mtime > LEFT_OVER_S:
            folder.remove()


def _size_of(folder: Path) -> int:
    size = 0
    for root, _folders, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):  # Encoded meanwhile.
                size += os.stat(f"{root}/{name}").st_size  # noqa: PTH116 - Hundreds of thousands may wait.
    return size


def _drop(wait: Waiting) -> bool:
    """False while a media worker is at it."""
    with wait.folder.owned() as is_ours:
        if not is_ours:
            return False
        wait.folder.remove()
    logger.error(
        "camera %d: take %s waited for its storage and was dropped: %d bytes",
        *(wait.take.camera_id, wait.take.id, wait.size),
    )
    Recording.objects.filter(pk=wait.take.id, state__in=OPEN).update(state=Recording.State.FAILED)
    return True
