"""Programs that call the API: their tokens, and what they find."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.files.base import ContentFile
from django.test import Client

from accounts.models import Unit, User
from cameras import tokens
from cameras.models import Camera, Token
from detections.models import Visit
from profiles import pictures
from profiles.models import Appearance, Profile
from recordings.models import Recording
from videos import places
from videos.models import Video, VideoVisit
from videos.storages import store

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
CLIP = b"a film" * 1_000
FACE = b"\xff\xd8 a face"


def program(user: User, scope: str = "manage", *cameras: Camera) -> Client:
    """A client that sends a token of this user."""
    _token, secret = tokens.issue(user, "a program", Token.Scope(scope), cameras)
    return Client(headers={"Authorization": f"Bearer {secret}"})


def make_visit(camera: Camera, number: int = 0, **changes: Any) -> Visit:
    first = NOW + timedelta(minutes=number)
    values: dict[str, Any] = {"stream": "ab" * 16, "first_seq": number, "state": "ended", "end_reason": "left"}
    values |= {"first_seen": first, "last_seen": first + timedelta(seconds=20), **changes}
    return Visit.objects.create(camera=camera, **{"ended_at": values["last_seen"], **values})


def make_clip(camera: Camera, number: int = 0, **changes: Any) -> Recording:
    start = NOW + timedelta(minutes=number)
    values: dict[str, Any] = {
        "state": "ready",
        "path": f"{camera.pk}/{number}.mp4",
        "size": len(CLIP),
        "sha256": "ab" * 32,
    }
    values |= {"start": start, "end": start + timedelta(seconds=20), "sha256": "ab" * 32}
    return Recording.objects.create(camera=camera, **{**values, **changes})


FILM = b"another film" * 1_000
POINTS = [[10.0, 20.0, 0.5]] * 17
PERSON = {"track": 1, "confidence": 0.9, "box": [1.0, 2.0, 30.0, 40.0], "points": POINTS}


def make_film(unit: Unit, id: UUID | None = None, **changes: Any) -> Video:
    """A video that is done, with its files and somebody in it, whose profile and face have its id as well."""
    id = id or uuid4()
    values: dict[str, Any] = {"state": "done", "title": "Drill.mp4", "size": len(FILM), "extension": "mp4"}
    values |= {"is_playable": True, "duration_s": 0.4, "width": 64, "height": 48, "wants_poses": True, "per_s": 5}
    video = Video.objects.create(id=id, unit=unit, **{**values, **changes})
    picture = video.name_of(f"{places.PICTURES}/1.jpg")
    VideoVisit.objects.create(id=id, video=video, track_ids=[1], first_s=0, last_s=0.2, picture=picture)
    boxes = [{"sample": 0, "at_s": 0.0, "boxes": [[1, 0.1, 0.1, 0.5, 0.9, 0.8]]}]
    poses = [{"sample": 0, "at_s": 0.0, "people": [PERSON]}, {"sample": 1, "at_s": 0.2, "people": []}]
    for name, rows in ((places.TRACKS, boxes), (places.POSES, poses)):
        store().save(video.name_of(name), ContentFile("".join(f"{json.dumps(row)}\n" for row in rows).encode()))
    for name in (video.original_name, video.name_of(places.POSTER), picture):
        store().save(name, ContentFile(FILM))
    make_appearance(Profile.objects.create(id=id, unit=unit), video, id=id, tracks=[1])
    return video


def make_appearance(profile: Profile, video: Video, **values: Any) -> Appearance:
    id = values.pop("id", None) or uuid4()
    crop = pictures.name_of(profile.pk, id)
    pictures.write(crop, FACE)
    return Appearance.objects.create(id=id, unit=video.unit, profile=profile, video=video, crop=crop, **values)


@pytest.fixture
def manager(alice: User, valkey: str) -> Client:
    """A program of unit X's admin that may do everything."""
    return program(alice)
