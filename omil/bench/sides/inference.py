"""One bare inference at a time, the tensor prepared beforehand; what a frame's latency is compared with."""

from __future__ import annotations

import time
from typing import Any

from cameras import images
from detections.detector import get_detector
from omil.bench import clips


class Measured:
    """Each round is one inference."""

    def __init__(self, pictures: str) -> None:
        self.detector = get_detector()
        shots = clips.load(pictures)[:10]
        self.prepared = [self.detector.prepare(images.decode_bgr(shot.jpeg)) for shot in shots]
        for number in range(len(self.prepared)):
            self.run(number=number)
        self.about = {"detector": self.detector.name}

    def run(self, *, number: int) -> dict[str, Any]:
        began = time.perf_counter()
        self.detector.detect(self.prepared[number % len(self.prepared)], 0)
        return {"seconds": time.perf_counter() - began}
