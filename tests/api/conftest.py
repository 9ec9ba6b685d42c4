"""Programs that call the API: their tokens, and what they find."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from cameras import tokens
from cameras.models import Camera, Token
from detections.models import Visit
from recordings.models import Recording

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
CLIP = b"a film" * 1_000


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


@pytest.fixture
def manager(alice: User, valkey: str) -> Client:
    """A program of unit X's admin that may do everything."""
    return program(alice)
