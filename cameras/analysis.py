"""Whether analysis is at work on this node: heartbeats of the workers, and whether Valkey can be reached.

Workers beat through `Heartbeat`; the receiving process reads through `Monitor`, off its event loop.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import redis
from django.conf import settings

logger = logging.getLogger(__name__)

FOLDER = "analysis"
DEFAULT_FRAME_S = 0.05  # What a frame costs a worker until one has been measured.


@dataclass(frozen=True, slots=True)
class Beat:
    """One worker's last heartbeat; `frame_s` is what a frame lately cost it, its turn's overhead included."""

    pid: int
    at: float
    frame_s: float


@dataclass(frozen=True, slots=True)
class AnalysisState:
    """`frame_s` is the mean time between two analysed frames of this node's workers together at full load."""

    is_down: bool
    workers: int
    frame_s: float


class Heartbeat:
    """Beats for this worker process in a thread of its own, so that a long inference does not look like a death."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or settings.RUN_DIR / FOLDER
        self.folder.mkdir(parents=True, exist_ok=True)
        self.frame_s = DEFAULT_FRAME_S
        self._path = self.folder / f"{os.getpid()}.json"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        self._path.unlink(missing_ok=True)

    def measured(self, seconds: float, frames: int) -> None:
        """Takes in what the last turn cost; an average, so that one odd frame does not shut the door."""
        if frames:
            weight = 1 - 0.85**frames
            self.frame_s += weight * (seconds / frames - self.frame_s)

    def _beat(self) -> None:
        fresh = self._path.with_suffix(".tmp")
        while True:
            with suppress(OSError):
                fresh.write_text(json.dumps({"pid": os.getpid(), "at": time.time(), "frame_s": self.frame_s}))
                fresh.replace(self._path)
            if self._stop.wait(settings.HEARTBEAT_S):
                return


def beats(folder: Path | None = None) -> list[Beat]:
    """The heartbeats of the last second; older files are of dead workers and are removed after a minute."""
    now = time.time()
    alive = []
    for path in (folder or settings.RUN_DIR / FOLDER).glob("*.json"):
        with suppress(OSError, ValueError, KeyError, TypeError):
            raw = json.loads(path.read_text())
            beat = Beat(int(raw["pid"]), float(raw["at"]), float(raw["frame_s"]))
            if now - beat.at <= 4 * settings.HEARTBEAT_S:
                alive.append(beat)
            elif now - beat.at > 60:
                path.unlink(missing_ok=True)
    return alive


def look(connection: redis.Redis) -> AnalysisState:
    workers = beats()
    try:
        reachable = bool(connection.ping())
    except redis.RedisError:
        reachable = False
    rate = sum(1 / max(beat.frame_s, 1e-3) for beat in workers)
    return AnalysisState(not (workers and reachable), len(workers), 1 / rate if rate else DEFAULT_FRAME_S)


class Monitor:
    """Looks four times a second in a thread; `state` is what it last saw. One per receiving process."""

    def __init__(self) -> None:
        self.state = AnalysisState(is_down=True, workers=0, frame_s=DEFAULT_FRAME_S)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        if self._thread is None:
            self.state = look(self._connection())
            self._thread = threading.Thread(target=self._watch, name="analysis-monitor", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread:
            self._thread.join()

    @staticmethod
    def _connection() -> redis.Redis:
        return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=0.5, socket_connect_timeout=0.5)

    def _watch(self) -> None:
        connection = self._connection()
        while not self._stop.wait(settings.HEARTBEAT_S):
            before, self.state = self.state, look(connection)
            if before.is_down != self.state.is_down:
                logger.warning("analysis is %s", "down" if self.state.is_down else "running")
