"""Pulls the cameras that have an address: one feed for each, made, changed and ended as the cameras' rows say."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import Error as DatabaseFault
from django.db import close_old_connections

from cameras import metrics, relay
from cameras.models import Camera, Kind
from cameras.node import receiver
from cameras.pull import problems
from cameras.pull.feed import Feed, Publish, TakePackets, Wanted
from cameras.pull.keeper import Keeper
from cameras.pull.problems import Standing

logger = logging.getLogger(__name__)

LOOK_S = 2.0


def wanted() -> dict[int, Wanted]:
    """The cameras to pull. Blocks; reads the database."""
    close_old_connections()
    try:
        cameras = Camera.objects.filter(kind=Kind.PULL, is_enabled=True)
        return {camera.pk: _wanted(camera) for camera in cameras}
    finally:
        close_old_connections()


def _wanted(camera: Camera) -> Wanted:
    return Wanted(camera.pk, camera.slug, camera.source, camera.target_fps_used, camera.masks())


class Ingest:
    """All feeds of this process."""

    def __init__(self, publish: Publish, take_packets: TakePackets) -> None:
        self._publish = publish
        self._take_packets = take_packets
        self.feeds: dict[int, Feed] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._before: dict[int, Standing] = {}  # How the cameras did that an earlier ingest pulled.

    async def run(self, load: Callable[[], dict[int, Wanted]] = wanted) -> None:
        """Until it is cancelled; then every reader has ended."""
        self._before = problems.take_all()
        try:
            while True:
                try:
                    await self.follow(await sync_to_async(load)())
                    self._before.clear()  # Of cameras that are pulled later it tells nothing.
                except DatabaseFault as error:  # What is pulled goes on; the next look will tell.
                    logger.warning("the cameras could not be looked at: %s", error)
                await asyncio.sleep(LOOK_S)
        finally:
            await asyncio.gather(*[self._end(camera_id) for camera_id in list(self.feeds)])

    async def follow(self, cameras: dict[int, Wanted]) -> None:
        """Starts, changes and ends feeds until they are as wanted."""
        gone = [pk for pk in self.feeds if pk not in cameras or not self.feeds[pk].wanted.is_same_source(cameras[pk])]
        await asyncio.gather(*[self._end(camera_id) for camera_id in gone])
        for camera_id in gone:
            problems.forget(camera_id)
        for camera_id, camera in cameras.items():
            if camera_id not in self.feeds:
                self._start(camera)
            elif self.feeds[camera_id].wanted != camera:
                self.feeds[camera_id].set_rate(camera)
        for camera_id, task in list(self._tasks.items()):
            if task.done():  # A mistake in the feed itself: the next look starts it anew.
                logger.error("camera %d: its feed failed", camera_id, exc_info=task.exception())
                await self._end(camera_id)
        metrics.PULLED.set(sum(feed.standing.state == "pictures" for feed in self.feeds.values()))

    def _start(self, camera: Wanted) -> None:
        receiver().start()
        feed = Feed(camera, self._publish, self._take_packets, self._before.pop(camera.camera_id, None))
        self.feeds[camera.camera_id] = feed
        self._tasks[camera.camera_id] = asyncio.create_task(feed.run(), name=f"pull-{camera.camera_id}")

    async def _end(self, camera_id: int) -> None:
        task = self._tasks.pop(camera_id)
        self.feeds.pop(camera_id)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def run(stop: asyncio.Event) -> None:
    """The process, until `stop`."""
    teller = relay.Teller(settings.REDIS_URL)
    telling = asyncio.create_task(teller.run())

    keeper = Keeper()
    pulling = asyncio.create_task(Ingest(teller.tell, keeper.take).run())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({pulling, stopping}, return_when=asyncio.FIRST_COMPLETED)
    for task in (pulling, telling, stopping):
        task.cancel()
    results = await asyncio.gather(pulling, telling, stopping, return_exceptions=True)
    keeper.close()
    if isinstance(results[0], Exception):
        raise results[0]
