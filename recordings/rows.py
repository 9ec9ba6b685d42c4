"""What the recorder reads from the database and writes to it: each camera's rules, and a row for each confirmed take.

It may be away for a while: whatever raises is asked again a moment later, and takes go on meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from django.conf import settings
from django.db import IntegrityError, transaction

from cameras.models import Camera
from recordings import announce
from recordings.models import Recording, RecordingRules
from recordings.rule import Mode, Rules
from recordings.takes import Take

State = Recording.State


@dataclass(frozen=True, slots=True)
class CameraRules:
    """`rules` hold while the camera is enabled; no picture comes of one that is not."""

    is_enabled: bool
    rules: Rules


def read_rules() -> dict[int, CameraRules]:
    own = {rules.camera_id: rules for rules in RecordingRules.objects.all()}
    cameras = Camera.objects.values_list("pk", "is_enabled")
    return {pk: CameraRules(is_enabled, rules_of(own.get(pk))) for pk, is_enabled in cameras}


def rules_of(own: RecordingRules | None) -> Rules:
    """A camera's own times where it has some, else the site's."""
    mode: Mode = "presence"
    if own:
        mode = {"continuous": "continuous", "off": "off"}.get(own.mode, "presence")  # type: ignore[assignment]
    return Rules(
        mode=mode,
        start_after_s=_first(own.start_after_s if own else None, settings.RECORD_START_AFTER_S),
        stop_after_s=_first(own.stop_after_s if own else None, settings.RECORD_STOP_AFTER_S),
        before_s=_first(own.before_s if own else None, settings.RECORD_BEFORE_S),
        after_s=_first(own.after_s if own else None, settings.RECORD_AFTER_S),
        sight_lost_s=settings.SIGHT_LOST_S,
        clip_s=settings.CLIP_S,
    )


def _first(own: float | None, site: float) -> float:
    return site if own is None else own


def save(take: Take, *, first_at: float) -> None:
    """The row of a take that goes on, made if it is new: its viewers are then told that it began."""
    changed = Recording.objects.filter(pk=take.id, state=State.RECORDING).update(
        reason=take.reason, is_unanalysed=take.is_unanalysed, max_people=take.max_people, end=_time(take.last_at)
    )
    if not changed and not Recording.objects.filter(pk=take.id).exists() and (row := _made(take, first_at)):
        announce.recording(row, "started")


def finish(take: Take, *, first_at: float) -> None:
    """The row of a take that is over. One that the media workers are done with already stays as it is."""
    save(take, first_at=first_at)
    ended = Recording.objects.filter(pk=take.id, state=State.RECORDING).update(
        state=State.ENCODING, end_reason=take.end_reason
    )
    if ended:
        announce.recording(Recording.objects.select_related("camera").get(pk=take.id), "ended")


def _made(take: Take, first_at: float) -> Recording | None:
    if not Camera.objects.filter(pk=take.camera_id).exists():
        return None
    row = Recording(
        id=take.id,
        camera_id=take.camera_id,
        reason=take.reason,
        is_unanalysed=take.is_unanalysed,
        max_people=take.max_people,
        start=_time(first_at),
        end=_time(take.last_at),
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:  # The camera has been deleted this very moment.
        return None
    return Recording.objects.select_related("camera").filter(pk=take.id).first()


def _time(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
