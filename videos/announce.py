"""Tells a unit's viewers how far the analysis of a video is, and that a video changed."""

from __future__ import annotations

from typing import Any

from detections import broadcast
from videos.messages import VideoBody, VideoEvent, VideoMessage
from videos.models import Video

REMOVED = "removed"
LAYER_TYPE = "unit.video"


def group(unit_id: int) -> str:
    return f"videos.{unit_id}"


def body_of(video: Video) -> VideoBody:
    return {
        "id": str(video.pk),
        "title": video.title,
        "state": video.state,
        "problem": video.problem,
        "progress": round(video.progress, 4),
        "samples": video.samples,
        "rate": round(video.rate, 2),
        "left_s": left_s(video),
        "duration_s": video.duration_s,
        "is_playable": video.is_playable or video.has_copy,
        "url": video.get_absolute_url(),
    }


def left_s(video: Video) -> float | None:
    if video.state != Video.State.ANALYSING or video.rate <= 0:
        return None
    return round(video.duration_s * (1 - video.progress) / video.rate, 2)


def video(row: Video, event: VideoEvent) -> None:
    """Returns at once; a message that cannot be sent is dropped and counted."""
    _post(row.unit_id, {"type": "video", "event": event, "video": body_of(row)})


def removed(row: Video) -> None:
    _post(row.unit_id, {"type": "video", "event": "changed", "video": {**body_of(row), "state": REMOVED}})


def _post(unit_id: int, message: VideoMessage) -> None:
    layered: Any = {"type": LAYER_TYPE, "unit": unit_id, "video": message}
    broadcast.sender().post(group(unit_id), layered)
