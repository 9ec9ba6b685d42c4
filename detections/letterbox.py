"""A picture into a detector's tensor and boxes back again; the same geometry as Ultralytics' own predict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Picture: TypeAlias = NDArray[np.uint8]  # (height, width, 3), blue first.

STRIDE = 32  # Every side of a tensor is a multiple of it.
GREY = 114  # What the models saw around their training pictures.


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """One frame ready for a detector: uint8 (1, h, w, 3), blue first, and where the picture lies in it."""

    tensor: NDArray[np.uint8]
    scale: float
    left: int
    top: int
    width: int
    height: int

    def to_picture(self, xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
        """Corners (n, 4) in the tensor as corners in the frame, cut off at its edges."""
        moved = (xyxy - np.array([self.left, self.top] * 2, np.float32)) / np.float32(self.scale)
        edges = np.array([self.width, self.height] * 2, np.float32)
        clipped: NDArray[np.float32] = np.clip(moved, 0, edges)
        return clipped


def letterbox(frame_bgr: Picture, longest: int) -> Prepared:
    """The picture scaled to `longest` pixels on its longer side, grey added on the shorter to a multiple of STRIDE."""
    if frame_bgr.dtype != np.uint8 or frame_bgr.ndim != 3 or frame_bgr.shape[2] != 3 or 0 in frame_bgr.shape:
        raise ValueError(f"A frame is uint8 (height, width, 3), not {frame_bgr.dtype} {frame_bgr.shape}.")
    height, width = frame_bgr.shape[:2]
    scale = longest / max(height, width)
    inner_w, inner_h = max(round(width * scale), 1), max(round(height * scale), 1)
    pad_w, pad_h = -inner_w % STRIDE, -inner_h % STRIDE
    left, top = round(pad_w / 2 - 0.1), round(pad_h / 2 - 0.1)
    small = frame_bgr
    if (width, height) != (inner_w, inner_h):
        small = cv2.resize(frame_bgr, (inner_w, inner_h), interpolation=cv2.INTER_LINEAR)
    tensor = np.empty((1, inner_h + pad_h, inner_w + pad_w, 3), np.uint8)
    if pad_w or pad_h:
        tensor[:] = GREY
    tensor[0, top : top + inner_h, left : left + inner_w] = small
    return Prepared(tensor, scale, left, top, width, height)
