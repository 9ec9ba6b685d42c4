"""How a camera is now, for a viewer who begins to watch: its state and its open visits. Blocks; reads the database."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.conf import settings
from django.db import close_old_connections

from accounts.models import User
from cameras import analysis, bell, status
from cameras.models import Camera
from cameras.status import CameraStatus, Limits
from detections.messages import CameraMessage, VisitMessage
from detections.models import Visit


@dataclass(frozen=True, slots=True)
class CameraView:
    camera_id: int
    status: CameraMessage
    visits: list[VisitMessage] = field(default_factory=list)


def views_for(user_id: int, slugs: list[str], *, details: bool = True) -> dict[str, CameraView]:
    """The cameras among these that the user may watch, by slug; without details the visits are left out."""
    try:
        user = User.objects.filter(pk=user_id).first()
        if user is None:
            return {}
        cameras = list(Camera.objects.watchable_by(user).filter(slug__in=slugs))
        visits = _open_visits(cameras) if details else {}
        state = analysis.look(bell.connection())
        return {
            camera.slug: CameraView(camera.pk, message_of(camera, describe(camera, state)), visits.get(camera.pk, []))
            for camera in cameras
        }
    finally:
        close_old_connections()


def _open_visits(cameras: list[Camera]) -> dict[int, list[VisitMessage]]:
    slugs = {camera.pk: camera.slug for camera in cameras}
    found: dict[int, list[VisitMessage]] = {}
    for visit in Visit.objects.filter(camera__in=cameras).is_open().order_by("first_seen"):
        message: VisitMessage = {
            "type": "visit",
            "event": "current",
            "camera": slugs[visit.camera_id],
            "visit": visit.body(),
        }
        found.setdefault(visit.camera_id, []).append(message)
    return found


def describe(camera: Camera, state: analysis.AnalysisState) -> CameraStatus:
    limits = Limits(silent_s=settings.SILENT_S, max_lag_s=settings.MAX_LAG_S)
    return status.describe(camera.pk, is_enabled=camera.is_enabled, analysis=state, limits=limits)


def message_of(camera: Camera, now: CameraStatus) -> CameraMessage:
    return {
        "type": "camera",
        "camera": camera.slug,
        "name": camera.name,
        "status": now.state,
        "since": now.since,
        "fps": now.fps,
        "lag_s": now.lag_s,
        "people": now.people,
        "last_captured_at": now.last_captured_at,
    }
