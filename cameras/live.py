"""The newest pictures of each camera in this process, for live viewers and snapshots; the frame path publishes here.

Pictures of cameras that another process receives come through the relay while somebody watches, and from the ring.
Bounded: a camera keeps the frames of the last two seconds, KEPT at most. Subscribers are called in the event loop.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from cameras import relay
from cameras.frames import Frame

KEPT = 24
KEPT_S = 2.0

Listener = Callable[[Frame, bool], None]


@dataclass(slots=True)
class _Camera:
    frames: OrderedDict[tuple[str, int], Frame] = field(default_factory=OrderedDict)
    listeners: set[Listener] = field(default_factory=set)


_cameras: defaultdict[int, _Camera] = defaultdict(_Camera)
_lock = threading.Lock()


def publish(frame: Frame, *, admitted: bool) -> None:
    """Makes a received frame the camera's newest and tells its viewers. Called in the event loop."""
    with _lock:
        camera = _cameras[frame.camera_id]
        camera.frames[frame.stream, frame.seq] = frame
        while len(camera.frames) > KEPT or next(iter(camera.frames.values())).received_at < frame.received_at - KEPT_S:
            camera.frames.popitem(last=False)
        listeners = tuple(camera.listeners)
    for listener in listeners:
        listener(frame, admitted)


def forget(camera_id: int) -> None:
    """Lets go of the camera's pictures: there is something in them that nobody may see any more."""
    with _lock:
        if camera := _cameras.get(camera_id):
            camera.frames.clear()


def newest(camera_id: int) -> Frame | None:
    """The newest picture, whoever received it: from the ring, where the last one that came here is older. Blocks."""
    with _lock:
        camera = _cameras.get(camera_id)
        frame = next(reversed(camera.frames.values()), None) if camera else None
    if frame is None or frame.received_at < time.time() - KEPT_S:
        kept = relay.newest(camera_id)
        # The very same one too: what is held here may have come just before a mask, which the ring's has by now.
        if kept and (frame is None or kept.captured_at >= round(frame.captured_at, 6)):  # As in the ring's names.
            return kept
    return frame


def find(camera_id: int, stream: str, seq: int) -> Frame | None:
    with _lock:
        camera = _cameras.get(camera_id)
        return camera.frames.get((stream, seq)) if camera else None


def subscribe(camera_id: int, listener: Listener) -> None:
    """`listener(frame, admitted)` is called for every frame until it is unsubscribed; it must not block."""
    asyncio.get_running_loop()
    with _lock:
        _cameras[camera_id].listeners.add(listener)
    _relayed.start()


def unsubscribe(camera_id: int, listener: Listener) -> None:
    with _lock:
        _cameras[camera_id].listeners.discard(listener)


def _is_watched(camera_id: int | None) -> bool:
    """Whether somebody watches this camera, or any."""
    with _lock:
        if camera_id is None:
            return any(camera.listeners for camera in _cameras.values())
        return camera_id in _cameras and bool(_cameras[camera_id].listeners)


_relayed = relay.Listener(lambda frame, admitted: publish(frame, admitted=admitted), _is_watched)
