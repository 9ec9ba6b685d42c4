"""The shape of what dashboards are told of clips."""

from __future__ import annotations

from typing import Literal, TypedDict

RecordingEvent = Literal["started", "ended", "ready", "removed"]


class RecordingBody(TypedDict):
    """Times are Unix seconds; an open clip's `end` is how far it has come."""

    id: str
    state: str
    reason: str
    start: float
    end: float
    max_people: int
    url: str


class RecordingMessage(TypedDict):
    type: Literal["recording"]
    event: RecordingEvent
    camera: str
    recording: RecordingBody
