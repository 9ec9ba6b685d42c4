"""One camera's way of a frame in: checks, ring, gate, spool. Used by whoever receives the camera, off the event loop.

`receive` is called for one frame at a time and in order; it writes no database and never waits for Valkey.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
import zlib
from collections import Counter, OrderedDict, deque
from dataclasses import dataclass, replace
from pathlib import Path

from django.conf import settings

from cameras import folders, frames, images, presence
from cameras.entries import VERDICTS, Flag, Kind
from cameras.frames import Frame
from cameras.gate import AnalysisView, Gate, Judgement, Reason, Rules
from cameras.images import BadImage
from cameras.masking import Guard
from cameras.node import Answer, Node
from cameras.ring import Ring
from cameras.spool import Spool

logger = logging.getLogger(__name__)

REMEMBERED = 4_096  # Verdicts at most, for frames that are sent again, and streams.
SPACE_EVERY_S = 2.0
CAUGHT_UP_S = 1.0
TURN_S = 0.03  # What going over to another camera costs a worker, which a lone camera's frames do not show.
PLANNED_LAG = 0.2  # Of the greatest lag: what is taken on when analysis runs as fast as it lately did.


@dataclass(slots=True)
class Waiting:
    """An admitted entry that analysis has not settled yet."""

    n: int
    received_at: float
    size: int


class Intake:
    """The state of one camera's way in; rebuilt from disk when the process was killed."""

    def __init__(self, camera_id: int, node: Node) -> None:
        self.camera_id = camera_id
        self.node = node
        self.gate = Gate(gate_rules(), node.find_person())
        self.spool = Spool(folders.of(camera_id))
        self.ring = Ring(self.spool.folder / "ring", max_bytes=settings.RING_BYTES)
        self.guard = Guard(camera_id, self.ring.disk)
        self.presence = presence.read(self.spool.folder)
        self.waiting: deque[Waiting] = deque()
        self.is_catching_up = False
        self._verdicts: OrderedDict[tuple[str, int], tuple[str, float]] = OrderedDict()  # And when it was given.
        self._last_seq: OrderedDict[str, int] = OrderedDict()
        self._tally: Counter[tuple[Kind, str, int]] = Counter()
        self._tally_lock = threading.Lock()  # Counted in the event loop and in threads.
        self._same = (0, 0.0)  # Checksum of the last picture, and since when it has not changed.
        self._space_at = 0.0
        self._has_space = True
        self._recall()

    def _recall(self) -> None:
        """What the log knows: first verdicts, the last frame of each stream, and what waits for analysis."""
        n = 0
        while batch := self.spool.after(n):
            n = batch[-1].n
            for entry in batch:
                if entry.kind in VERDICTS:
                    self._remember(entry.stream, entry.seq, VERDICTS[entry.kind], entry.received_at)
                    if entry.kind is Kind.ADMITTED and entry.n > self.presence.n:
                        self.waiting.append(Waiting(entry.n, entry.received_at, entry.size))
                        self.gate.admitted(entry)
        self.is_catching_up = self.lag_s(time.time()) > settings.MAX_LAG_S

    def _remember(self, stream: str, seq: int, verdict: str, at: float) -> None:
        self._verdicts[stream, seq] = verdict, at
        while len(self._verdicts) > REMEMBERED or self._is_past(next(iter(self._verdicts.values()))[1], at):
            self._verdicts.popitem(last=False)
        self._last_seq[stream] = max(seq, self._last_seq.get(stream, 0))
        self._last_seq.move_to_end(stream)
        while len(self._last_seq) > REMEMBERED:
            self._last_seq.popitem(last=False)

    def _is_past(self, at: float, now: float) -> bool:
        """Whether a frame that came then, sent again now, is too old whatever its verdict was."""
        return now - at > settings.CAPTURED_MAX_AGE_S + settings.CAPTURED_MAX_AHEAD_S

    def last_seq(self, stream: str) -> int:
        """The newest frame of this stream that has a verdict in the log; 0 for a new stream."""
        return self._last_seq.get(stream, 0)

    def lag_s(self, now: float) -> float:
        """The age, from receipt, of the oldest frame that waits."""
        return max(0.0, now - self.waiting[0].received_at) if self.waiting else 0.0

    # --- One frame ---

    def receive(self, frame: Frame) -> Answer:
        """Judges a frame and keeps it as its verdict demands; every way out leaves a reason and a count."""
        if first := self._verdicts.get((frame.stream, frame.seq)):
            return Answer(frame.seq, first[0], "repeated", is_repeat=True)
        now = frame.received_at
        self._look(now)
        if reason := self._refusal(frame):
            return self._count(Kind.INVALID, frame, reason)
        if self.guard.holds(frame):
            return self._take(frame, now)
        try:
            frame = self.guard.burn(frame)
        except BadImage as error:
            return self._count(Kind.INVALID, frame, error.reason)
        return replace(self._take(frame, now), kept=frame)

    def _take(self, frame: Frame, now: float) -> Answer:
        if frame.seq <= self.last_seq(frame.stream):
            return self._count(Kind.BUSY, frame, "late")
        if not self._room_on_disk(now):
            return self._count(Kind.BUSY, frame, "disk_full")
        try:
            return self._keep(frame, now)
        except BadImage as error:
            return self._count(Kind.INVALID, frame, error.reason)
        except OSError as error:
            logger.error("camera %d: a frame could not be kept: %s", self.camera_id, error)
            return self._count(Kind.BUSY, frame, "disk_error")

    def _refusal(self, frame: Frame) -> str | None:
        if reason := frames.check_time(
            frame.captured_at,
            frame.received_at,
            max_age_s=settings.CAPTURED_MAX_AGE_S,
            max_ahead_s=settings.CAPTURED_MAX_AHEAD_S,
        ):
            return reason
        try:
            images.size_of(frame.jpeg, max_pixels=settings.MAX_FRAME_PIXELS)
        except BadImage as error:
            return error.reason
        return None

    def _keep(self, frame: Frame, now: float) -> Answer:
        """Ring first, then the gate, then the log. Raises OSError, and BadImage where the gate finds damage."""
        picture = self.ring.put(frame)
        kept_s = settings.SPOOL_S if self.node.state().is_down else settings.RING_S
        self.ring.prune(older_than=min(now, frame.captured_at) - kept_s)  # A back-filled picture keeps its time, too.
        with self.node.place(lambda: self._overload(now, len(frame.jpeg))) as overload:
            if overload and self.presence.present:  # The gate would only let it pass; that need not be worked out.
                return self._count(Kind.BUSY, frame, overload)
            judgement = self._judge(frame, now, is_full=overload is not None)
            if judgement.admitted and overload:
                return self._count(Kind.BUSY, frame, overload)
            self._log(frame, judgement, picture, now)
        if judgement.admitted or self.presence.open_visits:
            self.node.ring_bell(self.camera_id, catching_up=self.is_catching_up)
        self._remember(frame.stream, frame.seq, judgement.verdict, now)
        return Answer(frame.seq, judgement.verdict, judgement.reason)

    def _judge(self, frame: Frame, now: float, *, is_full: bool) -> Judgement:
        self.gate.find_person = self.node.find_person()
        analysis = AnalysisView(is_down=self.node.state().is_down, is_full=is_full)
        try:
            return self.gate.judge(frame, presence=self.presence, analysis=analysis, now=now)
        except BadImage:
            self.ring.drop(frame)
            raise

    def _log(self, frame: Frame, judgement: Judgement, picture: Path, now: float) -> None:
        flags = self._frozen(frame) | (Flag.SAMPLE if judgement.sample else Flag(0))
        if self.gate.is_obscured(frame.captured_at):
            flags |= Flag.OBSCURED
        if judgement.admitted:
            entry = self.spool.put(frame, Kind.ADMITTED, judgement.reason, flags=flags, picture=picture)
            self.waiting.append(Waiting(entry.n, now, entry.size))
            self.gate.admitted(entry)
        else:
            kind = Kind.NO_MOTION if judgement.reason is Reason.NO_MOTION else Kind.NO_PERSON
            self.spool.put(frame, kind, "", flags=flags)

    def _look(self, now: float) -> None:
        """Reads what analysis has said since the last frame."""
        self.presence = presence.read(self.spool.folder)
        while self.waiting and self.waiting[0].n <= self.presence.n:
            self.waiting.popleft()
        if self.node.state().is_down and self.waiting:
            self.is_catching_up = True
        elif self.is_catching_up and self.lag_s(now) < CAUGHT_UP_S:
            self.is_catching_up = False

    def _overload(self, now: float, size: int) -> str | None:
        """Why another picture cannot be taken on for analysis now, or None."""
        if sum(waiting.size for waiting in self.waiting) + size > settings.SPOOL_BYTES:
            return "spool_full"
        lag_s = self.lag_s(now)
        state = self.node.state()
        if state.is_down or self.is_catching_up:
            return "spool_full" if lag_s > settings.SPOOL_S else None
        if lag_s > settings.MAX_LAG_S:
            return "lag"
        total, cameras = self.node.waiting()
        budget = PLANNED_LAG * settings.MAX_LAG_S / (state.frame_s + (TURN_S if cameras > 1 else 0.0))
        share = budget / max(1, cameras)
        # Each camera may have its share waiting, and at least one frame as long as the whole stays near the budget.
        if total >= budget and (self.waiting or total >= 1.25 * budget):
            return "capacity"
        return "capacity" if len(self.waiting) >= max(1.0, 2 * share) else None

    def _room_on_disk(self, now: float) -> bool:
        if now - self._space_at > SPACE_EVERY_S:
            self._space_at = now
            self._has_space = shutil.disk_usage(self.spool.folder).free >= settings.FREE_SPACE_BYTES
        return self._has_space

    def _frozen(self, frame: Frame) -> Flag:
        """A sensor's noise changes every picture: the same bytes for a while mean that none is behind them."""
        checksum = zlib.crc32(frame.jpeg)
        if checksum != self._same[0]:
            self._same = (checksum, frame.captured_at)
        return Flag.FROZEN if frame.captured_at - self._same[1] >= settings.FROZEN_S else Flag(0)

    # --- Counts of what is not judged ---

    def count_bad(self, kind: Kind, reason: str, *, now: float) -> None:
        """Counts a message that is no frame, or a frame that could not be judged."""
        with self._tally_lock:
            self._tally[kind, reason, int(now)] += 1

    def _count(self, kind: Kind, frame: Frame, reason: str) -> Answer:
        is_timely = reason not in ("too_old", "too_new")
        self.count_bad(kind, reason, now=frame.captured_at if is_timely else frame.received_at)
        return Answer(frame.seq, "busy" if kind is Kind.BUSY else "invalid", reason)

    def flush(self) -> None:
        """Writes the counts of the last second to the log, and looks for other masks.

        Called every second, and never while a frame is judged.
        """
        self.guard.look()
        self._look(time.time())  # A source that has gone must not count as waiting for ever.
        with self._tally_lock:
            tally, self._tally = self._tally, Counter()
        for (kind, reason, second), count in tally.items():
            try:
                self.spool.append(kind, reason, captured_at=second, received_at=time.time(), size=count)
            except OSError as error:
                logger.error("camera %d: counts could not be logged: %s", self.camera_id, error)
                with self._tally_lock:
                    self._tally[kind, reason, second] += count


def gate_rules() -> Rules:
    return Rules(
        confidence=settings.GATE_CONFIDENCE,
        image_px=settings.GATE_IMAGE_SIZE,
        sample_every=settings.GATE_SAMPLE,
        answer_s=settings.GATE_ANSWER_S,
        hold_s=settings.SIGHT_LOST_S,
        obscured_s=settings.OBSCURED_S,
        ignored=settings.GATE_IGNORED,
    )
