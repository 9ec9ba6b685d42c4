"""The process that tells programs what has happened: it collects events into the outbox and sends them to webhooks.

While nobody waits for events it only looks now and then, so that a stream that comes back finds what it missed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import DatabaseError, close_old_connections
from django.utils import timezone

from api import collect, deliver, interest
from api.deliver import Due, Lane
from api.post import Answer, post
from api.watch import Watch
from api.zones import Zones
from cameras import beat
from cameras.locks import locked

logger = logging.getLogger(__name__)

TICK_S = 1.0
IDLE_S = 2.0  # Between two looks whether anybody waits.
COLLECT_S = 0.9  # Between two looks for events while somebody waits, and while nobody does.
COLLECT_IDLE_S = 30.0
CAMERAS_S = 2.0
DEEP_S = 300.0
FORGET_S = 600.0
LOCK = "notify.lock"
BEAT = "notify"
SILENT_S = 15.0  # Without a beat for so long it is not at work.


class Notifier:
    """Blocks; its methods are called one at a time."""

    def __init__(self) -> None:
        Path(settings.RUN_DIR).mkdir(parents=True, exist_ok=True)
        self._watch: Watch | None = None
        self._zones = Zones()
        self._at: dict[str, float] = {}

    def tick(self) -> float:
        """Collects what is due to be collected; returns after how many seconds to come again."""
        close_old_connections()
        try:
            beat.write(BEAT)
            return self._tick(timezone.now())
        except (DatabaseError, OSError):
            self._watch, self._zones = None, Zones()  # What they noticed was perhaps not stored.
            logger.exception("looking for events failed and is tried again")
            return IDLE_S
        finally:
            close_old_connections()

    def _tick(self, now: datetime) -> float:
        is_wanted = interest.is_there()
        if self._is_due("collect", COLLECT_S if is_wanted else COLLECT_IDLE_S):
            after = collect.since(now, is_deep=self._is_due("deep", DEEP_S))
            drafts = [*collect.look(after), *self._zones.look(after)]
            if self._is_due("cameras", CAMERAS_S):
                self._watch = self._watch or Watch()
                drafts += self._watch.look(after)
            collect.store(drafts, now)
        if self._is_due("forget", FORGET_S):
            collect.forget(now)
        return TICK_S if is_wanted else IDLE_S

    def _is_due(self, name: str, every_s: float) -> bool:
        is_due = time.monotonic() - self._at.get(name, -every_s) >= every_s
        if is_due:
            self._at[name] = time.monotonic()
        return is_due

    def due(self, busy: set[Lane]) -> list[Due]:
        try:
            return deliver.due(timezone.now(), busy)
        except DatabaseError:
            logger.exception("looking for deliveries failed and is tried again")
            return []
        finally:
            close_old_connections()

    def settle(self, delivery_id: int, answer: Answer) -> None:
        """A try that cannot be noted is made again: a receiver knows it by its id."""
        try:
            deliver.settle(delivery_id, answer, timezone.now())
        except DatabaseError:
            logger.exception("what became of a delivery could not be noted")
        finally:
            close_old_connections()


async def serve(stop: asyncio.Event) -> None:
    """Until `stop` is set; letters under way are then broken off, and sent again by the next one."""
    notifier = Notifier()
    under_way: dict[asyncio.Task[Answer], Due] = {}
    stopping = asyncio.create_task(stop.wait())
    next_tick = 0.0
    while not stop.is_set():
        if time.monotonic() >= next_tick:
            next_tick = time.monotonic() + await sync_to_async(notifier.tick)()
        for due in await sync_to_async(notifier.due)({due.lane for due in under_way.values()}):
            under_way[asyncio.create_task(post(due.letter))] = due
        wait_s = max(0.05, next_tick - time.monotonic())
        await asyncio.wait({stopping, *under_way}, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
        for task in [task for task in under_way if task.done()]:
            await sync_to_async(notifier.settle)(under_way.pop(task).delivery_id, _answer(task))
    for broken_off in (stopping, *under_way):
        broken_off.cancel()


def _answer(task: asyncio.Task[Answer]) -> Answer:
    if error := task.exception():
        logger.error("a delivery failed for no reason of its receiver's: %r", error)
        return Answer(False, type(error).__name__)
    return task.result()


def is_at_work(now: float) -> bool:
    """Whether the process has lately looked for events; without it nobody is told, and nothing is lost."""
    return beat.is_fresh(BEAT, now, within_s=SILENT_S)


@contextmanager
def alone() -> Iterator[None]:
    """Waits until no other process of this installation notifies."""
    Path(settings.RUN_DIR).mkdir(parents=True, exist_ok=True)
    with locked(Path(settings.RUN_DIR) / LOCK):
        yield
