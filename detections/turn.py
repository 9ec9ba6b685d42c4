"""One camera's turn of a worker: takes its entries in order, and yields to other cameras fairly.

With n cameras waiting the gap between a camera's turns is at most n slices and a frame. A camera that is catching up
after an outage gets at most half of a worker's time while others wait. An idle turn lingers for the next frame, so that
a lone camera's frames meet a warm worker without the way through RQ.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache

import redis
from django.conf import settings
from django.db import DatabaseError

from cameras import bell
from cameras.analysis import Heartbeat
from cameras.entries import Entry, Kind
from detections import pipeline
from detections.pipeline import Camera, Picture

logger = logging.getLogger(__name__)

BATCH = 32
POLL_S = 0.003
LOOK_S = 0.05  # How often a turn that may end asks whether others wait,
IDLE_LOOK_S = 0.015  # and how often a lingering one does.
LONGEST_S = 60.0
CAUGHT_UP_S = 1.0
SHARE_WINDOW_S = 4.0


@dataclass(slots=True)
class Share:
    """How a worker's recent time went, for the rule that catching up takes at most half; old time fades."""

    running_s: float = 0.0
    catching_s: float = 0.0
    running_turns: int = 0  # Since the last turn of a camera that is catching up.

    def spent(self, seconds: float, *, catching_up: bool) -> None:
        fade = max(0.0, 1 - seconds / SHARE_WINDOW_S)
        self.running_s, self.catching_s = self.running_s * fade, self.catching_s * fade
        if catching_up:
            self.catching_s += seconds
        else:
            self.running_s += seconds
        self.running_turns = 0 if catching_up else self.running_turns + 1

    def is_catching_up_due(self, running: int, catching: int) -> bool:
        """Whether the next turn belongs to a camera that is catching up, where so many of both kinds wait.

        A running camera never waits longer than if all took turns, and those catching up get at most half of the time.
        """
        return not running or (self.running_turns * catching >= running and self.catching_s <= self.running_s)


@dataclass(slots=True)
class Worker:
    """What one worker process keeps between turns."""

    heartbeat: Heartbeat = field(default_factory=Heartbeat)
    share: Share = field(default_factory=Share)
    decoder: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "decode"))
    is_stopping: bool = False
    handed_on_at: float = 0.0  # When the last turn ended for others' sake (time.monotonic), else 0.

    def waiting(self) -> tuple[int, int]:
        """How many cameras are rung: running ones, ones catching up. None are when Valkey is out of reach."""
        with suppress(redis.RedisError):
            pipe = bell.connection().pipeline(transaction=False)
            pipe.llen(f"rq:queue:{settings.DRAIN_QUEUE}")
            pipe.llen(f"rq:queue:{settings.CATCH_UP_QUEUE}")
            running, catching = pipe.execute()
            return int(running), int(catching)
        return 0, 0


@cache
def worker() -> Worker:
    return Worker()


@dataclass(frozen=True, slots=True)
class Ahead:
    """The picture of entry n, which is being decoded before its turn."""

    n: int
    picture: Future[Picture]


class Turn:
    """Runs until the log is empty for a while, the slice is over and others wait, or the worker stops."""

    def __init__(self, camera: Camera, host: Worker) -> None:
        self.camera = camera
        self.host = host
        self.started = time.monotonic()
        # Where others were waiting, what lies between two turns is no idleness but a part of what frames cost.
        self.between_s = self.started - host.handed_on_at if host.handed_on_at else 0.0
        self._others_wait = False
        self.idle_s = 0.0
        self.frames = 0
        self._upcoming: deque[Entry] = deque()  # Read from the log and not yet taken; the last one read is _read_n.
        self._read_n = camera.last.n
        self._ahead: Ahead | None = None
        self._looked_at = 0.0
        self._kept_at = 0.0
        self._last_frame_at = self.started

    def run(self) -> None:
        """Raises what the database or the disk raises; the entry it happened at then waits for the next turn."""
        try:
            for entry in self._entries():
                self._take(entry)
                if self._is_over():
                    break
        finally:
            if self._ahead:
                self._ahead.picture.cancel()
        self._close()

    # --- One entry ---

    def _take(self, entry: Entry) -> None:
        if entry.kind is not Kind.ADMITTED:
            pipeline.advance(self.camera, entry)
            return
        self._note_lag(entry)
        try:
            picture = self._picture(entry)
            boxes = pipeline.detect(self.camera, entry, picture)
        except Exception as error:
            self._skip(entry, error)
        else:
            self._decode_next()
            try:
                pipeline.process(self.camera, entry, picture, boxes)
            except (DatabaseError, OSError):
                raise  # The frame is good; it waits for a database or a disk that answers.
            except Exception as error:
                self._skip(entry, error)
        self.frames += 1
        self._last_frame_at = time.monotonic()

    def _skip(self, entry: Entry, error: Exception) -> None:
        logger.error("camera %d: frame %d of stream %s failed", self.camera.id, entry.seq, entry.stream, exc_info=error)
        pipeline.skip(self.camera, entry)

    def _note_lag(self, entry: Entry) -> None:
        """A camera far behind is catching up, until its backlog is under a second."""
        backlog_s = time.time() - entry.received_at
        catching_up = backlog_s > (CAUGHT_UP_S if self.camera.last.catching_up else settings.MAX_LAG_S)
        if catching_up != self.camera.last.catching_up:
            logger.info("camera %d: %s", self.camera.id, "catching up" if catching_up else "caught up")
            self.camera.last = replace(self.camera.last, catching_up=catching_up)

    # --- The order of entries ---

    def _entries(self) -> Iterator[Entry]:
        """The log's entries in order."""
        while self._read() or self._linger():
            while self._upcoming:
                yield self._upcoming.popleft()

    def _read(self) -> bool:
        """Whether there are entries to be taken."""
        if not self._upcoming:
            self._upcoming.extend(self.camera.spool.after(self._read_n, limit=BATCH))
        if self._upcoming:
            self._read_n = self._upcoming[-1].n
        return bool(self._upcoming)

    def _picture(self, entry: Entry) -> Picture:
        ahead, self._ahead = self._ahead, None
        if ahead and ahead.n == entry.n:
            return ahead.picture.result()
        return pipeline.decode(self.camera.spool, entry, self.camera.detector)

    def _decode_next(self) -> None:
        """Has the next picture decoded while this one takes effect: the model, which takes every core, rests then."""
        self._read()
        following = next((entry for entry in self._upcoming if entry.kind is Kind.ADMITTED), None)
        if following:
            picture = self.host.decoder.submit(pipeline.decode, self.camera.spool, following, self.camera.detector)
            self._ahead = Ahead(following.n, picture)
            time.sleep(0)  # Lets go of the interpreter's lock: decoding begins at once.

    def _linger(self) -> bool:
        """Waits for the next entry; whether there is one."""
        began = time.monotonic()
        try:
            while time.monotonic() - self._last_frame_at < settings.LINGER_S:
                if self.camera.spool.last_n() > self._read_n:
                    return True
                if self._is_over(idle=True):
                    break
                time.sleep(POLL_S)
            return False
        finally:
            self.idle_s += time.monotonic() - began

    # --- The end of the turn ---

    def _is_over(self, *, idle: bool = False) -> bool:
        now = time.monotonic()
        self._keep_bell(now)
        if self.host.is_stopping or now - self.started > LONGEST_S:
            return True
        busy_s = now - self.started - self.idle_s
        slice_is_over = idle or busy_s >= settings.SLICE_S
        look_s = IDLE_LOOK_S if idle else LOOK_S
        if not (slice_is_over or self.camera.last.catching_up) or now - self._looked_at < look_s:
            return False
        self._looked_at = now
        running, catching = self.host.waiting()
        self._others_wait = bool(running or catching)
        if self.camera.last.catching_up and running:
            return slice_is_over or self.host.share.catching_s + busy_s > self.host.share.running_s
        return slice_is_over and self._others_wait

    def _keep_bell(self, now: float) -> None:
        if now - self._kept_at > bell.FLAG_S / 3:
            self._kept_at = now
            with suppress(redis.RedisError):
                bell.keep(self.camera.id)

    def _close(self) -> None:
        busy_s = time.monotonic() - self.started - self.idle_s
        self.host.share.spent(busy_s, catching_up=self.camera.last.catching_up)
        pipeline.rest(self.camera)
        self.host.heartbeat.measured(busy_s + self.between_s, self.frames)
        self.host.handed_on_at = time.monotonic() if self._others_wait else 0.0
