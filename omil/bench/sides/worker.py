"""An analysis worker on a real spool: the drain's own turn with everything that it writes and sends."""

from __future__ import annotations

import os
import time
from typing import Any

from django.conf import settings

from accounts.models import Unit
from cameras import connections, folders, heap
from cameras.entries import Kind, Outcome
from cameras.frames import Frame
from cameras.models import Camera
from cameras.ring import Ring
from cameras.spool import Spool
from detections import broadcast, jobs
from detections.detector import get_detector
from detections.models import Visit
from detections.turn import worker
from omil.bench import clips

STREAM = "b" * 32
PAUSE_S = 20.0  # Of capture time before the clip begins anew: longer than any visit's gap.


class Measured:
    """`fill` puts admitted frames into the spool, unmeasured; without it a round analyses what waits there."""

    def __init__(self, pictures: str) -> None:
        self.shots = clips.load(pictures)
        self.camera = Camera.objects.create(name="Bench", unit=Unit.objects.create(name="Bench"))
        self.spool = Spool(folders.of(self.camera.pk))
        self.ring = Ring(self.spool.folder / "ring", max_bytes=settings.RING_BYTES)
        self.starts_at = time.time()
        detector = get_detector()
        connections.keep()
        heap.settle()
        heap.give_back()
        worker().heartbeat.start()
        self.about = {"camera": self.camera.pk, "detector": detector.name}

    def run(self, *, first: int, frames: int, fill: bool = False) -> dict[str, Any]:
        if fill:
            for number in range(first, first + frames):
                self._put(number)
            os.sync()  # The disk is not to be busy with these pictures while they are analysed.
            return {"frames": frames}
        before_n = self.spool.last_n() - frames
        began, cpu_began = time.perf_counter(), time.process_time()
        jobs.drain(self.camera.pk)
        broadcast.sender().flush()
        seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu_began
        entries = self.spool.after(before_n)
        analysed = sum(entry.outcome == Outcome.ANALYSED for entry in entries)
        return {
            "frames": frames,
            "analysed": analysed,
            "seconds": seconds,
            "cpu_s": cpu_s,
            "visits": Visit.objects.count(),
        }

    def _put(self, number: int) -> None:
        """As the intake does with a frame that the gate has admitted."""
        lap, at = divmod(number, len(self.shots))
        shot = self.shots[at]
        captured_at = self.starts_at + shot.at_s + lap * (self.shots[-1].at_s + PAUSE_S)
        frame = Frame(self.camera.pk, STREAM, number + 1, captured_at, time.time(), shot.jpeg)
        self.spool.put(frame, Kind.ADMITTED, "presence", picture=self.ring.put(frame))
        self.ring.prune(older_than=captured_at - settings.RING_S)
