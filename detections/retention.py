"""What is kept how long: visits with their pictures, coverage and the track log, by age and by size."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from django.conf import settings

from cameras.models import Camera, CoverageMinute
from detections.models import Visit

logger = logging.getLogger(__name__)

BATCH = 1_000
UNNAMED_S = 3_600.0  # A picture is written before its row, and so long after it nobody is about to write one.


def expire(now: float) -> int:
    """Removes what is older than KEEP_DAYS, then the oldest above KEEP_BYTES; returns how many visits went."""
    before = datetime.fromtimestamp(now, UTC) - timedelta(days=settings.KEEP_DAYS)
    count = _expire_visits(before)
    CoverageMinute.objects.filter(minute__lt=before).delete()
    for path in _track_files():
        if path.stat().st_mtime < before.timestamp():
            path.unlink(missing_ok=True)
    return count + _fit(settings.KEEP_BYTES)


def _expire_visits(before: datetime) -> int:
    """Rows first: a picture without a row is swept later, a row without a picture would be a broken page."""
    count = 0
    while batch := list(Visit.objects.filter(last_seen__lt=before).order_by("last_seen")[:BATCH]):
        Visit.objects.filter(pk__in=[visit.pk for visit in batch]).delete()
        remove_pictures(batch)
        count += len(batch)
    if count:
        logger.info("%d visits older than %s have expired", count, before.date())
    return count


def remove_pictures(visits: list[Visit]) -> None:
    for visit in visits:
        if visit.picture:
            (Path(settings.MEDIA_ROOT) / visit.picture).unlink(missing_ok=True)


def sweep(now: float) -> int:
    """Removes pictures that no visit names: those of cameras that are gone, and those whose removal was cut short."""
    root = Path(settings.MEDIA_ROOT) / "visits"
    folders = [path for path in root.iterdir() if path.name.isdigit()] if root.is_dir() else []
    cameras = set(Camera.objects.values_list("pk", flat=True))  # Asked after: a camera is older than its folder.
    for folder in folders:
        if int(folder.name) not in cameras:
            logger.info("camera %s is gone; the pictures of its visits are removed", folder.name)
            shutil.rmtree(folder, ignore_errors=True)
    old = list(_pictures(before=now - UNNAMED_S))
    count = 0
    for first in range(0, len(old), BATCH):
        batch = old[first : first + BATCH]
        named = _named(batch)
        for path in batch:
            if path not in named:
                path.unlink(missing_ok=True)
                count += 1
    if count:
        logger.info("%d pictures that no visit names are removed", count)
    return count


def _named(paths: Iterable[Path]) -> set[Path]:
    """Those that are a visit's. The row of an open one may not name its picture yet."""
    of_visits: dict[UUID, Path] = {}
    for path in paths:
        with suppress(ValueError):
            of_visits[UUID(path.stem)] = path
    root, named = Path(settings.MEDIA_ROOT), set()
    for pk, picture, state in Visit.objects.filter(pk__in=of_visits).values_list("pk", "picture", "state"):
        named.add(root / picture if state == Visit.State.ENDED else of_visits[pk])
    return named


def _fit(limit: int) -> int:
    """Oldest first: whole days of visits and hours of track log, until what is left fits."""
    used = sum(path.stat().st_size for path in [*_track_files(), *_pictures()])
    count = 0
    while used > limit and (oldest := Visit.objects.order_by("last_seen").first()):
        before = oldest.last_seen + timedelta(days=1)
        count += _expire_visits(before)
        for path in _track_files():
            if path.stat().st_mtime < before.timestamp():
                path.unlink(missing_ok=True)
        used = sum(path.stat().st_size for path in [*_track_files(), *_pictures()])
    return count


def _track_files() -> Iterator[Path]:
    yield from Path(settings.TRACKS_DIR).glob("*/*.jsonl")


def _pictures(before: float | None = None) -> Iterator[Path]:
    """All, or those written before this time."""
    for path in (Path(settings.MEDIA_ROOT) / "visits").glob("*/*/*.jpg"):
        with suppress(FileNotFoundError):  # It goes just now.
            if before is None or path.stat().st_mtime < before:
                yield path
