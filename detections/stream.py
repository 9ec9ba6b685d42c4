"""Annotated pictures for any number of viewers: every frame is drawn and encoded once per size, in threads of its own.

There is one hub per event loop, in it one channel per camera that somebody watches, and in that one rendering per size.
A viewer always gets the newest picture next: a slow one skips, and nobody waits for it. Views of `pictures` come here.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import Error as DatabaseFault

from accounts.notices import RIGHTS_CHANGED, camera_group, user_group
from cameras import live
from cameras.frames import Frame
from cameras.sockets import Groups, until_first_ends
from detections import metrics
from detections.marks import Size
from detections.scenes import BOXES_WAIT_S, Scene, Scenes
from detections.sight import Look, Plate, Shown, draw, look

logger = logging.getLogger(__name__)

MOST_SIZES = 3  # Of one camera at once.
MOST_VIEWERS = 1_000  # Of one process.
PLATE_EVERY_S = 3.0  # A silent camera's viewer hears that the line still stands.
LINGER_S = 5.0  # A camera's frames are followed so long after the last viewer; who asks again soon does not wait.
START_S = 20.0  # A viewer that was let in and never began to read gives its place back.
LOOK_S = 10.0  # For whoever wants a single picture, until it is known whether there is one;
GLIMPSE_S = BOXES_WAIT_S + 0.2  # and then for a newer one with its boxes.
THREADS = min(4, os.cpu_count() or 1)

BOUNDARY = "omil-picture"
OPENING = f"--{BOUNDARY}\r\n".encode()


class Full(Exception):
    """There is no room for this viewer now; the text says why."""


@cache
def pencils() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, thread_name_prefix="draw")


def part_of(jpeg: bytes) -> bytes:
    """One part of the stream. It ends with the next boundary: browsers show a picture only when they have seen it."""
    return b"Content-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%b\r\n%b" % (len(jpeg), jpeg, OPENING)


@dataclass(slots=True, eq=False)
class Viewer:
    """One reader of one rendering. `prove`, which blocks, says whether it may still see the camera."""

    channel: Channel
    rendering: Rendering
    user_id: int
    prove: Callable[[], bool]
    news: asyncio.Event = field(default_factory=asyncio.Event)
    recheck: asyncio.Event = field(default_factory=asyncio.Event)
    is_over: bool = False
    is_reading: bool = False

    async def parts(self) -> AsyncGenerator[bytes]:
        """The stream's body; while one part is under way newer ones replace each other."""
        self.is_reading = True
        proving = asyncio.create_task(self._prove())
        metrics.STREAMS.inc()
        try:
            yield OPENING
            seen = 0
            while not self.is_over:
                self.news.clear()
                if self.rendering.n == seen or not self.rendering.part:
                    await self.news.wait()
                    continue
                seen = self.rendering.n
                yield self.rendering.part
        finally:
            metrics.STREAMS.dec()
            proving.cancel()
            self.channel.leave(self)

    def end(self) -> None:
        self.is_over = True
        self.news.set()

    async def _prove(self) -> None:
        """On a timer and when told that rights have changed, as the sockets do."""
        while not self.is_over:
            with suppress(TimeoutError):
                async with asyncio.timeout(settings.SOCKET_RECHECK_S):
                    await self.recheck.wait()
            self.recheck.clear()
            try:
                if not await sync_to_async(self.prove)():
                    self.end()
            except DatabaseFault as error:  # Pictures go on without a database; the next look will tell.
                logger.warning("user %d: rights could not be looked at: %s", self.user_id, error)


class Rendering:
    """One camera in one size: draws the newest of what is shown, one at a time."""

    def __init__(self, camera_id: int, size_wh: Size) -> None:
        self.camera_id = camera_id
        self.size_wh = size_wh
        self.viewers: set[Viewer] = set()
        self.n = 0
        self.part = b""
        self._wanted: Shown | None = None
        self._drawn: Shown | None = None
        self._epoch = 0
        self._poked = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    def show(self, shown: Shown) -> None:
        self._wanted = shown
        self._poked.set()

    def forget(self) -> None:
        """Shows nothing of before to anybody any more, what is being drawn included."""
        self._epoch += 1
        self._wanted = self._drawn = None
        self.part = b""

    def close(self) -> None:
        self._task.cancel()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._poked.wait()
            self._poked.clear()
            wanted = self._wanted
            if wanted is None:
                continue
            if wanted != self._drawn:  # A plate that stays the same is sent again as it is.
                epoch = self._epoch
                try:
                    jpeg = await loop.run_in_executor(pencils(), draw, wanted, self.size_wh)
                except Exception as error:  # One bad picture must not end the stream of all.
                    logger.warning("camera %d: a picture could not be drawn: %s", self.camera_id, error)
                    continue
                metrics.DRAWN.labels(self.camera_id).inc()
                if epoch != self._epoch:
                    continue
                self.part, self._drawn = part_of(jpeg), wanted
            self.n += 1
            for viewer in self.viewers:
                viewer.news.set()


class Channel:
    """One camera that somebody watches: its frames with their boxes, or the plate that says that there are none."""

    def __init__(self, camera_id: int, on_end: Callable[[Channel], None]) -> None:
        self.camera_id = camera_id
        self.renderings: dict[Size, Rendering] = {}
        self.viewers: set[Viewer] = set()
        self._shown: Shown | None = None
        self._is_paired = False  # Frames come, with their boxes or without any.
        self._is_changed = False
        self._seen: Look | None = None
        self._name = ""
        self._heard = asyncio.Event()
        self._news = asyncio.Event()
        self._looked = asyncio.Event()
        self._scenes = Scenes(camera_id, self._offered)
        self._groups = Groups(self._told)
        self._on_end = on_end
        self._linger: asyncio.TimerHandle | None = None
        # In a context of its own: that of the first viewer's request ends with the request, and its thread with it.
        self._task = asyncio.create_task(self._run(), context=Context())

    # --- Viewers ---

    def join(self, size_wh: Size, user_id: int, prove: Callable[[], bool]) -> Viewer:
        """Raises Full."""
        if size_wh not in self.renderings:
            if len(self.renderings) >= MOST_SIZES:
                taken = ", ".join(f"{width}x{height}" for width, height in sorted(self.renderings))
                raise Full(f"This camera is being shown in {MOST_SIZES} sizes already: {taken}.")
            self.renderings[size_wh] = Rendering(self.camera_id, size_wh)
            if self._shown:
                self.renderings[size_wh].show(self._shown)
        rendering = self.renderings[size_wh]
        viewer = Viewer(self, rendering, user_id, prove)
        rendering.viewers.add(viewer)
        self.viewers.add(viewer)
        self._listen()
        asyncio.get_running_loop().call_later(START_S, self._expect, viewer)
        return viewer

    def leave(self, viewer: Viewer) -> None:
        viewer.end()
        self.viewers.discard(viewer)
        viewer.rendering.viewers.discard(viewer)
        if not viewer.rendering.viewers and self.renderings.get(viewer.rendering.size_wh) is viewer.rendering:
            del self.renderings[viewer.rendering.size_wh]
            viewer.rendering.close()
        self._listen()
        self.rest()

    def rest(self) -> None:
        """Ends the channel after a while, unless somebody watches then."""
        if self._linger:
            self._linger.cancel()
        self._linger = asyncio.get_running_loop().call_later(LINGER_S, self._end_if_unwatched)

    def _expect(self, viewer: Viewer) -> None:
        if not viewer.is_reading:
            self.leave(viewer)

    def _end_if_unwatched(self) -> None:
        if not self.viewers:
            self._on_end(self)  # At once, so that nobody joins what is about to end.
            self._task.cancel()

    def _listen(self) -> None:
        self._groups.set({camera_group(self.camera_id), *(user_group(viewer.user_id) for viewer in self.viewers)})

    # --- Frames ---

    async def _run(self) -> None:
        live.subscribe(self.camera_id, self._pictured)
        self._listen()
        try:
            await until_first_ends(self._groups.listen(), self._mind_silence())
        finally:
            live.unsubscribe(self.camera_id, self._pictured)
            self._scenes.close()
            self._on_end(self)
            for viewer in list(self.viewers):
                viewer.end()
            for rendering in self.renderings.values():
                rendering.close()

    def _pictured(self, frame: Frame, admitted: bool) -> None:
        self._heard.set()
        self._scenes.pictured(frame, admitted)

    async def _told(self, message: dict[str, Any]) -> None:
        if message["type"] == "camera.frame":
            self._scenes.told(message)
        elif message["type"] == RIGHTS_CHANGED:
            self._forget()
            for viewer in self.viewers:
                viewer.recheck.set()

    def _forget(self) -> None:
        """The camera may have another name now, or a mask: pictures from before are let go of."""
        self._is_changed = True
        self._scenes.close()
        self._shown, self._is_paired = None, False
        for rendering in self.renderings.values():
            rendering.forget()

    def _offered(self, scene: Scene) -> None:
        self._is_paired = True
        self._show(replace(scene, name=self._name))

    def _show(self, shown: Shown) -> None:
        self._shown = shown
        for rendering in self.renderings.values():
            rendering.show(shown)
        self._news.set()

    async def glimpse(self) -> Scene | None:
        """What is shown now; who is the first to ask waits a moment for a frame with its boxes."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):
                await self._looked.wait()
            async with asyncio.timeout(GLIMPSE_S):
                while not (self._is_paired or isinstance(self._shown, Plate)):
                    self._news.clear()
                    await self._news.wait()
        return self._shown if isinstance(self._shown, Scene) else None

    # --- Silence ---

    async def _mind_silence(self) -> None:
        """Shows the newest picture at once; whenever none has come for too long, since when there is none."""
        seen = await self._look()
        wait_s = 0.0
        if seen and (seen.newest or self._shown):
            wait_s = seen.silent_s
            if seen.newest and self._shown is None:
                self._show(Scene(seen.newest, name=self._name))
        self._looked.set()
        while seen:
            if await self._hears_within(wait_s):
                if self._is_changed:
                    seen = await self._look()
                wait_s = seen.silent_s if seen else 0.0
                continue
            seen = await self._look()
            if seen and not self._heard.is_set():
                self._show(seen.plate)
                wait_s = PLATE_EVERY_S

    async def _hears_within(self, wait_s: float) -> bool:
        if not self._heard.is_set():
            with suppress(TimeoutError):  # Not wait_for: before Python 3.12 it may take a cancellation for an answer.
                async with asyncio.timeout(wait_s):
                    await self._heard.wait()
        is_heard = self._heard.is_set()
        self._heard.clear()
        return is_heard

    async def _look(self) -> Look | None:
        """None when the camera is no more. While the database is out of reach, what was seen last."""
        self._is_changed = False
        try:
            self._seen = await sync_to_async(look)(self.camera_id)
        except DatabaseFault as error:
            logger.warning("camera %d: it could not be looked at: %s", self.camera_id, error)
        if self._seen:
            self._name = self._seen.name
        return self._seen


class Hub:
    """The channels of one event loop."""

    def __init__(self) -> None:
        self._channels: dict[int, Channel] = {}

    def join(self, camera_id: int, size_wh: Size, *, user_id: int, prove: Callable[[], bool]) -> Viewer:
        """Raises Full."""
        if sum(len(channel.viewers) for channel in self._channels.values()) >= MOST_VIEWERS:
            raise Full(f"{MOST_VIEWERS} streams are open already.")
        return self._channel(camera_id).join(size_wh, user_id, prove)

    async def glimpse(self, camera_id: int) -> Scene | None:
        """The camera's newest picture with the people in it, unless it is silent."""
        channel = self._channel(camera_id)
        channel.rest()
        return await channel.glimpse()

    def _channel(self, camera_id: int) -> Channel:
        if camera_id not in self._channels:
            self._channels[camera_id] = Channel(camera_id, self._ended)
        return self._channels[camera_id]

    def _ended(self, channel: Channel) -> None:
        if self._channels.get(channel.camera_id) is channel:
            del self._channels[channel.camera_id]


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def hub() -> Hub:
    """This event loop's own; the web process has one."""
    return _hubs.setdefault(asyncio.get_running_loop(), Hub())
