"""What is wrong with cameras now, since when, and in words; each alarm is derived anew, so it clears by itself."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cameras import analysis, bell
from cameras.models import Camera, Kind
from cameras.pull import problems
from cameras.pull.problems import OF_THE_NETWORK, Standing
from cameras.status import CameraStatus, Limits, describe

SILENT_S = 10.0  # A camera that pauses for less, or is connected again sooner, is not yet worth an alarm.
# So many sources that failed within so long, and most of all that are pulled: it is what they have in common.
LEAST_TOGETHER, TOGETHER_S, TOGETHER_SHARE = 3, 30.0, 0.5


@dataclass(frozen=True, slots=True)
class Alarm:
    """`code` is silent, frozen, obscured, source or network; `cameras` are the names of those concerned."""

    code: str
    text: str
    since: float
    cameras: tuple[str, ...] = ()
    slug: str = ""

    @property
    def since_at(self) -> datetime:
        return datetime.fromtimestamp(self.since, UTC)


@dataclass(frozen=True, slots=True)
class Looked:
    """A camera as it is now; `standing` is of a pulled camera's source."""

    name: str
    slug: str
    is_enabled: bool
    status: CameraStatus
    standing: Standing | None = None

    def has_failed(self, now: float) -> bool:
        standing = self.standing
        return standing is not None and standing.state == "failed" and now - standing.since >= SILENT_S


def of(cameras: Iterable[Camera]) -> list[Alarm]:
    """The alarms of these cameras, the oldest first. Reads each camera's log."""
    state = analysis.look(bell.connection())
    limits = Limits(silent_s=settings.SILENT_S, max_lag_s=settings.MAX_LAG_S)
    looked = [
        Looked(
            camera.name,
            camera.slug,
            camera.is_enabled,
            describe(camera.pk, is_enabled=camera.is_enabled, analysis=state, limits=limits),
            problems.read(camera.pk) if camera.kind == Kind.PULL else None,
        )
        for camera in cameras
    ]
    return decide(looked, now=time.time())


def decide(looked: list[Looked], *, now: float) -> list[Alarm]:
    together = _of_one_network(looked, now)
    alarms = [_alarm(camera, now) for camera in looked if camera not in together]
    found = [alarm for alarm in alarms if alarm]
    if together:
        count = len(together)
        words = ngettext(
            "%d camera cannot be reached since the same time: the network between has failed.",
            "%d cameras cannot be reached since the same time: the network between has failed.",
            count,
        )
        since = min(camera.standing.since for camera in together if camera.standing)
        found.append(Alarm("network", words % count, since, tuple(camera.name for camera in together)))
    return sorted(found, key=lambda alarm: alarm.since)


def _of_one_network(looked: list[Looked], now: float) -> list[Looked]:
    """The pulled cameras that have failed together, in a way that networks fail."""
    pulled = [(camera, camera.standing) for camera in looked if camera.is_enabled and camera.standing]
    failed = [
        (standing.since, camera)
        for camera, standing in pulled
        if camera.has_failed(now) and standing.code in OF_THE_NETWORK
    ]
    best: list[Looked] = []
    for first, _camera in failed:
        best = max(best, [camera for since, camera in failed if first <= since <= first + TOGETHER_S], key=len)
    return best if len(best) >= LEAST_TOGETHER and len(best) >= TOGETHER_SHARE * len(pulled) else []


def _alarm(camera: Looked, now: float) -> Alarm | None:
    status = camera.status
    if not camera.is_enabled:
        return None
    if camera.standing and camera.has_failed(now):
        return Alarm("source", camera.standing.told, camera.standing.since, (camera.name,), camera.slug)
    if status.state == "silent" and status.since and now - status.since >= SILENT_S:
        return Alarm("silent", _("It sends no pictures."), status.since, (camera.name,), camera.slug)
    if status.state == "frozen":
        words = _("Its picture stands still: what it shows may be long past.")
        return Alarm("frozen", words, status.since, (camera.name,), camera.slug)
    if status.state == "obscured":
        words = _("Its picture is black or covered: nothing can be seen.")
        return Alarm("obscured", words, status.since, (camera.name,), camera.slug)
    return None
