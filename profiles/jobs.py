"""RQ entry point of live faces: `look` searches a visit's best picture for a face, and finds out whose it is."""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import cv2
import numpy as np
import redis
from django.conf import settings
from django.db import close_old_connections
from django.utils import timezone

from detections.models import Visit
from profiles import bell, engine, enrol, rules
from profiles.enrol import Newcomer, Placed, Source
from profiles.faces import aligned
from profiles.gather import crop
from profiles.models import LiveLook
from profiles.quality import quality_of

logger = logging.getLogger(__name__)

LEAST_NEW = 0.35  # Quality of the one picture that makes somebody known; to be recognised, less will do.
OUTCOMES = {"same": LiveLook.Outcome.FOUND, "maybe": LiveLook.Outcome.ASKED, "new": LiveLook.Outcome.NEW}


def look(visit_id: str) -> None:
    """Once while the visit goes on, and once more when it has ended if there was no clear face before."""
    close_old_connections()
    with suppress(redis.RedisError):
        bell.answered(visit_id)
    visit = Visit.objects.select_related("camera").filter(pk=visit_id).first()
    if visit is None or not rules.is_on(visit.camera_id):
        return
    earlier = LiveLook.objects.filter(pk=visit.pk).first()
    if earlier and (earlier.was_over or earlier.outcome != LiveLook.Outcome.NO_FACE):
        return
    is_over = visit.state == Visit.State.ENDED
    try:
        placed = _find(visit)
    except engine.FacesUnavailable as error:
        logger.warning("camera %d: %s", visit.camera_id, error)
        return
    outcome = OUTCOMES.get(placed.verdict if placed else "", LiveLook.Outcome.NO_FACE)
    LiveLook.objects.update_or_create(
        visit=visit,
        defaults={"outcome": outcome, "was_over": is_over, "appearance_id": placed.appearance if placed else None},
    )


def _find(visit: Visit) -> Placed | None:
    """None where the picture shows no clear face."""
    found = engine.get()
    frame_bgr = _picture(visit)
    if frame_bgr is None:
        return None
    clear = []
    for face in found.finder.find(frame_bgr):
        straight = aligned(frame_bgr, face)
        quality = quality_of(face, straight)
        if quality.is_clear:
            clear.append((face.width_px, quality.value, face, straight))
    if not clear:
        return None
    # Of several faces in a person's picture, the others are behind them.
    _width, value, face, straight = max(clear, key=lambda row: row[:2])
    person = Newcomer(
        key="1",
        vector=found.embedder.embed_aligned(straight),
        quality=value,
        crop=crop(frame_bgr, face),
        is_sure=value >= LEAST_NEW and visit.is_verified,
        first_at=visit.first_seen,
        last_at=visit.last_seen,
    )
    day = timezone.localtime(visit.first_seen, settings.PICTURE_ZONE).date()
    source = Source(UUID(str(visit.pk)), camera=visit.camera_id, day=day)
    embedder = found.embedder
    (placed,) = enrol.record(visit.camera.unit_id, source, [person], embedder=embedder.name, recipe=embedder.recipe)
    return placed


def _picture(visit: Visit) -> np.ndarray | None:
    if not visit.picture:
        return None
    try:
        jpeg = (Path(settings.MEDIA_ROOT) / visit.picture).read_bytes()
    except OSError:
        return None
    decoded = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR) if jpeg else None
    return None if decoded is None else np.asarray(decoded, np.uint8)
