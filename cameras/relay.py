"""Brings pulled cameras' pictures to the live viewers of the web process, which did not receive them.

Ingest tells of each frame that stands in the ring; web listens while anybody watches, and reads the picture there.
Told is told: nothing waits for Valkey, and what is lost is one picture of a live view.
"""

from __future__ import annotations

import asyncio
import heapq
import json
import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import redis.asyncio
from django.conf import settings
from redis.exceptions import RedisError

from cameras import folders, ring
from cameras.frames import Frame

logger = logging.getLogger(__name__)

AGAIN_S = 1.0
IDLE_S = 5.0
MOST_UNTOLD = 256


def channel() -> str:
    return f"frames-{settings.NODE}"


class Teller:
    """In ingest."""

    def __init__(self, url: str) -> None:
        self._redis = redis.asyncio.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2)
        self._untold: asyncio.Queue[bytes] = asyncio.Queue(MOST_UNTOLD)

    def tell(self, frame: Frame, admitted: bool) -> None:
        if self._untold.full():
            self._untold.get_nowait()
        told = {
            "camera": frame.camera_id,
            "stream": frame.stream,
            "seq": frame.seq,
            "captured_at": frame.captured_at,
            "received_at": frame.received_at,
            "admitted": admitted,
        }
        self._untold.put_nowait(json.dumps(told).encode())

    async def run(self) -> None:
        try:
            while True:
                message = await self._untold.get()
                try:
                    await self._redis.publish(channel(), message)
                except (RedisError, OSError):
                    await asyncio.sleep(AGAIN_S)
        finally:
            await self._redis.aclose()


class Listener:
    """In web: `publish(frame, admitted)` is called for each frame of a camera that `is_watched`. One per process."""

    def __init__(self, publish: Callable[[Frame, bool], None], is_watched: Callable[[int | None], bool]) -> None:
        self._publish = publish
        self._is_watched = is_watched
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Called in the event loop whenever somebody begins to watch; it ends by itself when nobody does."""
        loop = asyncio.get_running_loop()
        if self._task is None or self._task.done() or self._task.get_loop() is not loop:
            self._task = loop.create_task(self._run())

    async def _run(self) -> None:
        while self._is_watched(None):
            try:
                await self._listen()
            except (RedisError, OSError) as error:
                logger.debug("the relay of pictures is away: %s", error)
                await asyncio.sleep(AGAIN_S)

    async def _listen(self) -> None:
        client = redis.asyncio.Redis.from_url(settings.REDIS_URL, socket_timeout=None, socket_connect_timeout=2)
        async with client, client.pubsub(ignore_subscribe_messages=True) as subscription:
            await subscription.subscribe(channel())
            while self._is_watched(None):
                message = await subscription.get_message(timeout=IDLE_S)
                if message is not None:
                    await self._take(message["data"])

    async def _take(self, data: bytes) -> None:
        told = json.loads(data)
        if not self._is_watched(told["camera"]):
            return
        path = ring_of(told["camera"]) / ring.name_of(told["stream"], told["seq"], told["captured_at"])
        with suppress(OSError):
            jpeg = await asyncio.to_thread(path.read_bytes)
            frame = Frame(told["camera"], told["stream"], told["seq"], told["captured_at"], told["received_at"], jpeg)
            self._publish(frame, told["admitted"])


def ring_of(camera_id: int) -> Path:
    return folders.of(camera_id) / "ring"


def newest(camera_id: int) -> Frame | None:
    """The newest picture in the camera's ring, whichever process wrote it. Blocks; reads the disk."""
    folder = ring_of(camera_id)
    for name in heapq.nlargest(3, ring.scan(folder)):  # The ring may drop one while it is looked at.
        with suppress(OSError, ValueError):
            jpeg = (folder / name).read_bytes()
            stream, seq = name[18:50], int(name[51:61])
            return Frame(camera_id, stream, seq, ring.captured_at_of(name), (folder / name).stat().st_mtime, jpeg)
    return None
