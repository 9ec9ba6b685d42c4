"""What is kept how long: visits with their pictures, coverage and the track log, by age and by size."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.conf import settings

from cameras.models import CoverageMinute
from detections.models import Visit

logger = logging.getLogger(__name__)

BATCH = 1_000


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


def _pictures() -> Iterator[Path]:
    yield from (Path(settings.MEDIA_ROOT) / "visits").glob("*/*/*.jpg")
