"""The shape of every message on the two sockets and the channel layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NotRequired, TypedDict


class Hello(TypedDict):
    type: Literal["hello"]
    protocol: int
    stream: str


class BoxMessage(TypedDict):
    """`xyxy` is relative to the picture, 0 to 1."""

    track: int
    visit: str | None
    xyxy: list[float]
    confidence: float


class TracksMessage(TypedDict):
    type: Literal["tracks"]
    camera: str
    stream: str
    seq: int
    captured_at: float
    people: int
    boxes: list[BoxMessage]
    zones: NotRequired[dict[str, int]]  # By the area's id: how many are in it. Only where there are any.


class VisitBody(TypedDict):
    """Times are Unix seconds. `verified` is False for what only an earlier version's simpler detector saw."""

    id: str
    state: str
    first_seen: float
    last_seen: float
    ended_at: float | None
    end_reason: str
    settled: bool
    verified: bool
    picture: str | None


VisitEvent = Literal["current", "started", "changed", "settled", "ended"]


class VisitMessage(TypedDict):
    type: Literal["visit"]
    event: VisitEvent
    camera: str
    visit: VisitBody


class CameraMessage(TypedDict):
    type: Literal["camera"]
    camera: str
    name: str
    status: str
    since: float
    fps: float
    lag_s: float
    people: int
    last_captured_at: float | None


class ResultMessage(TypedDict):
    """To the capture page: what analysis made of frame `seq`."""

    type: Literal["result"]
    seq: int
    visits: list[VisitBody]


class ErrorMessage(TypedDict):
    type: Literal["error"]
    code: str
    detail: str


class LayerMessage(TypedDict):
    """What travels through the channel layer to a camera's group; `tracks` and `result` belong to one frame.

    `recording` is a message of the recordings, which lie above: it is passed on as it is.
    """

    type: Literal["camera.frame", "camera.visit", "camera.status", "camera.recording"]
    camera: str
    stream: NotRequired[str]
    tracks: NotRequired[TracksMessage]
    visits: NotRequired[list[VisitBody]]
    visit: NotRequired[VisitMessage]
    status: NotRequired[CameraMessage]
    recording: NotRequired[Mapping[str, object]]
