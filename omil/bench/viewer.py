"""Counts what analysis publishes, as a web process would receive it."""

from __future__ import annotations

import asyncio
import threading
import time

from channels_redis.pubsub import RedisPubSubChannelLayer

from detections import broadcast
from omil.bench.side import BenchError

LIMIT_S = 5.0


class Viewer:
    """Listens to one camera's group until it is closed."""

    def __init__(self, url: str, camera_id: int) -> None:
        self.received = 0
        self._group = broadcast.group(camera_id)
        self._url = url
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="bench-viewer", daemon=True)
        self._thread.start()
        if not self._ready.wait(LIMIT_S):
            raise BenchError("The channel layer does not answer.")

    def _run(self) -> None:
        self._task = self._loop.create_task(self._listen())
        try:
            self._loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            pass
        finally:
            self._loop.close()

    async def _listen(self) -> None:
        layer = RedisPubSubChannelLayer(hosts=[{"address": self._url, "socket_timeout": None}])
        name = await layer.new_channel()
        await layer.group_add(self._group, name)
        self._ready.set()
        try:
            while True:
                message = await layer.receive(name)
                self.received += message["type"] == "camera.frame"
        finally:
            await layer.flush()

    def wait_for(self, frames: int) -> None:
        """Until so many frames' results have come."""
        deadline = time.monotonic() + LIMIT_S
        while self.received < frames:
            if time.monotonic() > deadline:
                raise BenchError(f"Only {self.received} of {frames} results were published.")
            time.sleep(0.005)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(LIMIT_S)
