"""A camera's state in a word and a tone, for the admin's list."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from django.conf import settings
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from cameras import analysis, bell
from cameras.models import Camera, Kind
from cameras.pull import problems
from cameras.status import CameraStatus, Limits, State, describe

LOOKS: dict[State, tuple[str | Promise, str]] = {
    "live": (_("people in view"), "good"),
    "quiet": (_("quiet"), "calm"),
    "behind": (_("behind"), "warn"),
    "frozen": (_("frozen picture"), "ice"),
    "obscured": (_("covered or black"), "bad"),
    "silent": (_("silent"), "bad"),
    "played": (_("played to its end"), "off"),
    "unanalysed": (_("not analysed"), "violet"),
    "off": (_("switched off"), "off"),
}


@dataclass(frozen=True, slots=True)
class Lamp:
    """What a camera's lamp shows; the hint says since when, or what is wrong with the source."""

    tone: str
    word: str
    hint: str


def lit(cameras: Iterable[Camera]) -> list[Camera]:
    """The same cameras, each with its `lamp`; the state of analysis is asked once for all."""
    state = analysis.look(bell.connection())
    limits = Limits(silent_s=settings.SILENT_S, max_lag_s=settings.MAX_LAG_S)
    cameras = list(cameras)
    for camera in cameras:
        status = describe(camera.pk, is_enabled=camera.is_enabled, analysis=state, limits=limits)
        lamp = lamp_of(status)
        if camera.kind == Kind.PULL and (standing := problems.read(camera.pk)) and standing.code:
            lamp = replace(lamp, hint=standing.sentence)
        camera.lamp = lamp  # type: ignore[attr-defined]  # Only for the page that shows it.
    return cameras


def lamp_of(status: CameraStatus) -> Lamp:
    word, tone = LOOKS[status.state]
    since = str(naturaltime(datetime.fromtimestamp(status.since, UTC))) if status.since else ""
    return Lamp(tone, str(word), since)
