"""How well a face can be recognised: its size, how straight it looks into the camera, and how sharp it is. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from profiles.faces import SIDE, Face, Picture

# What "clearly seen" means. Below it, a face neither makes a profile nor is looked up.
LEAST_SCORE = 0.8
LEAST_WIDTH_PX = 36.0
LEAST_SHARPNESS = 15.0
LEAST_FRONTAL = 0.25
LEAST_SPREAD = 12.0  # Standard deviation of brightness: darker than that is night.

GOOD_WIDTH_PX = 112.0
GOOD_SHARPNESS = 120.0


@dataclass(frozen=True, slots=True)
class Quality:
    """`frontal` is 1 for a face that looks into the camera and 0 for one in profile."""

    score: float
    width_px: float
    frontal: float
    sharpness: float
    spread: float

    @property
    def is_clear(self) -> bool:
        return (
            self.score >= LEAST_SCORE
            and self.width_px >= LEAST_WIDTH_PX
            and self.frontal >= LEAST_FRONTAL
            and self.sharpness >= LEAST_SHARPNESS
            and self.spread >= LEAST_SPREAD
        )

    @property
    def value(self) -> float:
        """0 to 1: frontality counts twice, for a sharp profile is recognised less well than a soft full face."""
        size = min(1.0, self.width_px / GOOD_WIDTH_PX)
        sharp = min(1.0, self.sharpness / GOOD_SHARPNESS)
        return float(self.frontal * (self.frontal * size * sharp) ** 0.5 * self.score)


def quality_of(face: Face, aligned_bgr: Picture) -> Quality:
    """`aligned_bgr` is the face as the embedder sees it; only its inside is judged, not what is around."""
    inner = cv2.cvtColor(np.ascontiguousarray(aligned_bgr[32:100, 24:88]), cv2.COLOR_BGR2GRAY)
    assert aligned_bgr.shape[0] == SIDE
    sharpness = float(cv2.Laplacian(inner, cv2.CV_64F).var())
    return Quality(face.score, face.width_px, frontality(face), sharpness, float(inner.std()))


def frontality(face: Face) -> float:
    """From where the nose lies between the eyes, and how far these are apart for the face's size."""
    right, left, nose = (np.array(point) for point in face.points[:3])
    across = left - right
    apart_px = float(np.hypot(*across))
    if apart_px < 1e-6:
        return 0.0
    along = float((nose - right) @ across) / apart_px**2  # 0.5 is the middle.
    turned = 1 - abs(along - 0.5) / 0.5
    wide = min(1.0, apart_px / max(face.width_px, 1.0) / 0.40)
    return max(0.0, turned) * wide
