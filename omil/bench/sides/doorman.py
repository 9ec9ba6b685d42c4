"""A camera's way in without its socket: what a frame costs the receiving process, on a clock of the pictures' own."""

from __future__ import annotations

import time
from typing import Any

from cameras import folders, presence
from cameras.analysis import AnalysisState
from cameras.frames import Frame
from cameras.intake import Intake
from cameras.node import Node
from cameras.presence import Presence
from detections.detector import get_person_finder
from omil.bench import clips

STREAM = "c" * 32
CAMERA = 1_000  # None of the worker's.
FPS = 5
ANALYSIS = AnalysisState(is_down=False, workers=1, frame_s=0.03)


class Measured:
    """Each admitted frame is answered at once, as by an analysis that sees nobody."""

    def __init__(self, pictures: str) -> None:
        self.jpegs = [shot.jpeg for shot in clips.there_and_back(clips.load(pictures))]
        self.intake = Intake(CAMERA, Node(lambda: ANALYSIS, lambda *_args, **_kwargs: None, get_person_finder))
        self.starts_at = time.time()
        self.seq = 0
        self.about: dict[str, Any] = {}

    def run(self, *, frames: int) -> dict[str, Any]:
        cpu_s, verdicts = 0.0, dict.fromkeys(("admitted", "no_motion", "no_person"), 0)
        for _number in range(frames):
            self.seq += 1
            at = self.starts_at + self.seq / FPS
            frame = Frame(CAMERA, STREAM, self.seq, at, at, self.jpegs[self.seq % len(self.jpegs)])
            began = time.process_time()
            answer = self.intake.receive(frame)
            if self.seq % FPS == 0:
                self.intake.flush()
            cpu_s += time.process_time() - began
            verdicts[answer.verdict] += 1
            if answer.verdict == "admitted":
                self._answer(at)
        return {"frames": frames, "cpu_s": cpu_s, "verdicts": verdicts}

    def _answer(self, at: float) -> None:
        n = self.intake.waiting[-1].n
        presence.write(folders.of(CAMERA), Presence(n=n, captured_at=at, written_at=at))
