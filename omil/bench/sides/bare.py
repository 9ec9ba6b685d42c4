"""The bare loop: decode, letterbox, inference and post-processing of the same model, one frame after the other."""

from __future__ import annotations

import time
from typing import Any

from cameras import images
from detections import weights
from detections.detector import get_detector
from omil.bench import clips


class Measured:
    """Its rounds come from the same pictures as the other sides'."""

    def __init__(self, pictures: str) -> None:
        self.shots = clips.load(pictures)
        self.detector = get_detector()
        self.run(first=0, frames=10)
        self.about = {"detector": self.detector.name, "is_fallback": weights.status().is_fallback}

    def run(self, *, first: int, frames: int) -> dict[str, Any]:
        people = 0
        began, cpu_began = time.perf_counter(), time.process_time()
        for number in range(first, first + frames):
            frame_bgr = images.decode_bgr(self.shots[number % len(self.shots)].jpeg)
            people += len(self.detector.detect(self.detector.prepare(frame_bgr), 0)) > 0
        seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu_began
        return {"frames": frames, "seconds": seconds, "cpu_s": cpu_s, "with_people": people}
