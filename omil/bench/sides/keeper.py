"""A camera that is recorded: its intake, its recorder and a media worker, and how much each of them writes."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from accounts.models import Unit
from cameras import folders, presence
from cameras.analysis import AnalysisState
from cameras.frames import Frame
from cameras.intake import Intake
from cameras.models import Camera
from cameras.node import Node
from cameras.presence import Presence
from detections.detector import get_person_finder
from omil.bench import clips
from recordings import jobs, keeping, takes
from recordings.models import Recording, RecordingRules
from recordings.recorder import Recorder

STREAM = "e" * 32
FPS = 5
TICK = 3  # Frames between two looks of the recorder, about half a second.
PAUSE_S = 5.0  # Of the pictures' time, in which the recorder learns of other rules.
ANALYSIS = AnalysisState(is_down=False, workers=1, frame_s=0.03)
Mode = RecordingRules.Mode
T = TypeVar("T")


class Measured:
    """Time is the pictures' own. A round is one clip, recorded whoever is there; bytes are what `write` was given."""

    def __init__(self, pictures: str) -> None:
        self.jpegs = [shot.jpeg for shot in clips.load(pictures)]
        self.now = time.time()
        self.seq = 0
        self.camera = Camera.objects.create(name="Bench", unit=Unit.objects.create(name="Bench"))
        RecordingRules.objects.create(camera=self.camera, mode=Mode.OFF)
        self.intake = Intake(self.camera.pk, Node(lambda: ANALYSIS, lambda *_args, **_kwargs: None, get_person_finder))
        self.recorder = Recorder(now=lambda: self.now)
        self.written: dict[str, int] = {}
        self.about: dict[str, Any] = {"counts": Path("/proc/self/io").is_file()}

    def run(self, *, seconds: float) -> dict[str, Any]:
        self.written = dict.fromkeys(("intake", "recorder", "rows", "media"), 0)
        self._follow(Mode.CONTINUOUS)
        received = sum(self._receive(number) for number in range(round(seconds * FPS)))
        self._follow(Mode.OFF)
        self._record()
        (folder,) = takes.folders_of(self.camera.pk)
        self._count("media", lambda: jobs.encode(self.camera.pk, folder.id))
        clip = Recording.objects.get()
        report = {"received": received, "frames": clip.frames, "size": clip.size, **self.written}
        keeping.remove(clip, "measured")
        return report

    def _follow(self, mode: RecordingRules.Mode) -> None:
        RecordingRules.objects.update(mode=mode)
        self.now += PAUSE_S
        self._record()

    def _receive(self, number: int) -> int:
        """One picture; how large it is."""
        self.seq += 1
        self.now += 1 / FPS
        jpeg = self.jpegs[self.seq % len(self.jpegs)]
        frame = Frame(self.camera.pk, STREAM, self.seq, self.now, self.now, jpeg)
        answer = self._count("intake", lambda: self.intake.receive(frame))
        if self.seq % FPS == 0:
            self._count("intake", self.intake.flush)
        if answer.verdict == "admitted":  # As an analysis that sees nobody, and is not measured here.
            seen = Presence(n=self.intake.waiting[-1].n, captured_at=self.now, written_at=self.now)
            presence.write(folders.of(self.camera.pk), seen)
        if number % TICK == 0:
            self._record()
        return len(jpeg)

    def _record(self) -> None:
        self._count("recorder", self.recorder.tick)
        self._count("rows", self.recorder.tell)

    def _count(self, kind: str, act: Callable[[], T]) -> T:
        before = _written()
        try:
            return act()
        finally:
            self.written[kind] += _written() - before


def _written() -> int:
    """Bytes that this process has given to the system's calls for writing."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("wchar:")).split()[1])
