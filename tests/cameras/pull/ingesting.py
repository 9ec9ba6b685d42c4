"""An ingest whose cameras are servers of the tests' own, and what it published."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from cameras.frames import Frame
from cameras.pull import problems
from cameras.pull.feed import Wanted
from cameras.pull.ingest import Ingest
from cameras.pull.problems import Standing
from tests.fakes import numbered_picture

PICTURES = [numbered_picture(number) for number in range(64)]
FPS = 10


class Pulled:
    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.ingest = Ingest(lambda frame, _admitted: self.frames.append(frame), lambda *_packets: None)

    async def follow(self, *wanted: Wanted) -> None:
        await self.ingest.follow({each.camera_id: each for each in wanted})

    @asynccontextmanager
    async def running(self, *wanted: Wanted) -> AsyncIterator[None]:
        """As the process does it, from its start to its end."""
        task = asyncio.create_task(self.ingest.run(lambda: {each.camera_id: each for each in wanted}))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def of(self, camera_id: int, since: float = 0.0) -> list[Frame]:
        return [frame for frame in self.frames if frame.camera_id == camera_id and frame.received_at >= since]

    async def until(self, holds: Callable[[], bool], timeout_s: float = 12) -> None:
        async with asyncio.timeout(timeout_s):
            while not holds():
                await asyncio.sleep(0.02)

    async def until_pictures(self, camera_id: int, count: int = 3) -> None:
        began_at = time.time()
        await self.until(lambda: len(self.of(camera_id, began_at)) >= count)

    async def until_fault(self, camera_id: int, code: str) -> Standing:
        await self.until(lambda: self.standing(camera_id).code == code)
        return self.standing(camera_id)

    def standing(self, camera_id: int) -> Standing:
        return problems.read(camera_id) or Standing("", "", "", 0)


def wanted(camera_id: int, source: str, **changes: object) -> Wanted:
    return Wanted(**{"camera_id": camera_id, "slug": f"c{camera_id}", "source": source, "fps": FPS, **changes})  # type: ignore[arg-type]
