"""RQ entry points. `drain(camera_id)` empties one camera's spool: it owns the lock, the turn and its end."""

from __future__ import annotations

import logging
from contextlib import suppress

import redis
from django.conf import settings
from django.db import close_old_connections

from cameras import bell, folders
from cameras.models import Camera
from cameras.spool import Spool
from detections import pipeline
from detections.detector import get_detector
from detections.turn import Turn, worker
from detections.visits import Rules

logger = logging.getLogger(__name__)


def drain(camera_id: int) -> None:
    """Analyses what waits in the camera's spool, unless another process is at it already."""
    close_old_connections()
    row = Camera.objects.filter(pk=camera_id).first()
    if row is None:
        return
    spool = Spool(folders.of(camera_id))
    with spool.owned() as is_owner:
        if not is_owner:
            return  # Its owner looks at the log once more after giving up the lock.
        camera = pipeline.restore(
            camera_id,
            row.slug,
            confidence=row.confidence or settings.CONFIDENCE,
            rules=rules_for(row),
            detector=get_detector(),
        )
        Turn(camera, worker()).run()
    with suppress(redis.RedisError):
        bell.clear(camera_id)
        if left := spool.after(camera.last.n, limit=1):
            bell.ring(camera_id, catching_up=camera.last.catching_up)
            logger.debug("camera %d: entry %d is left for the next turn", camera_id, left[0].n)


def rules_for(row: Camera) -> Rules:
    return Rules(
        confirm_s=settings.VISIT_CONFIRM_S,
        gap_s=settings.VISIT_GAP_S if row.visit_gap_s is None else row.visit_gap_s,
        sight_lost_s=settings.SIGHT_LOST_S,
        settle_results=settings.SETTLE_RESULTS,
        settle_every_s=settings.SETTLE_EVERY_S,
        silent_s=settings.SILENT_S,
        late_s=settings.CAPTURED_MAX_AGE_S,
    )
