"""Sends messages to a camera's viewers through the channel layer: small JSON, never pictures. The only group_send.

A thread with its own event loop does the sending, in order, so that the drain waits for nobody; when Valkey is out of
reach messages are dropped and counted (a viewer gets the present state when it connects again).
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from functools import cache

from channels.layers import get_channel_layer

from cameras import metrics
from detections.messages import CameraMessage, LayerMessage, TracksMessage, VisitBody, VisitMessage

logger = logging.getLogger(__name__)

SEND_TIMEOUT_S = 1.0
BACKLOG = 512


def group(camera_id: int) -> str:
    return f"camera.{camera_id}"


class Sender:
    """One per process. `post` returns at once."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._queue: asyncio.Queue[tuple[str, LayerMessage, Future[None] | None]] = asyncio.Queue(BACKLOG)
        threading.Thread(target=self._run, name="broadcast", daemon=True).start()

    def post(self, name: str, message: LayerMessage) -> None:
        self._loop.call_soon_threadsafe(self._put, name, message, None)

    def flush(self, timeout_s: float = 5.0) -> None:
        """Waits until everything posted so far is sent or lost."""
        done: Future[None] = Future()
        nothing: LayerMessage = {"type": "camera.status", "camera": ""}
        self._loop.call_soon_threadsafe(self._put, "", nothing, done)
        done.result(timeout_s)

    def _put(self, name: str, message: LayerMessage, done: Future[None] | None) -> None:
        try:
            self._queue.put_nowait((name, message, done))
        except asyncio.QueueFull:
            metrics.MESSAGES_LOST.labels(message["type"]).inc()
            if done:
                done.set_result(None)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._send_all())

    async def _send_all(self) -> None:
        layer = get_channel_layer()
        while True:
            name, message, done = await self._queue.get()
            if done:
                done.set_result(None)
                continue
            try:
                async with asyncio.timeout(SEND_TIMEOUT_S):
                    await layer.group_send(name, message)
            except Exception:  # Whatever the layer raises, the viewers of the next message must not suffer.
                metrics.MESSAGES_LOST.labels(message["type"]).inc()
                logger.debug("a %s message to %s was lost", message["type"], name, exc_info=True)


@cache
def sender() -> Sender:
    return Sender()


def frame(camera_id: int, message: TracksMessage, visits: list[VisitBody]) -> None:
    """What analysis made of one frame: boxes for the dashboards, visits for the capture page."""
    sender().post(
        group(camera_id),
        {
            "type": "camera.frame",
            "camera": message["camera"],
            "stream": message["stream"],
            "tracks": message,
            "visits": visits,
        },
    )


def visit(camera_id: int, message: VisitMessage) -> None:
    sender().post(group(camera_id), {"type": "camera.visit", "camera": message["camera"], "visit": message})


def status(camera_id: int, message: CameraMessage) -> None:
    sender().post(group(camera_id), {"type": "camera.status", "camera": message["camera"], "status": message})


def recording(camera_id: int, slug: str, message: Mapping[str, object]) -> None:
    sender().post(group(camera_id), {"type": "camera.recording", "camera": slug, "recording": message})
