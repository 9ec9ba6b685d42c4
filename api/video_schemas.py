"""What the API shows and takes of videos. Seconds are of a video's own clock."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from django.urls import reverse
from django.utils.translation import override
from ninja import Schema
from pydantic import Field

from api.paging import Slug
from api.schemas import Body, Name, ProblemOut, UnitRef
from profiles.models import Profile
from videos import announce, problems
from videos.models import LEAST_PER_S, MOST_PER_S, Video, VideoVisit

StateWord = Literal["uploading", "waiting", "analysing", "done", "failed", "cancelled"]


class VideoIn(Body):
    """A file that is about to be uploaded."""

    title: Name = Field(description="The file's name.")
    size: int = Field(ge=1, description="Of the file, in bytes.")
    unit: Slug = Field(description="The unit's short name.")
    per_s: Annotated[float, Field(ge=LEAST_PER_S, le=MOST_PER_S)] | None = Field(
        None, description="Samples analysed per second; null: the site's rate."
    )
    wants_faces: bool = Field(False, description="Only where an admin has switched that on for the unit.")
    wants_poses: bool = False


class VideoStatusOut(Schema):
    """How far a video is."""

    id: UUID
    state: StateWord
    problem: ProblemOut | None
    size: int
    received: int = Field(description="Bytes of the file that have come.")
    progress: float = Field(description="Of the analysis, 0 to 1.")
    samples: int = Field(description="Analysed so far.")
    rate: float = Field(description="Seconds of video that a second of analysis gets through.")
    left_s: float | None = Field(description="Until the analysis is done, as far as that can be told.")

    @classmethod
    def values(cls, video: Video) -> dict[str, Any]:
        with override("en"):
            text = problems.sentence(video.problem)
        return {
            "id": video.pk,
            "state": video.state,
            "problem": ProblemOut(code=video.problem, text=text) if video.problem else None,
            "size": video.size,
            "received": video.received if video.state == Video.State.UPLOADING else video.size,
            "progress": video.progress,
            "samples": video.samples,
            "rate": video.rate,
            "left_s": announce.left_s(video),
        }

    @classmethod
    def status_of(cls, video: Video) -> VideoStatusOut:
        return cls.model_validate(cls.values(video))


class VideoOut(VideoStatusOut):
    """A video. What its file says of itself is there once all of it has come, `key_points` once they are found."""

    title: str
    unit: UnitRef
    uploaded_by: str | None
    sha256: str | None
    duration_s: float
    width: int
    height: int
    fps: float
    container: str | None
    codec: str | None
    per_s: float
    wants_faces: bool
    wants_poses: bool
    remarks: list[ProblemOut] = Field(
        description="What the analysis had to leave out, and why no motion lesson can be made of it."
    )
    created_at: datetime
    started_at: datetime | None
    done_at: datetime | None
    upload: str | None = Field(description="Where the rest of the file is sent to, by tus 1.0.0.")
    original: str | None
    film: str | None = Field(description="What every browser plays: the original or a copy.")
    poster: str | None
    key_points: str | None
    page: str | None

    @classmethod
    def of(cls, video: Video) -> VideoOut:
        def link(name: str, is_there: bool = True) -> str | None:
            return reverse(f"api:video-{name}", args=[video.pk]) if is_there and is_complete else None

        is_complete = video.state != Video.State.UPLOADING
        with override("en"):
            remarks = [ProblemOut(code=code, text=problems.sentence(code)) for code in video.remarks]
        values = {
            **cls.values(video),
            "title": video.title,
            "unit": UnitRef(slug=video.unit.slug, name=video.unit.name),
            "uploaded_by": video.uploaded_by.username if video.uploaded_by else None,
            "sha256": video.sha256 or None,
            "duration_s": video.duration_s,
            "width": video.width,
            "height": video.height,
            "fps": video.fps,
            "container": video.container or None,
            "codec": video.codec or None,
            "per_s": video.per_s,
            "wants_faces": video.wants_faces,
            "wants_poses": video.wants_poses,
            "remarks": remarks,
            "created_at": video.created_at,
            "started_at": video.started_at,
            "done_at": video.done_at,
            "upload": None if is_complete else reverse("videos:upload", args=[video.pk]),
            "original": link("original"),
            "film": link("film", video.is_playable or video.has_copy),
            "poster": link("poster"),
            "key_points": link("keypoints", video.wants_poses and video.state == Video.State.DONE),
            "page": video.get_absolute_url() if is_complete else None,
        }
        return cls.model_validate(values)


class VideoPage(Schema):
    items: list[VideoOut]
    next: str | None


class VideoPersonOut(Schema):
    """One person's stay in a video."""

    id: UUID
    first_s: float
    last_s: float
    tracks: list[int] = Field(description="As boxes and key points name them.")
    picture: str | None
    profile: UUID | None = Field(description="Of whoever was recognised.")

    @classmethod
    def of(cls, visit: VideoVisit, known: dict[int, Profile]) -> VideoPersonOut:
        profile = next((known[track] for track in visit.track_ids if track in known), None)
        return cls(
            id=visit.pk,
            first_s=visit.first_s,
            last_s=visit.last_s,
            tracks=visit.track_ids,
            picture=reverse("api:video-person-picture", args=[visit.pk]) if visit.picture else None,
            profile=profile.pk if profile else None,
        )


class VideoPersonPage(Schema):
    items: list[VideoPersonOut]
    next: str | None


class BoxesOut(Schema):
    """One sample: [track, left, top, right, bottom] of each person, the last four from 0 to 1."""

    at_s: float
    boxes: list[list[float]]


class PoseOut(Schema):
    """`points` are [x, y, confidence], from 0 to 1."""

    track: int | None
    points: list[list[float]]


class PosesOut(Schema):
    """One sample."""

    at_s: float
    people: list[PoseOut]


class FramesOut(Schema):
    """What is drawn over a stretch of a video."""

    longest_s: float = Field(description="Of a stretch.")
    boxes: list[BoxesOut]
    poses: list[PosesOut]

    @classmethod
    def of(cls, found: dict[str, Any]) -> FramesOut:
        return cls(
            longest_s=found["longest_s"],
            boxes=[BoxesOut(at_s=at_s, boxes=boxes) for at_s, boxes in found["boxes"]],
            poses=[
                PosesOut(at_s=at_s, people=[PoseOut(track=track, points=points) for track, points in people])
                for at_s, people in found["poses"]
            ],
        )


class KeyPointsPerson(Schema):
    """`points` are [x, y, confidence] in pixels, in the order of `points` of the whole."""

    person: int | None = Field(description="Counted from 1 in the order of appearing.")
    track: int | None
    confidence: float
    box: list[float]
    points: list[list[float]]


class KeyPointsSample(Schema):
    sample: int
    seconds: float
    people: list[KeyPointsPerson]


class KeyPointsOut(Schema):
    """Who held themselves how, sample by sample."""

    video: UUID
    title: str
    width: int
    height: int
    samples_per_s: float
    points: list[str]
    samples: list[KeyPointsSample]
