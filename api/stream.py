"""Events as a stream (server-sent events): from the outbox, so that whoever comes back goes on where it was.

A reader that takes nothing is waited for (omil/server) and read for no further: the outbox is its queue. All streams of
this process share one look at the outbox, and each proves its rights again on a timer.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

import redis
from django.conf import settings
from django.db import DatabaseError, close_old_connections
from django.db.models import Max
from django.http import StreamingHttpResponse

from accounts.gatekeeper import user_of
from api import interest
from api.access import Caller
from api.messages import body_of
from api.models import Event
from cameras import tokens

logger = logging.getLogger(__name__)

LOOK_S = 0.5
HEARTBEAT_S = 15.0
BATCH = 100  # Read at once.
CHUNK_BYTES = 16_384  # Sent at once, or a little more: what a reader that takes nothing costs.
MOST_STREAMS = 200  # Of this process; each holds a socket and next to nothing else.
MOST_OF_ONE = 10  # Of one user.
RETRY_MS = 3_000
ENDED = "The session or the token has ended."
SHOWN_EVERY_S = interest.HOLDS_S / 3

P = ParamSpec("P")
R = TypeVar("R")


@cache
def _threads() -> ThreadPoolExecutor:
    """Few and its own: streams must not take the threads of pages and frames."""
    return ThreadPoolExecutor(2, thread_name_prefix="events")


async def in_thread(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """With database connections that are not kept."""

    def call() -> R:
        try:
            return function(*args, **kwargs)
        finally:
            close_old_connections()

    return await asyncio.get_running_loop().run_in_executor(_threads(), call)


def head() -> int:
    """The newest event's place in the outbox."""
    return Event.objects.aggregate(seq=Max("seq"))["seq"] or 0


class Feed:
    """Looks at the outbox for all streams of this process, as long as there are any."""

    def __init__(self) -> None:
        self.seq = 0
        self.open: Counter[int] = Counter()  # Streams by user.
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def enter(self, user_id: int) -> None:
        self.open[user_id] += 1
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._look())

    def leave(self, user_id: int) -> None:
        self.open[user_id] -= 1
        self.open += Counter()  # Drops what has come to nothing.
        if not self.open and self._task:
            self._task.cancel()
            self._task = None

    async def beyond(self, seq: int, timeout_s: float) -> int:
        """The newest place, when there is one beyond `seq` or the time is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self.seq <= seq:
                    await self._changed.wait()
        return self.seq

    async def _look(self) -> None:
        shown_at = 0.0
        while True:
            try:
                if time.monotonic() - shown_at >= SHOWN_EVERY_S:
                    shown_at = time.monotonic()
                    await in_thread(interest.show)
                seq = await in_thread(head)
                if seq != self.seq:
                    self.seq = seq
                    self._changed.set()
                    self._changed = asyncio.Event()
            except (DatabaseError, redis.RedisError) as error:
                logger.warning("the outbox could not be looked at: %s", error)
            await asyncio.sleep(LOOK_S)


_feeds: dict[asyncio.AbstractEventLoop, Feed] = {}


def feed() -> Feed:
    """The one of this process's event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _feeds:
        for old in [each for each in _feeds if each.is_closed()]:
            del _feeds[old]
        _feeds[loop] = Feed()
    return _feeds[loop]


@dataclass(slots=True)
class Reader:
    """One open stream: what it wants, whose it is, and how far it has been told."""

    scope: dict[str, Any]
    caller: Caller
    types: frozenset[str]
    cameras: frozenset[str]
    seq: int
    is_lost: bool = False  # It named a place that is not in the outbox any more.
    is_following: bool = True
    user_id: int = field(init=False)

    def __post_init__(self) -> None:
        self.user_id = self.caller.user.pk

    def prove(self) -> bool:
        """Whether the session or the token still holds. Blocks."""
        grant = self.caller.grant
        if grant:
            found = tokens.renewed(grant)
            self.caller = replace(self.caller, user=found.user, grant=found) if found else self.caller
            return found is not None
        user = user_of(self.scope)
        self.caller = replace(self.caller, user=user) if user else self.caller
        return user is not None and user.pk == self.user_id

    def next(self, head: int) -> list[Event]:
        """What follows, of the cameras that may be watched now. Blocks."""
        cameras = self.caller.watched()
        if self.cameras:
            cameras = cameras.filter(slug__in=self.cameras)
        events = Event.objects.filter(seq__gt=self.seq, seq__lte=head, camera__in=cameras).order_by("seq")
        if self.types:
            events = events.filter(type__in=self.types)
        found = list(events.select_related("camera")[:BATCH])
        if not found:
            self.seq = max(head, self.seq)
        return found


def place_of(last_event_id: str) -> int | None:
    """Where in the outbox this event is; None where it is not."""
    try:
        key = UUID(last_event_id)
    except ValueError:
        return None
    return Event.objects.filter(key=key).values_list("seq", flat=True).first()


async def told(reader: Reader) -> AsyncGenerator[bytes, None]:
    """The stream's bytes."""
    yield f"retry: {RETRY_MS}\n\n".encode()
    if reader.is_lost:
        yield _written("reset", {"detail": "What came after that event is not known any more: look at the lists."})
    feed().enter(reader.user_id)
    try:
        async for chunk in _follow(reader) if reader.is_following else _catch_up(reader):
            yield chunk
    finally:
        feed().leave(reader.user_id)


async def _catch_up(reader: Reader) -> AsyncIterator[bytes]:
    """What there is now; who takes it slowly proves their rights again before each batch."""
    newest = await in_thread(head)
    while events := await in_thread(reader.next, newest):
        for chunk in _chunks(reader, events):
            yield chunk
        if not await in_thread(reader.prove):
            yield _written("end", {"detail": ENDED})
            return


def _chunks(reader: Reader, events: list[Event]) -> Iterator[bytes]:
    """As many at once as make a packet or a few; with each chunk the reader is so much further."""
    blocks: list[bytes] = []
    for event in events:
        blocks.append(_written(event.type, body_of(event), str(event.key)))
        if event is events[-1] or sum(map(len, blocks)) >= CHUNK_BYTES:
            reader.seq = event.seq
            yield b"".join(blocks)
            blocks = []


async def _follow(reader: Reader) -> AsyncIterator[bytes]:
    proved_at = sent_at = time.monotonic()
    while True:
        newest = await feed().beyond(reader.seq, min(settings.SOCKET_RECHECK_S, HEARTBEAT_S))
        try:
            if time.monotonic() - proved_at >= settings.SOCKET_RECHECK_S:
                if not await in_thread(reader.prove):
                    yield _written("end", {"detail": ENDED})
                    return
                proved_at = time.monotonic()
            events = await in_thread(reader.next, newest) if newest > reader.seq else []
        except DatabaseError as error:  # Nothing is told meanwhile, and nothing is lost.
            logger.warning("user %d: events could not be read: %s", reader.user_id, error)
            await asyncio.sleep(LOOK_S)
            continue
        for chunk in _chunks(reader, events):
            yield chunk
            sent_at = time.monotonic()
            if sent_at - proved_at >= settings.SOCKET_RECHECK_S:
                break  # A slow reader, whose rights may have gone meanwhile; the rest is looked up again.
        if time.monotonic() - sent_at >= HEARTBEAT_S:
            sent_at = time.monotonic()
            yield b": \n\n"


def _written(name: str, body: dict[str, Any], id_: str = "") -> bytes:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return f"{f'id: {id_}{chr(10)}' if id_ else ''}event: {name}\ndata: {text}\n\n".encode()


class EventResponse(StreamingHttpResponse):
    """The stream as a response; only a server that waits (ASGI) can serve it."""

    def __init__(self, reader: Reader) -> None:
        super().__init__(iter(()), content_type="text/event-stream")
        self._reader = reader
        self["Cache-Control"] = "private, no-store"
        self["X-Accel-Buffering"] = "no"

    def __aiter__(self) -> AsyncGenerator[bytes, None]:
        return told(self._reader)
