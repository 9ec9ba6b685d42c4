"""The only writer of visits and their best pictures: one statement per frame that changed something, none otherwise."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import numpy as np
from django.conf import settings

from cameras import images
from cameras.models import Zone
from detections.messages import VisitBody
from detections.models import Visit, ZoneEvent
from detections.visits import VisitSnapshot
from detections.zones import Happening

CROP_MARGIN = 0.1  # Of the box's size, on each side.
CROP_LONGEST_PX = 640
# Asking for it by name would load every page into this process: 0.5 s of the first visit's first frame.
PICTURE_URL = "/visits/{}/picture.jpg"
UPDATED = [
    "state",
    "end_reason",
    "first_seen",
    "last_seen",
    "ended_at",
    "settled_at",
    "best_score",
    "picture",
    "is_verified",
]


def aware(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def picture_name(camera_id: int, visit: VisitSnapshot) -> str:
    """The crop's path below MEDIA_ROOT; by day, so that retention can go by folders."""
    return f"visits/{camera_id}/{datetime.fromtimestamp(visit.first_seen, UTC):%Y-%m-%d}/{visit.id}.jpg"


def save(camera_id: int, visits: list[VisitSnapshot]) -> None:
    """Writes these visits' rows; repeating the last frame writes the same again."""
    if not visits:
        return
    rows = [_row(camera_id, visit) for visit in visits]
    Visit.objects.bulk_create(rows, update_conflicts=True, unique_fields=["id"], update_fields=UPDATED)


def _row(camera_id: int, visit: VisitSnapshot) -> Visit:
    name = picture_name(camera_id, visit)
    return Visit(
        id=visit.id,
        camera_id=camera_id,
        stream=visit.stream,
        first_seq=visit.first_seq,
        state=visit.state,
        end_reason=visit.end_reason,
        first_seen=aware(visit.first_seen),
        last_seen=aware(visit.last_seen),
        ended_at=None if visit.ended_at is None else aware(visit.ended_at),
        settled_at=None if visit.settled_at is None else aware(visit.settled_at),
        best_score=visit.best_score,
        picture=name if visit.has_picture else "",
    )


def save_happenings(camera_id: int, happened: list[Happening]) -> None:
    """Writes what happened in zones, once; what belongs to a zone or visit deleted meanwhile is nobody's any more."""
    if not happened:
        return
    zones = set(Zone.objects.filter(camera=camera_id).values_list("pk", flat=True))
    visits = {each.visit for each in happened}
    visits = {str(pk) for pk in Visit.objects.filter(pk__in=visits).values_list("pk", flat=True)}
    rows = [
        ZoneEvent(
            camera_id=camera_id,
            zone_id=each.zone_id,
            visit_id=UUID(each.visit),
            kind=each.kind,
            direction=each.direction,
            at=aware(each.at),
        )
        for each in happened
        if each.zone_id in zones and each.visit in visits
    ]
    ZoneEvent.objects.bulk_create(rows, ignore_conflicts=True)


def save_picture(
    camera_id: int, visit: VisitSnapshot, frame_bgr: np.ndarray, xyxy: tuple[float, float, float, float]
) -> None:
    """Keeps the crop of this box (pixels) as the visit's best picture, replaced whole."""
    path = Path(settings.MEDIA_ROOT) / picture_name(camera_id, visit)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".tmp")
    fresh.write_bytes(images.encode_jpeg(crop(frame_bgr, xyxy)))
    fresh.replace(path)


def remove_pictures(camera_id: int, visits: list[VisitSnapshot]) -> None:
    for visit in visits:
        (Path(settings.MEDIA_ROOT) / picture_name(camera_id, visit)).unlink(missing_ok=True)


def crop(frame_bgr: np.ndarray, xyxy: tuple[float, float, float, float]) -> np.ndarray:
    height, width = frame_bgr.shape[:2]
    left, top, right, bottom = xyxy
    margin_x, margin_y = (right - left) * CROP_MARGIN, (bottom - top) * CROP_MARGIN
    rows = slice(max(0, int(top - margin_y)), max(1, min(height, int(bottom + margin_y) + 1)))
    columns = slice(max(0, int(left - margin_x)), max(1, min(width, int(right + margin_x) + 1)))
    return images.shrink(frame_bgr[rows, columns], longest_px=CROP_LONGEST_PX)


def body(visit: VisitSnapshot) -> VisitBody:
    """The visit as the sockets show it."""
    return {
        "id": str(visit.id),
        "state": visit.state,
        "first_seen": visit.first_seen,
        "last_seen": visit.last_seen,
        "ended_at": visit.ended_at,
        "end_reason": visit.end_reason,
        "settled": visit.settled_at is not None,
        "verified": True,
        "picture": picture_url(visit.id) if visit.has_picture else None,
    }


def picture_url(visit_id: UUID) -> str:
    return PICTURE_URL.format(visit_id)
