"""Fixtures of the recordings' tests."""

from __future__ import annotations

import pytest

from cameras.models import Camera
from recordings import announce, reserve
from tests.recordings.post import Post, Told


@pytest.fixture(autouse=True)
def small_reserve(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test has a data folder of its own; eight megabytes in each would be many."""
    monkeypatch.setattr(reserve, "BYTES", 100_000)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    """What viewers were told of clips: events and states."""
    events: Told = []
    monkeypatch.setattr(announce, "recording", lambda row, event: events.append((event, row.state)))
    return events


@pytest.fixture
def post(camera_x: Camera, told: Told) -> Post:
    return Post(camera_x)
