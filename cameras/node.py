"""What one receiving process holds for all its cameras: threads, the bell, the watch on analysis, the ticker."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils.module_loading import import_string

from cameras import metrics
from cameras.analysis import AnalysisState, Monitor
from cameras.bell import Ringer
from cameras.entries import Kind
from cameras.finder import Finder
from cameras.frames import Frame

if TYPE_CHECKING:
    from cameras.gate import FindPerson
    from cameras.intake import Intake

logger = logging.getLogger(__name__)

# By dotted name: cameras may not import detections. A test imports it.
PERSON_FINDER = "detections.detector.get_person_finder"
FLUSH_S = 1.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a frame. `is_repeat`: it was judged before and is not counted again."""

    seq: int
    verdict: str
    reason: str
    is_repeat: bool = False
    kept: Frame | None = None  # The frame as it was kept, where masks had to be burnt into it.


class Node:
    """What all cameras of this process share: how much waits in all, and how analysis does."""

    def __init__(
        self,
        state: Callable[[], AnalysisState],
        ring_bell: Callable[..., None],
        find_person: Callable[[], FindPerson | None],
    ) -> None:
        self.state = state
        self.ring_bell = ring_bell
        self.find_person = find_person
        self.intakes: dict[int, Intake] = {}
        self._lock = threading.Lock()
        self._promised = 0  # Frames that may be admitted and are not in the log yet.

    def waiting(self) -> tuple[int, int]:
        """How many frames of how many cameras wait where analysis is neither down nor catching up."""
        counts = [len(intake.waiting) for intake in list(self.intakes.values()) if not intake.is_catching_up]
        return sum(counts) + self._promised, sum(count > 0 for count in counts)

    @contextmanager
    def place(self, overload: Callable[[], str | None]) -> Iterator[str | None]:
        """Holds a place for one frame while it is judged, or says why there is none; forty at once get no more places
        than there are."""
        with self._lock:
            refusal = overload()
            self._promised += refusal is None
        try:
            yield refusal
        finally:
            if refusal is None:
                with self._lock:
                    self._promised -= 1


class Receiver:
    """One per receiving process; started by its first source."""

    def __init__(self) -> None:
        self.monitor = Monitor()
        self.ringer = Ringer()
        self.finder = Finder(lambda: import_string(PERSON_FINDER)(), slots=settings.GATE_THREADS)
        self.node = Node(lambda: self.monitor.state, self.ringer.ring, self.finder.current)
        # More threads than looks at once: a quiet camera's frame must not wait behind those being looked at.
        self.threads = ThreadPoolExecutor(4 * settings.GATE_THREADS, "frames")
        self._locks: dict[int, threading.Lock] = {}
        self._lock = threading.Lock()
        self._ticker: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Called in the event loop by every source that opens."""
        self.monitor.start()
        self.ringer.start()
        self.finder.start()
        if self._ticker is None or self._ticker.done():
            self._ticker = asyncio.get_running_loop().create_task(self._tick())

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_S)
            try:
                await asyncio.get_running_loop().run_in_executor(self.threads, self._flush)
            except Exception:
                logger.exception("the counts of the last second could not be logged")

    def _flush(self) -> None:
        for camera_id, intake in list(self.node.intakes.items()):
            with self._locks[camera_id]:
                intake.flush()

    def intake(self, camera_id: int) -> Intake:
        """The camera's way in, made when it is first needed (it reads the ring and the log). Blocks."""
        with self._lock:
            lock = self._locks.setdefault(camera_id, threading.Lock())
        with lock:
            if camera_id not in self.node.intakes:
                # Here and not above: what starts the web process must not load the vision libraries.
                from cameras.intake import Intake

                self.node.intakes[camera_id] = Intake(camera_id, self.node)
            return self.node.intakes[camera_id]

    def judge(self, frame: Frame, slug: str) -> Answer:
        """In a thread, one frame of a camera at a time. Always answers, and counts; where it fails, "busy"."""
        intake = self.intake(frame.camera_id)
        try:
            with self._locks[frame.camera_id]:
                answer = intake.receive(frame)
        except Exception:
            logger.exception("camera %d: frame %d could not be judged", frame.camera_id, frame.seq)
            intake.count_bad(Kind.BUSY, "internal", now=frame.received_at)
            answer = Answer(frame.seq, "busy", "internal")
        if not answer.is_repeat:
            metrics.FRAMES.labels(slug, answer.verdict, answer.reason).inc()
        return answer


@cache
def receiver() -> Receiver:
    return Receiver()
