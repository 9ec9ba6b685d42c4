"""Rings the drain of a camera through RQ. It only wakes: the work stands in the log, and the lock is elsewhere.

A flag in Valkey says that a drain is rung or at work, so that a camera is not rung for every frame. The drain clears it
after giving up the lock and looks at the log once more; a watchdog rings what was forgotten.
"""

from __future__ import annotations

import logging
import queue
import threading
from functools import cache

import redis
from django.conf import settings
from rq import Queue
from rq.serializers import JSONSerializer

logger = logging.getLogger(__name__)

# By dotted name: cameras may not import detections. A test imports it.
DRAIN_JOB = "detections.jobs.drain"
FLAG_S = 3


@cache
def connection() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1)


def _flag(camera_id: int) -> str:
    return f"omil:{settings.NODE}:rung:{camera_id}"


def ring(camera_id: int, *, catching_up: bool = False, forgotten: bool = False) -> bool:
    """Enqueues the camera's drain unless it is rung already; `forgotten` rings in any case. Raises RedisError."""
    flagged = connection().set(_flag(camera_id), 1, nx=not forgotten, ex=FLAG_S)
    if not flagged:
        return False
    name = settings.CATCH_UP_QUEUE if catching_up else settings.DRAIN_QUEUE
    waiting = Queue(name, connection=connection(), serializer=JSONSerializer)
    # Kept results or failures would be keys without a reader.
    waiting.enqueue(DRAIN_JOB, camera_id, result_ttl=0, failure_ttl=0, job_timeout=settings.JOB_TIMEOUT_S)
    return True


def keep(camera_id: int) -> None:
    """The drain is at work: nobody need ring."""
    connection().set(_flag(camera_id), 1, ex=FLAG_S)


def clear(camera_id: int) -> None:
    connection().delete(_flag(camera_id))


class Ringer:
    """Rings from a thread of its own, so that an unreachable Valkey never delays a frame. One per receiving process."""

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[tuple[int, bool]] = queue.SimpleQueue()
        self._pending: set[int] = set()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="bell", daemon=True)
            self._thread.start()

    def ring(self, camera_id: int, *, catching_up: bool) -> None:
        if camera_id not in self._pending:
            self._pending.add(camera_id)
            self._waiting.put((camera_id, catching_up))

    def _run(self) -> None:
        while True:
            camera_id, catching_up = self._waiting.get()
            self._pending.discard(camera_id)
            try:
                ring(camera_id, catching_up=catching_up)
            except redis.RedisError as error:
                logger.debug("camera %d: the bell did not ring (%s); the watchdog will", camera_id, error)
