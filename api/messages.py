"""What programs are told of an event, the same by webhook and by stream."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

from ninja import Schema
from pydantic import Field

from api.models import Event

Type = Literal[
    "visit.started",
    "visit.ended",
    "recording.ready",
    "camera.silent",
    "camera.back",
    "camera.problem",
    "zone.entered",
    "zone.loitered",
    "zone.crossed",
]


class EventOut(Schema):
    """One event. `data` is a visit, a recording, or what a camera does."""

    id: UUID
    type: Type
    timestamp: datetime = Field(description="When it happened.")
    camera: str
    data: dict[str, Any]


def body_of(event: Event) -> dict[str, Any]:
    return {
        "id": str(event.key),
        "type": event.type,
        "timestamp": written(event.at),
        "camera": event.camera.slug,
        "data": event.data,
    }


def written(moment: datetime) -> str:
    """As RFC 3339 says, in UTC."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
