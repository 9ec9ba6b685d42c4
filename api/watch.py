"""Notices that cameras fall silent, come back, or have a problem with their address: nothing in the tables says so."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID, uuid5

from api.collect import NAMESPACE, Draft
from api.messages import written
from api.models import Event, EventType
from cameras import analysis, bell, folders
from cameras.models import Camera
from cameras.pull import problems
from cameras.status import CameraStatus
from detections import snapshot


class Watch:
    """The cameras of this node as they were told of last; begins with what the outbox says."""

    def __init__(self) -> None:
        self._silent: dict[int, UUID] = {}
        told = Event.objects.filter(type__in=[EventType.CAMERA_SILENT, EventType.CAMERA_BACK]).order_by("seq")
        for camera_id, type_, subject in told.values_list("camera_id", "type", "subject"):
            if type_ == EventType.CAMERA_SILENT:
                self._silent[camera_id] = subject
            else:
                self._silent.pop(camera_id, None)

    def look(self, after: datetime) -> list[Draft]:
        """What has changed; of silences only those that began since then."""
        state = analysis.look(bell.connection())
        drafts: list[Draft] = []
        here = set(folders.all_ids())
        for camera in Camera.objects.filter(is_enabled=True):
            if camera.pk in here:
                with suppress(OSError):
                    drafts += self._of(camera, snapshot.describe(camera, state), after)
            if draft := _problem(camera, after):
                drafts.append(draft)
        return drafts

    def _of(self, camera: Camera, now: CameraStatus, after: datetime) -> list[Draft]:
        told = self._silent.get(camera.pk)
        began = datetime.fromtimestamp(now.since, UTC) if now.since else None
        if now.state == "silent" and told is None and began and began >= after:
            subject = uuid5(NAMESPACE, f"{camera.pk} silent {now.since:.3f}")
            self._silent[camera.pk] = subject
            standing = problems.read(camera.pk)
            data = {"since": written(began), "problem": standing.code if standing else ""}
            return [Draft(EventType.CAMERA_SILENT, camera.pk, subject, began, data)]
        if now.state != "silent" and told is not None:
            del self._silent[camera.pk]
            back = datetime.fromtimestamp(now.last_captured_at or now.since, UTC)
            return [Draft(EventType.CAMERA_BACK, camera.pk, told, back, {"state": now.state})]
        return []


def _problem(camera: Camera, after: datetime) -> Draft | None:
    """A new problem of the address; its unchanging parts make its identity, so that it is told once."""
    standing = problems.read(camera.pk) if camera.source else None
    if standing is None or not standing.code:
        return None
    at = datetime.fromtimestamp(standing.since, UTC)
    subject = uuid5(NAMESPACE, f"{camera.pk} {standing.code} {standing.since:.3f}")
    data = {"code": standing.code, "detail": standing.detail, "since": written(at)}
    return Draft(EventType.CAMERA_PROBLEM, camera.pk, subject, at, data) if at >= after else None
