"""What a person looks like, as a vector that outlives a track; visits compares two of them before it continues a visit.

A colour histogram for now; a re-identification network only has to offer the same two functions.
"""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]
Picture = NDArray[np.uint8]
Box = tuple[float, float, float, float]

# Head and shoulders, trunk, legs: as shares of the box's height. Colours change less inside them than across the body.
STRIPES = ((0.05, 0.30), (0.30, 0.55), (0.55, 0.90))
BINS = 16  # Per channel of CIE L*a*b*.
CHROMA = (88, 168)  # a* and b* of ordinary clothes, in OpenCV's bytes (128 is grey); what lies outside is clipped.
MIDDLE = 0.5  # The share of the box's width that is looked at: the sides are mostly background.
SMALL_WH = (24, 64)  # Every crop is brought to this size, so that near and far people weigh the same.
LEAST_WH = (6, 12)  # Smaller boxes say nothing about clothes.


class Appearance(Protocol):
    def describe(self, frame_bgr: Picture, xyxy: Box) -> Vector | None:
        """The look of the person in this box of pixels; None where there is too little to see."""

    def agreement(self, a: Vector, b: Vector) -> float:
        """How alike two looks (or means of looks) are: 1 the same, 0 nothing in common."""


class ColourHistogram:
    """Lightness and colour of head, trunk and legs, each a normalised histogram per channel."""

    def describe(self, frame_bgr: Picture, xyxy: Box) -> Vector | None:
        height, width = frame_bgr.shape[:2]
        left, top, right, bottom = xyxy
        margin = (right - left) * (1 - MIDDLE) / 2
        columns = slice(max(0, round(left + margin)), min(width, round(right - margin)))
        rows = slice(max(0, round(top)), min(height, round(bottom)))
        if columns.stop - columns.start < LEAST_WH[0] or rows.stop - rows.start < LEAST_WH[1]:
            return None
        small = cv2.resize(frame_bgr[rows, columns], SMALL_WH, interpolation=cv2.INTER_AREA)
        lab = cv2.cvtColor(small, cv2.COLOR_BGR2LAB)
        np.clip(lab[..., 1:], CHROMA[0], CHROMA[1] - 1, out=lab[..., 1:])
        parts = []
        for begin, end in STRIPES:
            stripe = lab[int(begin * SMALL_WH[1]) : int(end * SMALL_WH[1])]
            # Lightness weighs as much as both colours: most clothes are dark or light before they are coloured.
            parts += [2 * _histogram(stripe, 0, (0, 256)), _histogram(stripe, 1, CHROMA), _histogram(stripe, 2, CHROMA)]
        return np.asarray(np.concatenate(parts) / (4 * len(STRIPES)), np.float32)

    def agreement(self, a: Vector, b: Vector) -> float:
        """One less the Hellinger distance of the histograms."""
        shared = float(np.sqrt(a.astype(np.float64) * b).sum())
        return 1.0 - float(np.sqrt(max(0.0, 1.0 - shared)))


def _histogram(lab: Picture, channel: int, span: tuple[int, int]) -> Vector:
    counts = cv2.calcHist([lab], [channel], None, [BINS], list(span))
    # Neighbouring bins share a little, so that a slight change of light does not move everything to the next one.
    smooth = cv2.GaussianBlur(counts, (1, 3), 0.7, borderType=cv2.BORDER_REPLICATE).ravel()
    return np.asarray(smooth / smooth.sum(), np.float32)
