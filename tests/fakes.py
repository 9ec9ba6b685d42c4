"""Stand-ins at the borders of the product: a detector that sees what it is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from detections.boxes import Boxes

Box = tuple[float, float, float, float]


@dataclass
class FakeDetector:
    """Reads the frame's number from its top left pixel (`numbered_picture`) and sees the boxes given for it."""

    boxes_of: Callable[[int], list[Box]]
    name: str = "fake"
    seen: list[tuple[int, int]] = field(default_factory=list)  # Camera and number, in the order of detection.
    fails_on: set[int] = field(default_factory=set)
    before: Callable[[int], None] = lambda number: None

    def prepare(self, frame_bgr: np.ndarray) -> Any:
        return number_of(frame_bgr)

    def detect(self, prepared: Any, camera_id: int) -> Boxes:
        self.before(prepared)
        if prepared in self.fails_on:
            raise RuntimeError("the back-end failed")
        self.seen.append((camera_id, prepared))
        boxes = self.boxes_of(prepared)
        return Boxes(
            np.array(boxes, np.float32).reshape(-1, 4),
            np.full(len(boxes), 0.9, np.float32),
            np.zeros(len(boxes), np.int64),
        )


def numbered_picture(number: int, size_wh: tuple[int, int] = (320, 240)) -> bytes:
    """A grey JPEG whose upper edge is a row of sixteen black or white squares: the number, lowest bit first."""
    from cameras import images

    picture = np.full((size_wh[1], size_wh[0], 3), 128, np.uint8)
    for bit in range(16):
        picture[0:16, bit * 16 : bit * 16 + 16] = 255 if number >> bit & 1 else 0
    return images.encode_jpeg(picture, quality=90)


def number_of(frame_bgr: np.ndarray) -> int:
    return sum(int(frame_bgr[8, bit * 16 + 8, 0] > 127) << bit for bit in range(16))
