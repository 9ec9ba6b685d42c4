"""Where something moved: compares a small luma picture with what the camera's empty scene looked like. Pure.

Not brightness is compared but fine structure, in small overlapping windows: what a window shows must be explained by a
gain of what it showed before. A lamp, a cloud or the camera's own exposure changes gain, offset and slope but not the
structure; a person changes it all along the outline. What noise leaves unexplained is learned for each window.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Luma: TypeAlias = NDArray[np.uint8]  # (height, width)
Field: TypeAlias = NDArray[np.float32]  # One value per pixel or per window.
Region: TypeAlias = tuple[float, float, float, float]  # Left, top, right, bottom; relative, 0.0 to 1.0.

FINE_PX = 7  # Structure is what differs from the mean of a square this wide.
CELL_PX = 4  # A window is two by two cells; the next one begins a cell further.
LEARNING_FRAMES = 10
GAP_S = 10.0  # After a longer pause what was learned is only a hint.
FORGOTTEN_S = 600.0  # After a longer pause it is worth nothing.
SETTLE_S = 10.0  # How fast a quiet scene and its noise are followed.
ADOPT_S = 3.0  # How fast a moved scene that holds nobody becomes the background.
# Variance, in squared levels of luma, that the gain leaves unexplained: below LEAST nothing has moved, and above
# MOST something has, however restless the window used to be.
LEAST, MOST = 6.0, 150.0
DEVIATIONS = 4.0
MOST_REGIONS = 4
STRIKING = 20.0  # How much one window may add to the rank of its region.


@dataclass(frozen=True, slots=True)
class MotionResult:
    """Whether something moved, and where, the most striking region first; `is_known` is False while nobody can say."""

    moved: bool
    is_known: bool
    regions: tuple[Region, ...] = ()


UNKNOWN = MotionResult(moved=True, is_known=False)


class Motion:
    """One camera's empty scene. `moved` learns by itself from quiet pictures, and by `accept` from others."""

    def __init__(self, *, ignored: tuple[Region, ...] = ()) -> None:
        self._ignored = ignored
        self._accepted = 0  # Pictures learned from since the scene was last unknown.
        self._at = 0.0
        self._step_s = 0.0
        self._luma: Field = np.zeros((0, 0), np.float32)
        self._scene = self._luma
        self._change = self._luma
        # Of each window: the mean of its change while nobody was there, and the mean deviation from that.
        self._usual = self._luma
        self._spread = self._luma

    def moved(self, luma: Luma, at: float) -> MotionResult:
        """Compares the picture captured at this time; a quiet one is learned from."""
        is_near = self._take(luma, at)
        if not self._accepted:
            return UNKNOWN
        self._change = _unexplained(self._luma, self._scene)
        if self._accepted < LEARNING_FRAMES:
            return UNKNOWN
        regions = _regions(self._change / self._limit())
        if not is_near:
            return MotionResult(moved=True, is_known=False, regions=regions)
        if not regions:
            self._learn(self._step_s / SETTLE_S)
        return MotionResult(moved=bool(regions), is_known=True, regions=regions)

    def accept(self, adopt_s: float = ADOPT_S) -> None:
        """The last picture, although something had moved, holds nobody: it becomes the empty scene, the sooner the
        smaller `adopt_s`."""
        if not self._accepted:
            self._scene = self._luma.copy()
        elif self._accepted == 1:
            self._usual, self._spread = self._change.copy(), self._change * np.float32(0.5)
        if self._accepted < LEARNING_FRAMES:
            self._accepted += 1
            self._learn(1 / self._accepted, noise=1 / self._accepted)
        else:
            self._learn(self._step_s / adopt_s, noise=self._step_s / max(adopt_s, SETTLE_S))

    def _take(self, luma: Luma, at: float) -> bool:
        """Keeps the picture for comparing and learning; says whether it follows closely on the one before."""
        height, width = luma.shape[0] // CELL_PX * CELL_PX, luma.shape[1] // CELL_PX * CELL_PX
        shape = max(height, 2 * CELL_PX), max(width, 2 * CELL_PX)
        if shape != (height, width):  # No camera's picture is so narrow, but none may bring the gate down either.
            luma = cv2.resize(luma, (shape[1], shape[0]), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        pause_s = at - self._at
        if shape != self._luma.shape or abs(pause_s) > FORGOTTEN_S:
            self._accepted = 0
        self._luma = luma[: shape[0], : shape[1]].astype(np.float32)
        for region in self._ignored:
            self._luma[_pixels(region, luma.shape)] = 0
        self._at, self._step_s = at, min(abs(pause_s), GAP_S)
        return 0 <= pause_s <= GAP_S

    def _limit(self) -> Field:
        limit = np.minimum(self._usual + DEVIATIONS * self._spread, MOST)
        return np.maximum(limit, LEAST, out=limit)

    def _learn(self, share: float, *, noise: float | None = None) -> None:
        """Moves the scene by this share towards the last picture, and what is usual towards what it showed."""
        share = min(share, 0.5)
        cv2.accumulateWeighted(self._luma, self._scene, share)
        if self._usual.shape != self._change.shape:
            return
        noise = share if noise is None else min(noise, 0.5)
        change = self._change
        if self._accepted >= LEARNING_FRAMES:
            # One person whom the detector missed must not make a window blind; a lamp that flickers for long may.
            change = np.minimum(change, 2 * self._limit())
        off = change - self._usual
        self._usual += noise * off
        self._spread += noise * (np.abs(off) - self._spread)


def _pixels(region: Region, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Every pixel that the region touches."""
    left, top, right, bottom = np.array(region) * ([shape[1], shape[0]] * 2)
    return slice(int(top), math.ceil(bottom)), slice(int(left), math.ceil(right))


def _windows(values: Field) -> Field:
    """The mean of each window: from cells, each the mean of its pixels, by averaging two by two of them."""
    height, width = values.shape
    cells = cv2.resize(values, (width // CELL_PX, height // CELL_PX), interpolation=cv2.INTER_AREA)
    means: Field = cv2.boxFilter(cells, -1, (2, 2), anchor=(0, 0))[:-1, :-1].astype(np.float32, copy=False)
    return means


def _unexplained(luma: Field, scene: Field) -> Field:
    """Per window, the variance of the fine structure of either picture that no gain of the other explains."""
    fine = luma - cv2.blur(luma, (FINE_PX, FINE_PX))
    scene_fine = scene - cv2.blur(scene, (FINE_PX, FINE_PX))
    mean, scene_mean = _windows(fine), _windows(scene_fine)
    variance = np.maximum(_windows(fine * fine) - mean * mean, 0)
    scene_variance = np.maximum(_windows(scene_fine * scene_fine) - scene_mean * scene_mean, 0)
    covariance = _windows(fine * scene_fine) - mean * scene_mean
    explained = covariance * covariance / (variance * scene_variance + 1)
    change: Field = (variance + scene_variance) * (1 - explained)
    return change


def _regions(ratio: Field) -> tuple[Region, ...]:
    """Where neighbouring windows have changed by more than their limit (ratio over one)."""
    hot = (ratio > 1).astype(np.uint8)
    if np.count_nonzero(hot) < 2:
        return ()
    # A single window is a fleck of noise: what is real shows in at least two that overlap.
    crowd = cv2.boxFilter(hot, cv2.CV_8U, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
    hot &= (crowd >= 2).astype(np.uint8)
    if not hot.any():
        return ()
    count, labels, boxes, _centres = cv2.connectedComponentsWithStats(cv2.dilate(hot, np.ones((3, 3), np.uint8)))
    weights = np.bincount(labels.ravel(), np.where(hot, np.minimum(ratio, STRIKING), 0).ravel(), minlength=count)
    ranked = sorted(range(1, count), key=lambda label: -weights[label])[:MOST_REGIONS]
    return tuple(_region(boxes[label], hot.shape) for label in ranked)


def _region(box: NDArray[np.int32], shape: tuple[int, ...]) -> Region:
    """From windows, of which there is one less than cells in each direction, to the picture."""
    left, top, width, height = (int(value) for value in box[:4])
    rows, columns = shape[0] + 1, shape[1] + 1
    return left / columns, top / rows, min(left + width + 1, columns) / columns, min(top + height + 1, rows) / rows
