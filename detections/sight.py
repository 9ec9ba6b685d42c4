"""What there is to see of a camera: a scene, or the plate that says since when there is nothing; and how it is drawn.

Everything here blocks; stream and pictures call it in threads. Streams are shared by their viewers, so that words are
in the site's language and times in the site's zone.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from django.conf import settings
from django.db import close_old_connections
from django.utils import translation
from django.utils.translation import gettext

from cameras import analysis, bell, live
from cameras.frames import Frame
from cameras.models import Camera, Kind
from cameras.pull import problems
from detections import snapshot
from detections.marks import USUAL_SIZE, Size
from detections.scenes import Scene


@dataclass(frozen=True, slots=True)
class Plate:
    """Shown instead of a picture; the reason is known of a camera whose pictures are fetched."""

    title: str
    line: str
    reason: str = ""


Shown: TypeAlias = Scene | Plate


@dataclass(frozen=True, slots=True)
class Look:
    """A camera now: its newest picture, unless that is too old to pass for one, and else what its plate says."""

    name: str
    silent_s: float
    newest: Frame | None
    plate: Plate


def look(camera_id: int) -> Look | None:
    """None: there is no such camera any more."""
    try:
        camera = Camera.objects.filter(pk=camera_id).first()
        if camera is None:
            return None
        silent_s = max(settings.SILENT_S, 2.5 / camera.target_fps_used)
        frame = live.newest(camera_id)
        is_fresh = frame is not None and time.time() - frame.received_at <= silent_s
        status = snapshot.describe(camera, analysis.look(bell.connection()))
        last_at = max(frame.captured_at if frame else 0.0, status.last_captured_at or 0.0)
        plate = Plate(camera.name, _absence(last_at, is_enabled=camera.is_enabled), _reason(camera))
        return Look(camera.name, silent_s, frame if is_fresh else None, plate)
    finally:
        close_old_connections()


def _absence(last_at: float, *, is_enabled: bool) -> str:
    with translation.override(settings.LANGUAGE_CODE):
        if not is_enabled:
            return gettext("Switched off")
        if not last_at:
            return gettext("No picture yet")
        return gettext("No picture since %(when)s") % {"when": moment_text(last_at)}


def _reason(camera: Camera) -> str:
    """Without what the source itself says, which is for those who manage it."""
    standing = problems.read(camera.pk) if camera.is_enabled and camera.kind == Kind.PULL else None
    with translation.override(settings.LANGUAGE_CODE):
        return str(problems.WORDS.get(standing.code, "")) if standing else ""


def moment_text(at: float) -> str:
    return f"{datetime.fromtimestamp(at, settings.PICTURE_ZONE):%Y-%m-%d %H:%M:%S %Z}"


def draw(shown: Shown, size_wh: Size | None) -> bytes:
    """A JPEG of this size; without one a scene keeps its own. Raises BadImage."""
    from detections import annotate  # Loads the vision libraries, which the web process has by its first frame.

    if isinstance(shown, Plate):
        return annotate.plate(size_wh or USUAL_SIZE, shown.title, shown.line, shown.reason)
    caption = " · ".join(filter(None, [shown.name, moment_text(shown.frame.captured_at)]))
    return annotate.annotated(shown.frame.jpeg, size_wh, shown.marks, caption)
