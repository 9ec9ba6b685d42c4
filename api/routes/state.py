"""How things are: coverage of a camera's time, and the live state of cameras, analysis and storage."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import override
from ninja import Query, Router, Schema
from pydantic import Field

from api.access import READ, WATCH, Request, needs
from api.paging import Moment, Order, TurnQuery
from api.problems import Problem, fault
from api.schemas import AlarmOut, AnalysisOut, CameraStateOut, CoverageOut, MinuteOut, StateOut
from cameras import analysis, bell
from cameras.models import Camera, CoverageMinute
from detections import day, snapshot, weights
from recordings import alarm, storage

router = Router(tags=["state"])
ORDER: Order[Camera] = Order("state")
LONGEST = timedelta(hours=26)
COUNTS = ("received", "invalid", "busy", "no_motion", "no_person", "admitted", "analysed", "waiting", "failed")


class Range(Schema):
    """A stretch of time, by default the last hour."""

    since: Moment | None = Field(None, alias="from", description="From the minute of this time; one hour before `to`.")
    until: Moment | None = Field(None, alias="to", description="Before this time; by default now.")


@router.get(
    "/cameras/{slug:slug}/coverage",
    auth=needs(READ),
    response={200: CoverageOut, 404: Problem},
    operation_id="getCoverage",
    url_name="camera-coverage",
)
def get_coverage(request: Request, slug: str, wanted: Query[Range]) -> Any:
    """What happened in each minute of a range of at most 26 hours. Nothing unknown is called clear."""
    camera = get_object_or_404(request.auth.watched(), slug=slug)
    now = timezone.now()
    until = min(wanted.until or now, now)
    since = (wanted.since or until - timedelta(hours=1)).replace(second=0, microsecond=0)
    if until - since > LONGEST:
        raise fault("query.from", "at most 26 hours before `to`")
    bounds = day.Bounds(since.date(), since, max(since, until))
    return CoverageOut(camera=camera.slug, start=since, end=bounds.end, minutes=_minutes(camera, bounds, now))


def _minutes(camera: Camera, bounds: day.Bounds, now: datetime) -> list[MinuteOut]:
    rows = CoverageMinute.objects.filter(camera=camera, minute__gte=bounds.start, minute__lt=bounds.end)
    by_index = day.by_index(bounds, rows)
    nothing = CoverageMinute(camera=camera)
    return [
        MinuteOut(
            minute=bounds.at(index),
            kind=kind,
            judged_s=row.judged_mask.bit_count(),
            people_s=row.people_mask.bit_count(),
            max_people=row.max_people,
            **{name: getattr(row, name) for name in COUNTS},
        )
        for index, kind in enumerate(day.kinds_of(bounds, by_index, now))
        if kind != "ahead" and (row := by_index.get(index, nothing))
    ]


@router.get("/state", auth=needs(WATCH), response=StateOut, operation_id="getState", url_name="state")
def get_state(request: Request, turn: TurnQuery) -> Any:
    """How the site is doing, with a page of the caller's cameras."""
    page, cursor = ORDER.page(request.auth.watched(), turn)
    found, detector = analysis.look(bell.connection()), weights.status()
    return StateOut(
        version=settings.VERSION,
        time=datetime.now(UTC),
        analysis=AnalysisOut(
            is_down=found.is_down, workers=found.workers, detector=detector.name, is_fallback=detector.is_fallback
        ),
        alarms=_alarms(),
        cameras=[CameraStateOut.of(camera, snapshot.describe(camera, found)) for camera in page],
        next=cursor,
    )


def _alarms() -> list[AlarmOut]:
    problem = storage.state().problem
    with override("en"):
        return [AlarmOut(code=f"storage.{problem}", text=alarm.text())] if problem else []


@router.get(
    "/cameras/{slug:slug}/state",
    auth=needs(WATCH),
    response={200: CameraStateOut, 404: Problem},
    operation_id="getCameraState",
    url_name="camera-state",
)
def get_camera_state(request: Request, slug: str) -> Any:
    """How one camera is doing now."""
    camera = get_object_or_404(request.auth.watched(), slug=slug)
    return CameraStateOut.of(camera, snapshot.describe(camera, analysis.look(bell.connection())))
