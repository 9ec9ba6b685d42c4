"""A decoded picture as JPEG, straight from its planes: no detour over RGB. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import simplejpeg
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import ColorRange, VideoReformatter
from numpy.typing import NDArray

from cameras import masks

Plane: TypeAlias = NDArray[np.uint8]  # (height, width)
Polygon: TypeAlias = tuple[tuple[float, float], ...]

LONGEST_PX = 1_920
QUALITY = 80
LEAST_QUALITY = 40
BT709, UNSPECIFIED, BT601 = 1, 2, 5
HD_LINES = 720  # From here on a stream that does not say so means BT.709.


class Jpegs:
    """Keeps the scaler between pictures."""

    def __init__(self, polygons: Sequence[Polygon], *, max_bytes: int) -> None:
        self._polygons = polygons
        self._max_bytes = max_bytes
        self._scaler = VideoReformatter()

    def encode(self, frame: VideoFrame) -> bytes:
        """With the masks burnt in, in JPEG's own colours (BT.601, full range), and no larger than may be sent on."""
        planes = [_array(plane) for plane in self._fitted(frame).planes]
        if self._polygons:
            planes = [plane.copy() for plane in planes]
            masks.burn_yuv(planes, self._polygons, black=0)
        for quality in (QUALITY, 60, LEAST_QUALITY):
            jpeg: bytes = simplejpeg.encode_jpeg_yuv_planes(*planes, quality=quality)
            if len(jpeg) <= self._max_bytes:
                break
        return jpeg

    def _fitted(self, frame: VideoFrame) -> VideoFrame:
        scale = min(1.0, LONGEST_PX / max(frame.width, frame.height))
        width, height = _even(frame.width * scale), _even(frame.height * scale)
        matrix = int(frame.colorspace)
        if matrix == UNSPECIFIED:
            matrix = BT709 if frame.height >= HD_LINES else BT601
        if frame.format.name == "yuvj420p" and matrix != BT709 and (width, height) == (frame.width, frame.height):
            return frame
        return self._scaler.reformat(
            *(frame, width, height, "yuvj420p"),
            src_colorspace=matrix,
            dst_color_range=ColorRange.JPEG,
            dst_colorspace=BT601,
            threads=1,
        )


def _even(side: float) -> int:
    return max(2, round(side / 2) * 2)


def _array(plane: VideoPlane) -> Plane:
    rows: Plane = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return np.ascontiguousarray(rows[: plane.height, : plane.width])
