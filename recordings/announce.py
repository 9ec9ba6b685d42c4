"""Tells a camera's viewers that a clip began, ended, can be played or was removed."""

from __future__ import annotations

from detections import broadcast
from recordings.messages import RecordingBody, RecordingEvent, RecordingMessage
from recordings.models import Recording


def body_of(row: Recording) -> RecordingBody:
    return {
        "id": str(row.pk),
        "state": row.state,
        "reason": row.reason,
        "start": row.start.timestamp(),
        "end": row.end.timestamp(),
        "max_people": row.max_people,
        "url": row.get_absolute_url(),
    }


def message_of(row: Recording, event: RecordingEvent) -> RecordingMessage:
    return {"type": "recording", "event": event, "camera": row.camera.slug, "recording": body_of(row)}


def recording(row: Recording, event: RecordingEvent) -> None:
    """Returns at once; a message that cannot be sent is dropped and counted."""
    broadcast.recording(row.camera_id, row.camera.slug, message_of(row, event))
