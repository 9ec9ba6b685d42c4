"""What happens by the clock and not by a frame: silence, forgotten bells, roll-ups, states, retention.

`Clock.tick` runs every second in a process of its own. It is the only part that turns wall time into log entries.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable
from contextlib import suppress

import redis
from django.conf import settings
from django.db import DatabaseError, close_old_connections
from django.utils.module_loading import import_string

from cameras import analysis, bell, drawing, drawn, folders, masking, presence, ring
from cameras.coverage import RollUp, Tally, stored_at
from cameras.entries import VERDICTS, Entry, Kind
from cameras.models import Camera, CoverageMinute
from cameras.packet_ring import PacketRing
from cameras.presence import Presence
from cameras.ring import Ring
from cameras.spool import SEGMENT, Spool
from detections import broadcast, retention
from detections.snapshot import describe, message_of

logger = logging.getLogger(__name__)

MINUTE_S = 60.0
STALE_LINK_S = 120.0
RETENTION_S = 600.0
SWEEP_S = 3_600.0
RECORDER_S = 60.0  # So long the recorder is told every second that a camera is silent: it ends clips by that.
LONG_LOG = 256  # Entries that nobody asked for are taken in once there are so many.
COUNTS = list(Tally.__slots__)


class Clock:
    """`now` is the wall clock; a test brings its own."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.now = now
        self._watches: dict[int, Watch] = {}
        self._cleaned_at = 0.0
        self._expired_at = self._swept_at = 0.0
        self._said: dict[int, str] = {}

    def tick(self) -> None:
        """One second's work. What fails for one camera is logged and does not keep the others from theirs."""
        close_old_connections()
        cameras = {camera.pk: camera for camera in Camera.objects.all()}
        for camera in cameras.values():
            watch = self._watches.setdefault(camera.pk, Watch(camera.pk))
            try:
                watch.look(self.now(), is_enabled=camera.is_enabled)
                if camera.mask_version:
                    masking.catch_up(camera.pk, camera.mask_version, camera.masks)
                self._roll_up(camera, watch)
            except (OSError, DatabaseError):
                logger.exception("camera %d: the clock's work failed", camera.pk)
        self._tell_states(cameras)
        for name in settings.CLOCK_WORK:
            self._do_others_work(name)
        if self.now() - self._cleaned_at >= MINUTE_S:
            self._cleaned_at = self.now()
            self._clean()

    def _roll_up(self, camera: Camera, watch: Watch) -> None:
        tallies = watch.tallies()
        rows = [
            CoverageMinute(camera=camera, minute=stored_at(minute), **{name: getattr(counts, name) for name in COUNTS})
            for minute, counts in tallies.items()
        ]
        CoverageMinute.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=["camera", "minute"], update_fields=COUNTS
        )
        watch.rolled_up()

    def _tell_states(self, cameras: dict[int, Camera]) -> None:
        """Sends each camera's state when it has changed."""
        state = analysis.look(bell.connection())
        for camera in cameras.values():
            with suppress(OSError):
                message = message_of(camera, describe(camera, state))
                essence = f"{message['status']} {message['people']} {message['name']} {round(message['fps'])}"
                if self._said.get(camera.pk) != essence:
                    self._said[camera.pk] = essence
                    broadcast.status(camera.pk, message)

    def _do_others_work(self, name: str) -> None:
        """What applications above this one do by the clock."""
        try:
            import_string(name)(self.now())
        except (OSError, DatabaseError, redis.RedisError):
            logger.exception("%s failed and is tried again", name)

    def _clean(self) -> None:
        found = folders.all_ids()
        cameras = set(Camera.objects.values_list("pk", flat=True))  # Asked after: a camera is older than its folder.
        zones_of = drawing.drawn_of()
        for camera_id in found:
            if camera_id in cameras:
                drawn.write(camera_id, zones_of.get(camera_id, []))
            else:
                logger.info("camera %d is gone; its pictures and track log are removed", camera_id)
                shutil.rmtree(folders.of(camera_id), ignore_errors=True)
                shutil.rmtree(folders.tracks_of(camera_id), ignore_errors=True)
                self._watches.pop(camera_id, None)
        for watch in self._watches.values():
            watch.clean(self.now())
        if self.now() - self._expired_at >= RETENTION_S:
            self._expired_at = self.now()
            retention.expire(self.now())
        if self.now() - self._swept_at >= SWEEP_S:
            self._swept_at = self.now()
            retention.sweep(self.now())


class Watch:
    """The clock's view of one camera's folder."""

    def __init__(self, camera_id: int) -> None:
        self.camera_id = camera_id
        self.spool = Spool(folders.of(camera_id))
        self.presence: Presence = presence.NOBODY
        self._roll_up = RollUp(self.spool)
        self._rolled_up_n = 0
        self._last_n = 0
        self._heard_at = 0.0
        self._silent_since: float | None = None

    def look(self, now: float, *, is_enabled: bool) -> None:
        self.presence = presence.read(self.spool.folder)
        self._hear()
        if is_enabled or self.presence.open_visits:  # Who was there when it was switched off has to be let go.
            self._note_silence(now)
        self._ring_forgotten()

    def _hear(self) -> None:
        """When the source was last heard."""
        while batch := self.spool.after(self._last_n):
            self._last_n = batch[-1].n
            for entry in batch:
                if entry.kind in VERDICTS or entry.kind is Kind.BUSY:
                    self._heard_at = max(self._heard_at, entry.received_at)

    def _note_silence(self, now: float) -> None:
        """Moves a silent camera's time on: every second for a minute, and for as long as visits are open."""
        self._heard_at = min(self._heard_at, now)  # Else a clock that was set back would leave it heard for that long.
        if not self._heard_at or now - self._heard_at <= settings.SILENT_S:
            self._silent_since = None
            return
        is_new = self._silent_since is None or now - self._heard_at <= RECORDER_S
        if is_new or self.presence.open_visits:
            self._silent_since = self._heard_at
            self.spool.append(Kind.NO_SIGHT, "silent", captured_at=self._heard_at, received_at=now)

    def _ring_forgotten(self) -> None:
        """Rings a log that has work and no owner: a ring that was lost, or an owner that was killed."""
        waiting = self.spool.after(self.presence.n, limit=LONG_LOG)
        if not self._is_work(waiting):
            return
        with self.spool.owned() as is_free:
            if not is_free:
                return
        with suppress(redis.RedisError):
            oldest_s = time.time() - waiting[0].received_at
            # The first second is left to the ring that every frame makes.
            bell.ring(self.camera_id, catching_up=oldest_s > settings.MAX_LAG_S, forgotten=oldest_s > bell.FLAG_S)

    def _is_work(self, waiting: list[Entry]) -> bool:
        if len(waiting) >= LONG_LOG or (waiting and self.presence.open_visits):
            return True
        return any(entry.kind is Kind.ADMITTED for entry in waiting)

    def tallies(self) -> dict[int, Tally]:
        self._rolling_n = self.presence.n
        return self._roll_up.changed(self.presence.n)

    def rolled_up(self) -> None:
        self._rolled_up_n = self._rolling_n

    def clean(self, now: float) -> None:
        """Removes entries that are settled, rolled up and old, and links that no entry names."""
        through_n = 0
        first = self.spool.first_n()
        for n in range(first + SEGMENT - 1, self._rolled_up_n + 1, SEGMENT):
            last = self.spool.entry(n)
            if last is None or now - last.received_at <= settings.LOG_KEPT_S:
                break
            through_n = n
        self.spool.prune(through_n=through_n)
        waiting = {
            ring.name_of(entry.stream, entry.seq, entry.captured_at)
            for entry in self._all_after(self.presence.n)
            if entry.kind is Kind.ADMITTED
        }
        self.spool.sweep(waiting=waiting, older_than=now - STALE_LINK_S)
        if self._heard_at and now - self._heard_at > STALE_LINK_S:  # Its receiver prunes the rings only as frames come.
            Ring(self.spool.folder / "ring", max_bytes=settings.RING_BYTES).prune(older_than=now - STALE_LINK_S)
            PacketRing(self.spool.folder, max_bytes=settings.RING_BYTES).prune(older_than=now - STALE_LINK_S)

    def _all_after(self, n: int) -> list[Entry]:
        found: list[Entry] = []
        while batch := self.spool.after(found[-1].n if found else n):
            found += batch
        return found


def run(stop: Callable[[float], bool]) -> None:
    """Ticks every second until `stop(seconds)`, which waits so long, says so."""
    clock = Clock()
    wait_s = 0.0
    while not stop(wait_s):
        began = time.monotonic()
        try:
            clock.tick()
        except (DatabaseError, OSError):
            logger.exception("a tick of the clock failed")
        wait_s = max(0.1, 1.0 - (time.monotonic() - began))
