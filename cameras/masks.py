"""Burns privacy masks into pictures: BGR, Y/U/V planes as decoders give them, and JPEG. Pure.

Every pixel that a mask touches turns black, and about one more around it, so that no rounding leaves a rim.
The work is done in place wherever an array comes in; who calls hands over arrays that may be written to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from cameras import images
from cameras.images import Picture
from cameras.zones import Points

Plane: TypeAlias = NDArray[Any]  # (height, width), or (height, width, 2) with U and V side by side, as in NV12.

QUALITY = 90
SHIFT = 4  # Binary places of a pixel in what OpenCV is given.
RIM_PX = 3  # Thickness of the outline drawn over the edge.
# Black and colourless in video's usual range of 8 bits. For full range (yuvj420p) black is 0; for 10 bits 64 and 512.
BLACK_LUMA, NO_COLOUR = 16, 128


def burn_bgr(frame_bgr: Picture, polygons: Sequence[Points]) -> Picture:
    """Blackens the masks in the picture itself, which is returned too."""
    for polygon in polygons:
        _fill(frame_bgr, polygon, (0, 0, 0))
    return frame_bgr


def burn_yuv(
    planes: Sequence[Plane], polygons: Sequence[Points], *, black: int = BLACK_LUMA, no_colour: int = NO_COLOUR
) -> None:
    """Blackens the masks in the planes themselves: brightness first, then colour of any resolution.

    A plane may be a view that leaves out padding at the end of its rows; its pixels must lie side by side.
    """
    for polygon in polygons:
        for place, plane in enumerate(planes):
            _fill(plane, polygon, (no_colour, no_colour) if place else (black,))


def burn_jpeg(jpeg: bytes, polygons: Sequence[Points], *, quality: int = QUALITY) -> bytes:
    """The picture decoded and encoded once more with its masks, without any preview it had. Raises BadImage."""
    if not polygons:
        return jpeg
    return images.encode_jpeg(burn_bgr(images.decode_bgr(jpeg), polygons), quality)


def _fill(plane: Plane, polygon: Points, value: tuple[int, ...]) -> None:
    """One polygon at a time: OpenCV leaves out what an even number of those in one call covers."""
    height, width = plane.shape[:2]
    scale = 1 << SHIFT
    # Pixel 0 reaches from 0 to 1 and has its middle, which is OpenCV's 0, at a half.
    corners = np.round((np.asarray(polygon) * (width, height) - 0.5) * scale).astype(np.int32)
    cv2.fillPoly(plane, [corners], value, cv2.LINE_8, SHIFT)
    cv2.polylines(plane, [corners], True, value, RIM_PX, cv2.LINE_8, SHIFT)
