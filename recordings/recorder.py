"""The recorder's own loop over all cameras of this node: what to keep, also when analysis or the database is away.

One thread works with files and waits for nobody, one tells database, viewers and media workers, one removes what has
had its time. Nothing is in memory only: killed at any moment, the next process goes on from each camera's checkpoint.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import redis
from django.db import Error, close_old_connections

from cameras import beat, folders
from cameras.ring import captured_at_of
from recordings import bell, keeping, rows, takes
from recordings.cutter import Cutter
from recordings.parts import PART_S
from recordings.rows import CameraRules
from recordings.takes import Take, TakeFolder

logger = logging.getLogger(__name__)

EVERY_S = 0.5
ROW_EVERY_S = 10.0  # How often a clip that only grows is written to the database.
RULES_EVERY_S = 2.0
WATCH_EVERY_S = 5.0
EXPIRE_EVERY_S = 30.0
SILENT_S = 5.0  # Without a beat for so long it is not at work.
BEAT = "recorder"


class Recorder:
    """All cameras of this node. `tick` works with files, `tell` with database and Valkey."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.now = now
        self.cutters: dict[int, Cutter] = {}
        self._rules: dict[int, CameraRules] | None = None
        self._rules_at = self._watched_at = 0.0
        self._rows: dict[str, tuple[Take, float]] = {}  # As last written, and when.
        self._rung: dict[str, float] = {}  # By take: how much was linked when media workers were last woken for it.
        self._failed: dict[int, str] = {}

    def tick(self) -> None:
        """What fails for one camera is logged and does not keep the others from theirs."""
        if self._rules is None:
            return  # Nobody knows yet what is to be recorded; the log waits.
        known = self._rules
        for camera_id in folders.all_ids():
            if camera_id not in known:
                self.cutters.pop(camera_id, None)
                continue
            try:
                camera = self.cutters.get(camera_id) or Cutter(camera_id)
                self.cutters[camera_id] = camera
                camera.tick(known[camera_id], self.now())
                self._failed.pop(camera_id, None)
            except OSError as error:
                if self._failed.get(camera_id) != str(error):  # Once, not twice a second.
                    self._failed[camera_id] = str(error)
                    logger.error("camera %d: the recorder's work failed: %s", camera_id, error)

    # --- Rows and bells ---

    def tell(self) -> None:
        """Raises a database's Error or OSError; what was left undone is done by the next."""
        close_old_connections()
        if self._rules is None or self._is_due(self._rules_at, RULES_EVERY_S):
            self._rules, self._rules_at = rows.read_rules(), self.now()
        problem: Exception | None = None
        for cutter in list(self.cutters.values()):
            try:
                for take, is_over in cutter.confirmed():
                    self._write_row(cutter, take, is_over=is_over)
            except (Error, OSError) as error:  # One camera's trouble is not that of the others.
                problem = error
        if problem:
            raise problem

    def _is_due(self, last: float, every_s: float) -> bool:
        return abs(self.now() - last) >= every_s  # Also after the clock was set back.

    def _write_row(self, cutter: Cutter, take: Take, *, is_over: bool) -> None:
        if not take.last_at:
            if is_over:
                cutter.came_to_nothing(take)
            return
        written, at = self._rows.get(take.id, (None, 0.0))
        if is_over:
            rows.finish(take, first_at=_first_at(take))
            cutter.close(take)
            self._rows.pop(take.id, None)
            self._watched_at = 0.0  # It need not wait for the next watch.
        elif written is None or (take != written and self._is_due(at, ROW_EVERY_S)):
            rows.save(take, first_at=_first_at(take))
            self._rows[take.id] = take, self.now()

    def ring(self) -> None:
        """Wakes the media workers for what is long enough for a part, and now and then for all that is over.

        Raises RedisError or OSError.
        """
        is_watching = self._is_due(self._watched_at, WATCH_EVERY_S)
        rung: dict[str, float] = {}
        for folder in takes.all_takes():
            with suppress(FileNotFoundError, ValueError):
                take = folder.read()
                rung[take.id] = self._rung.get(take.id, take.start)
                is_long_enough = take.is_confirmed and take.linked_until - rung[take.id] >= PART_S
                # Only a look into the folder finds what a lost ring left behind, and thousands may be in it.
                is_forgotten = is_watching and (take.is_over or (take.is_confirmed and _is_part_due(folder, take)))
                if is_long_enough or is_forgotten:
                    bell.ring(take.camera_id, take.id)
                    rung[take.id] = take.linked_until
        self._rung = rung
        if is_watching:
            self._watched_at = self.now()


def _first_at(take: Take) -> float:
    first = takes.folder_of(take.camera_id, take.id).first_name()
    return captured_at_of(first) if first else take.start


def _is_part_due(folder: TakeFolder, take: Take) -> bool:
    first = folder.first_name()
    return bool(first) and take.linked_until - captured_at_of(first) >= PART_S


def run(stop: threading.Event) -> None:
    """Works until it is told to stop."""
    recorder = Recorder()
    others = [
        threading.Thread(target=_repeat, args=(stop, EVERY_S, work), name=name, daemon=True)
        for name, work in (("rows", recorder.tell), ("bell", recorder.ring))
    ]
    others.append(threading.Thread(target=_repeat, args=(stop, EXPIRE_EVERY_S, _expire), name="keeping", daemon=True))
    for thread in others:
        thread.start()
    _repeat(stop, EVERY_S, lambda: _work(recorder))
    for thread in others:
        thread.join(5)


def _work(recorder: Recorder) -> None:
    recorder.tick()
    beat.write(BEAT)


def is_at_work(now: float) -> bool:
    """Whether the recorder process of this node has looked at its cameras within the last seconds."""
    return beat.is_fresh(BEAT, now, within_s=SILENT_S)


def _expire() -> None:
    close_old_connections()
    keeping.expire(time.time())


def _repeat(stop: threading.Event, every_s: float, work: Callable[[], object]) -> None:
    """Does it again and again; what fails is said once, until it works again."""
    failed = ""
    while not stop.is_set():
        began = time.monotonic()
        try:
            work()
            failed = ""
        except Exception as error:  # A thread that ended would be missed by nobody, until clips are.
            if str(error) != failed:
                failed = str(error)
                expected = isinstance(error, Error | OSError | redis.RedisError)
                name = threading.current_thread().name
                logger.error("%s failed and is tried again: %s", name, error, exc_info=not expected)
        stop.wait(max(0.05, every_s - (time.monotonic() - began)))
