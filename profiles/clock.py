"""What profiles do by the clock: visits that settled or ended before cameras with faces on are looked at, and faces
that have become old go. Called every second by the clock process."""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import redis
from django.db.models import Q

from detections.models import Visit
from profiles import bell, erase, pictures, weights
from profiles.models import FaceRules, LiveLook

logger = logging.getLogger(__name__)

BACK = timedelta(hours=1)  # Visits that ended so long ago are let be: faces were off, or there were no models.
MOST = 50  # Rung at once.
EXPIRE_S, SWEEP_S = 3_600.0, 600.0

_expired_at = _swept_at = 0.0


def tick(now: float) -> None:
    global _expired_at, _swept_at
    _ring(now)
    if now - _expired_at >= EXPIRE_S:
        _expired_at = now
        erase.expire(now)
    if now - _swept_at >= SWEEP_S:
        _swept_at = now
        pictures.sweep()


def _ring(now: float) -> None:
    on = list(FaceRules.objects.filter(is_on=True).values_list("camera_id", flat=True))
    if not on or not weights.are_there():
        return
    for visit_id in due(on, now):
        with suppress(redis.RedisError):
            bell.ring(str(visit_id))


def due(cameras: list[int], now: float) -> list[object]:
    """Settled and never looked at, or ended and looked at only before that, in vain."""
    since = datetime.fromtimestamp(now, UTC) - BACK
    recent = Visit.objects.filter(camera__in=cameras, last_seen__gte=since).exclude(picture="")
    never = Q(face_look__isnull=True) & (Q(settled_at__isnull=False) | Q(state=Visit.State.ENDED))
    again = Q(face_look__outcome=LiveLook.Outcome.NO_FACE, face_look__was_over=False, state=Visit.State.ENDED)
    return list(recent.filter(never | again).order_by("last_seen").values_list("pk", flat=True)[:MOST])
