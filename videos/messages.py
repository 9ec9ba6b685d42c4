"""The shape of what pages are told of videos."""

from __future__ import annotations

from typing import Literal, TypedDict

VideoEvent = Literal["progress", "changed"]


class VideoBody(TypedDict):
    """`left_s`: what is left of the analysis at the present rate; None where that cannot be told."""

    id: str
    title: str
    state: str
    problem: str
    progress: float
    samples: int
    rate: float
    left_s: float | None
    duration_s: float
    is_playable: bool
    url: str


class VideoMessage(TypedDict):
    """A video that is gone is told as one in the state "removed"."""

    type: Literal["video"]
    event: VideoEvent
    video: VideoBody
