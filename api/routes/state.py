"""How things are: coverage of a camera's time, and the live state of cameras, analysis and storage."""

from __future__ import annotations

import time
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
from cameras.alarms import Looked, decide
from cameras.analysis import AnalysisState
from cameras.models import Camera, CoverageMinute, Kind
from cameras.pull import problems
from cameras.pull.problems import Standing
from cameras.status import CameraStatus
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
    """How the site is doing, with a page of the caller's cameras and their alarms."""
    page, cursor = ORDER.page(request.auth.watched(), turn)
    found, detector = analysis.look(bell.connection()), weights.status()
    with override("en"):
        looked = [(camera, *_look(camera, found)) for camera in page]
        return StateOut(
            version=settings.VERSION,
            time=datetime.now(UTC),
            analysis=AnalysisOut(
                is_down=found.is_down, workers=found.workers, detector=detector.name, is_fallback=detector.is_fallback
            ),
            alarms=[*_alarms_of_storage(), *_alarms_of(looked)],
            cameras=[CameraStateOut.of(*each) for each in looked],
            next=cursor,
        )


def _look(camera: Camera, found: AnalysisState) -> tuple[CameraStatus, Standing | None]:
    return snapshot.describe(camera, found), problems.read(camera.pk) if camera.kind == Kind.PULL else None


def _alarms_of_storage() -> list[AlarmOut]:
    problem = storage.state().problem
    return [AlarmOut(code=f"storage.{problem}", text=alarm.text(), since=None, cameras=[])] if problem else []


def _alarms_of(looked: list[tuple[Camera, CameraStatus, Standing | None]]) -> list[AlarmOut]:
    cameras = [Looked(camera.name, camera.slug, camera.is_enabled, status, source) for camera, status, source in looked]
    return [
        AlarmOut(code=f"camera.{each.code}", text=each.text, since=each.since_at, cameras=list(each.cameras))
        for each in decide(cameras, now=time.time())
    ]


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
    with override("en"):
        return CameraStateOut.of(camera, *_look(camera, analysis.look(bell.connection())))
