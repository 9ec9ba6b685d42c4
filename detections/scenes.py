"""A camera's frames together with what analysis saw in them, newest first; the rules are those of the live socket.

A frame that the gate refused is shown at once. An admitted one waits for its boxes, which come by the channel layer and
name their frame by stream and number, but for half a second at most. Everything happens in the event loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cameras import live
from cameras.frames import Frame
from detections.marks import Mark, marks_of

BOXES_WAIT_S = 0.5


@dataclass(frozen=True, slots=True)
class Scene:
    """One frame, and the people in it."""

    frame: Frame
    marks: tuple[Mark, ...] = ()
    name: str = ""  # Of the camera.


class Scenes:
    """Pairs one camera's frames with their boxes; `offer` gets each scene that is newer than all before it."""

    def __init__(self, camera_id: int, offer: Callable[[Scene], None]) -> None:
        self._camera_id = camera_id
        self._tell = offer
        self._last: Frame | None = None
        self._timers: deque[asyncio.TimerHandle] = deque()

    def pictured(self, frame: Frame, admitted: bool) -> None:
        if not admitted:
            self._offer(Scene(frame))
            return
        self._timers.append(asyncio.get_running_loop().call_later(BOXES_WAIT_S, self._waited, frame))

    def told(self, message: Mapping[str, Any]) -> None:
        """A message of the kind camera.frame."""
        tracks = message["tracks"]
        if frame := live.find(self._camera_id, tracks["stream"], tracks["seq"]):
            self._offer(Scene(frame, marks_of(tracks, message["visits"])))

    def close(self) -> None:
        while self._timers:
            self._timers.popleft().cancel()

    def _waited(self, frame: Frame) -> None:
        self._timers.popleft()  # They end in the order in which they began.
        self._offer(Scene(frame))

    def _offer(self, scene: Scene) -> None:
        if self._last is None or _is_newer(scene.frame, self._last):
            self._last = scene.frame
            self._tell(scene)


def _is_newer(frame: Frame, than: Frame) -> bool:
    if frame.stream == than.stream:
        return frame.seq > than.seq
    return frame.received_at > than.received_at
