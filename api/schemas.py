"""What the API shows and takes. Times are RFC 3339 in UTC, durations seconds; links are paths of this site."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from django.urls import reverse
from ninja import Schema
from pydantic import ConfigDict, Field

from api.paging import Slug
from cameras.coverage import CoverageKind
from cameras.models import Camera
from cameras.pull.problems import Standing
from cameras.status import CameraStatus
from cameras.status import State as StatusWord
from detections.models import Visit
from recordings.models import Recording

# Neither blank nor with control characters, which a database may refuse.
Name = Annotated[
    str, Field(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$")
]
Source = Annotated[str, Field(max_length=500, pattern=r"^[^\x00-\x20\x7f\\]*$")]
Rate = Annotated[float, Field(ge=0.2, le=30)]
Confidence = Annotated[float, Field(ge=0.01, le=0.99)]
Gap = Annotated[float, Field(ge=0, le=86_400)]


def stamp(unix_s: float | None) -> datetime | None:
    return datetime.fromtimestamp(unix_s, UTC) if unix_s else None


class UnitRef(Schema):
    """The unit that owns a camera."""

    slug: str
    name: str


class CameraOut(Schema):
    """A camera. Its address is shown without password and query, and only to those who manage it."""

    slug: str
    name: str
    unit: UnitRef
    kind: Literal["browser", "pull"]
    source: str | None
    is_enabled: bool
    target_fps: float | None = Field(description="null: the site's rate.")
    confidence: float | None = Field(description="null: the site's threshold.")
    visit_gap_s: float | None = Field(description="null: the site's time.")
    created_at: datetime
    page: str
    snapshot: str
    stream: str

    @classmethod
    def of(cls, camera: Camera, *, is_managed: bool) -> CameraOut:
        values = {
            "slug": camera.slug,
            "name": camera.name,
            "unit": UnitRef(slug=camera.unit.slug, name=camera.unit.name),
            "kind": camera.kind,
            "source": camera.source_redacted if is_managed else None,
            "is_enabled": camera.is_enabled,
            "target_fps": camera.target_fps,
            "confidence": camera.confidence,
            "visit_gap_s": camera.visit_gap_s,
            "created_at": camera.created_at,
            "page": reverse("detections:camera", args=[camera.slug]),
            # These two are fixed: programs rely on them.
            "snapshot": f"/cameras/{camera.slug}/snapshot.jpg",
            "stream": f"/cameras/{camera.slug}/stream.mjpg",
        }
        return cls.model_validate(values)


class CameraPage(Schema):
    items: list[CameraOut]
    next: str | None = Field(description="The cursor of the next page; null: this is the last one.")


class Body(Schema):
    """What is sent; a member that nobody knows is a mistake."""

    model_config = ConfigDict(extra="forbid", strict=True)


class CameraIn(Body):
    """A new camera: with an address it is pulled, without one it is a guard post's browser."""

    name: Name
    unit: Slug = Field(description="The unit's short name.")
    source: Source = ""
    is_enabled: bool = True
    target_fps: Rate | None = None
    confidence: Confidence | None = None
    visit_gap_s: Gap | None = None


class CameraChange(Body):
    """What of a camera is to be otherwise; what is left out stays."""

    name: Name = ""
    source: Source = ""
    is_enabled: bool = True
    target_fps: Rate | None = None
    confidence: Confidence | None = None
    visit_gap_s: Gap | None = None


class EnrolmentOut(Schema):
    """A link that makes one browser this camera, once."""

    url: str
    expires_at: datetime


class VisitOut(Schema):
    """One person's stay before one camera."""

    id: UUID
    camera: str
    state: Literal["present", "out_of_sight", "ended"]
    end_reason: Literal["left", "camera_lost"] | None
    first_seen: datetime
    last_seen: datetime
    ended_at: datetime | None
    duration_s: float
    is_settled: bool
    is_verified: bool
    best_score: float
    picture: str | None
    page: str

    @classmethod
    def of(cls, visit: Visit) -> VisitOut:
        values = {
            "id": visit.pk,
            "camera": visit.camera.slug,
            "state": visit.state,
            "end_reason": visit.end_reason or None,
            "first_seen": visit.first_seen,
            "last_seen": visit.last_seen,
            "ended_at": visit.ended_at,
            "duration_s": visit.duration_s,
            "is_settled": visit.settled_at is not None,
            "is_verified": visit.is_verified,
            "best_score": visit.best_score,
            "picture": reverse("api:visit-picture", args=[visit.pk]) if visit.picture else None,
            "page": visit.get_absolute_url(),
        }
        return cls.model_validate(values)


class VisitPage(Schema):
    items: list[VisitOut]
    next: str | None


class RecordingOut(Schema):
    """A clip of a presence. `video` and `poster` are there once it is ready."""

    id: UUID
    camera: str
    state: Literal["recording", "encoding", "ready", "failed"]
    reason: Literal["presence", "continuous", "unanalysed"]
    is_unanalysed: bool
    end_reason: Literal["over", "camera_lost", "limit", "clock", "switched_off"] | None
    start: datetime
    end: datetime
    duration_s: float
    max_people: int
    frames: int
    width: int
    height: int
    size: int
    sha256: str | None
    is_kept: bool
    video: str | None
    poster: str | None
    page: str

    @classmethod
    def of(cls, clip: Recording) -> RecordingOut:
        def link(name: str) -> str | None:
            return reverse(f"api:recording-{name}", args=[clip.pk]) if clip.path else None

        values = {
            "id": clip.pk,
            "camera": clip.camera.slug,
            "state": clip.state,
            "reason": clip.reason,
            "is_unanalysed": clip.is_unanalysed,
            "end_reason": clip.end_reason or None,
            "start": clip.start,
            "end": clip.end,
            "duration_s": clip.duration_s,
            "max_people": clip.max_people,
            "frames": clip.frames,
            "width": clip.width,
            "height": clip.height,
            "size": clip.size,
            "sha256": clip.sha256 or None,
            "is_kept": clip.is_kept,
            "video": link("video"),
            "poster": link("poster"),
            "page": clip.get_absolute_url(),
        }
        return cls.model_validate(values)


class RecordingPage(Schema):
    items: list[RecordingOut]
    next: str | None


class MinuteOut(Schema):
    """One minute: what kind it is, and what became of its frames.

    received = invalid + busy + no_motion + no_person + admitted, and admitted = analysed + waiting + failed.
    """

    minute: datetime
    kind: CoverageKind = Field(description="Only `clear` says that nobody was there; `none`: no picture came.")
    judged_s: int
    people_s: int
    max_people: int
    received: int
    invalid: int
    busy: int
    no_motion: int
    no_person: int
    admitted: int
    analysed: int
    waiting: int
    failed: int


class CoverageOut(Schema):
    """Every minute of the range that has begun, in order."""

    camera: str
    start: datetime
    end: datetime
    minutes: list[MinuteOut]


class ProblemOut(Schema):
    """What is wrong with a source; the code stays the same, the words may change."""

    code: str
    text: str


class CameraStateOut(Schema):
    """How a camera is doing now."""

    camera: str
    name: str
    state: StatusWord
    since: datetime | None
    fps: float
    lag_s: float
    people: int
    last_captured_at: datetime | None
    problem: ProblemOut | None = Field(description="What is wrong with the address of a camera that is pulled.")

    @classmethod
    def of(cls, camera: Camera, now: CameraStatus, source: Standing | None) -> CameraStateOut:
        values = {
            "camera": camera.slug,
            "name": camera.name,
            "state": now.state,
            "since": stamp(now.since),
            "fps": now.fps,
            "lag_s": now.lag_s,
            "people": now.people,
            "last_captured_at": stamp(now.last_captured_at),
            "problem": ProblemOut(code=source.code, text=source.sentence) if source and source.code else None,
        }
        return cls.model_validate(values)


class AnalysisOut(Schema):
    """Whether pictures are analysed, and by what."""

    is_down: bool
    workers: int
    detector: str
    is_fallback: bool = Field(
        description="Not by the weights asked for: by Omil's own model or, where `detector` is empty, by none."
    )


class AlarmOut(Schema):
    """Something that somebody should look after; it goes by itself when it is over."""

    code: str
    text: str
    since: datetime | None
    cameras: list[str] = Field(description="The names of the cameras concerned.")


class StateOut(Schema):
    """How the site and a page of its cameras are doing now."""

    version: str
    time: datetime
    analysis: AnalysisOut
    alarms: list[AlarmOut]
    cameras: list[CameraStateOut]
    next: str | None
