"""Gives boxes stable ids across one camera's frames: ByteTrack's two associations, on capture time, not frame counts.

Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box", ECCV 2022. Lengths in the motion
model are in box heights, so that near and far people behave alike. The whole state is plain numbers: a tracker
restored from `state()` goes on exactly as the one that was stopped.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import lap
import numpy as np
from numpy.typing import NDArray

from detections.boxes import Boxes

Floats = NDArray[np.float64]
Box = tuple[float, float, float, float]

VERSION = 1
LOW_SHARE = 0.4  # Boxes down to this share of the camera's confidence may continue a track (ByteTrack: 0.1 of 0.25).
LOST_S = 1.0  # How long a track without a box is kept.
BLIND_S = 2.5  # The longest pause between frames over which a track is carried, whatever the frame rate.
LEAST_OVERLAP = 0.15  # First association, confident boxes (ByteTrack: 0.2, of boxes that are not widened).
LEAST_OVERLAP_LOW = 0.5  # Second association, faint boxes (ByteTrack).
NESTED = 0.85  # So much of one box inside the other, and they may be one person twice ...
NESTED_AREA = 0.1  # ... unless the smaller is so small that it is someone far behind.
# Standard deviations in box heights (per second): of a measured side (ByteTrack: 1/20), of the speed of a track just
# begun (walking is about 0.8), and of the change of speed within a second.
MEASURED, BEGUN_SPEED, CHANGE_OF_SPEED = 0.08, 0.8, 1.0
FAINT = 3.0  # A faint box is measured less well: its deviation grows by so much towards confidence 0.
COAST_S = 0.3  # A lost track's speed falls to a third within so long.
LEAST_INSIDE = 0.3  # A lost track of which less than this is predicted to be in the picture has walked out.

# From corners to centre and size, and back; as products of matrices, for each step of numpy's costs more than its sums.
TO_CENTRE_SIZE = np.array([[0.5, 0, -1, 0], [0, 0.5, 0, -1], [0.5, 0, 1, 0], [0, 0.5, 0, 1]])
TO_CORNERS = np.array([[1, 0, 1, 0], [0, 1, 0, 1], [-0.5, 0, 0.5, 0], [0, -0.5, 0, 0.5]])

NUMBERS = ("centre_size", "speed", "p_place", "p_cross", "p_speed")  # (n, 4) each: centre x, y, width, height.


@dataclass(frozen=True, slots=True)
class Track:
    """One track's box in the present frame: corners in pixels as detected, velocity in pixels a second."""

    id: int
    xyxy: Box
    confidence: float
    velocity: tuple[float, float]
    started_at: float
    hits: int

    @property
    def is_confirmed(self) -> bool:
        """Seen more than once: a single box may be noise."""
        return self.hits >= 2


class Tracker:
    """One camera's tracks. `confidence` is what a box needs to begin a track."""

    def __init__(self, state: dict[str, Any] | None = None, *, confidence: float = 0.25) -> None:
        self._confidence = confidence
        self._at: float | None = None
        self._size_wh: tuple[int, int] | None = None
        self._next_id = 1
        self._id: NDArray[np.int64] = np.zeros(0, np.int64)
        self._hits: NDArray[np.int64] = np.zeros(0, np.int64)
        self._missed: NDArray[np.int64] = np.zeros(0, np.int64)  # Frames since the last box.
        self._started_at: Floats = np.zeros(0)
        self._seen_at: Floats = np.zeros(0)
        self._moving: dict[str, Floats] = {name: np.zeros((0, 4)) for name in NUMBERS}
        if state and state.get("version") == VERSION:
            self._restore(state)

    def update(self, boxes: Boxes, at: float, size_wh: tuple[int, int]) -> list[Track]:
        """Takes a frame's boxes (of people); returns the tracks that have one, in the order of their ids."""
        # 1. Time passes: every track is predicted, the long lost ones go.
        self._fit(size_wh)
        at = at if self._at is None else max(at, self._at)
        self._predict(0.0 if self._at is None else at - self._at)
        self._at = at
        self._keep(~self._is_over(at, size_wh))
        # 2. Confident boxes continue any track, faint ones only a track of the previous frame.
        found = boxes.xyxy.astype(np.float64)
        confident = boxes.confidence >= self._confidence
        box_of = np.full(len(self._id), -1)
        self._associate(box_of, found, np.flatnonzero(confident), LEAST_OVERLAP)
        faint = np.flatnonzero(~confident & (boxes.confidence >= self._confidence * LOW_SHARE))
        self._associate(box_of, found, faint, LEAST_OVERLAP_LOW, only=self._missed == 0)
        # 3. Tracks with a box are corrected by it; confident boxes that are left begin tracks.
        self._correct(box_of, found, boxes.confidence.astype(np.float64), at)
        box_of = np.concatenate([box_of, self._begin(box_of, found, np.flatnonzero(confident), boxes.confidence, at)])
        return self._tracks(box_of, found, boxes.confidence)

    # --- The frame's steps ---

    def _fit(self, size_wh: tuple[int, int]) -> None:
        """A camera may change the size of its pictures; who is in them stays where they are."""
        if self._size_wh and self._size_wh != size_wh:
            ratio = np.tile(np.array(size_wh) / self._size_wh, 2)
            for name, power in zip(NUMBERS, (1, 1, 2, 2, 2), strict=True):
                self._moving[name] *= ratio**power
        self._size_wh = size_wh

    def _is_over(self, at: float, size_wh: tuple[int, int]) -> NDArray[np.bool_]:
        away = at - self._seen_at
        if not self._missed.any():
            return np.asarray(away > BLIND_S)
        corners = _corners(self._moving["centre_size"])
        inside = np.minimum(corners[:, 2:], size_wh) - np.maximum(corners[:, :2], 0)
        share = np.prod(np.maximum(inside, 0), axis=1) / np.maximum(np.prod(corners[:, 2:] - corners[:, :2], axis=1), 1)
        lost = (self._missed > 0) & ((away > LOST_S) | (share < LEAST_INSIDE))
        return np.asarray(lost | (away > BLIND_S))

    def _associate(
        self,
        box_of: NDArray[np.int64],
        found: Floats,
        candidates: NDArray[np.int64],
        least_overlap: float,
        only: NDArray[np.bool_] | bool = True,
    ) -> None:
        """Writes into `box_of` the best assignment of these boxes to tracks that have none yet."""
        free = np.flatnonzero((box_of < 0) & only)
        if not len(free) or not len(candidates):
            return
        # Boxes are widened by how unsure the prediction is, so that at few frames a second a step is still an overlap.
        unsure = np.sqrt(self._moving["p_place"][free, :2])
        overlap = _overlap(_corners(self._moving["centre_size"][free]), found[candidates], unsure)
        _, chosen, _ = lap.lapjv(1 - overlap, extend_cost=True, cost_limit=1 - least_overlap)
        taken = chosen >= 0
        box_of[free[taken]] = candidates[chosen[taken]]

    def _begin(
        self,
        box_of: NDArray[np.int64],
        found: Floats,
        confident: NDArray[np.int64],
        confidence: NDArray[np.float32],
        at: float,
    ) -> NDArray[np.int64]:
        """Begins a track for each confident box left that is not a person's second box; returns those boxes."""
        taken = [int(box) for box in box_of if box >= 0]
        begun: list[int] = []
        for box in sorted(set(confident.tolist()) - set(taken), key=lambda box: (-confidence[box], box)):
            if not _is_second_box(found[box], found[taken]):
                taken.append(box)
                begun.append(box)
        new = np.array(begun, np.int64)
        if not begun:  # As in most frames, which then cost a quarter less.
            return new
        n = len(new)
        centre_size = _centre_size(found[new])
        height = centre_size[:, 3:]
        fresh = {
            "centre_size": centre_size,
            "speed": np.zeros((n, 4)),
            "p_place": np.repeat((MEASURED * height) ** 2, 4, axis=1),
            "p_cross": np.zeros((n, 4)),
            "p_speed": np.repeat((BEGUN_SPEED * height) ** 2, 4, axis=1),
        }
        self._moving = {name: np.concatenate([self._moving[name], fresh[name]]) for name in NUMBERS}
        self._id = np.concatenate([self._id, np.arange(self._next_id, self._next_id + n)])
        self._hits = np.concatenate([self._hits, np.ones(n, np.int64)])
        self._missed = np.concatenate([self._missed, np.zeros(n, np.int64)])
        self._started_at = np.concatenate([self._started_at, np.full(n, at)])
        self._seen_at = np.concatenate([self._seen_at, np.full(n, at)])
        self._next_id += n
        return new

    def _tracks(self, box_of: NDArray[np.int64], found: Floats, confidence: NDArray[np.float32]) -> list[Track]:
        speed = self._moving["speed"]
        return [
            Track(
                id=int(self._id[row]),
                xyxy=tuple(found[box].tolist()),
                confidence=float(confidence[box]),
                velocity=(float(speed[row, 0]), float(speed[row, 1])),
                started_at=float(self._started_at[row]),
                hits=int(self._hits[row]),
            )
            for row, box in enumerate(box_of.tolist())
            if box >= 0
        ]

    # --- Kalman filter: constant velocity; the four measures are independent, so a 2 x 2 covariance each is exact ---

    def _predict(self, dt: float) -> None:
        place, speed, p_place, p_cross, p_speed = (self._moving[name] for name in NUMBERS)
        if not dt or not len(place):
            return
        change = (CHANGE_OF_SPEED * place[:, 3:]) ** 2
        # A lost track keeps its size and slows down: what covers a person spoils the last boxes before it is lost.
        lost = self._missed > 0
        speed[lost, 2:] = 0.0
        speed[lost, :2] *= math.exp(-dt / COAST_S)
        place += speed * dt
        place[:, 2:] = np.maximum(place[:, 2:], 2.0)
        p_place += 2 * dt * p_cross + dt**2 * p_speed + change * dt**3 / 3
        p_cross += dt * p_speed + change * dt**2 / 2
        p_speed += change * dt

    def _correct(self, box_of: NDArray[np.int64], found: Floats, confidence: Floats, at: float) -> None:
        rows = np.flatnonzero(box_of >= 0)
        self._missed += 1
        if not len(rows):
            return
        place, speed, p_place, p_cross, p_speed = (self._moving[name] for name in NUMBERS)
        measured = _centre_size(found[box_of[rows]])
        doubt = 1 + FAINT * (1 - confidence[box_of[rows], None])
        spread = p_place[rows] + (MEASURED * doubt * measured[:, 3:]) ** 2
        gain, gain_speed = p_place[rows] / spread, p_cross[rows] / spread
        off = measured - place[rows]
        p_speed[rows] -= gain_speed * p_cross[rows]
        p_cross[rows] *= 1 - gain
        p_place[rows] *= 1 - gain
        place[rows] += gain * off
        speed[rows] += gain_speed * off
        self._hits[rows] += 1
        self._missed[rows] = 0
        self._seen_at[rows] = at

    # --- State ---

    def _keep(self, rows: NDArray[np.bool_]) -> None:
        if rows.all():
            return
        for name in ("_id", "_hits", "_missed", "_started_at", "_seen_at"):
            setattr(self, name, getattr(self, name)[rows])
        self._moving = {name: values[rows] for name, values in self._moving.items()}

    def state(self) -> dict[str, Any]:
        """Everything the next frame depends on, in plain numbers and lists."""
        return {
            "version": VERSION,
            "at": self._at,
            "size_wh": list(self._size_wh) if self._size_wh else None,
            "next_id": self._next_id,
            "id": self._id.tolist(),
            "hits": self._hits.tolist(),
            "missed": self._missed.tolist(),
            "started_at": self._started_at.tolist(),
            "seen_at": self._seen_at.tolist(),
            "moving": {name: values.tolist() for name, values in self._moving.items()},
        }

    def _restore(self, state: dict[str, Any]) -> None:
        self._at, self._next_id = state["at"], state["next_id"]
        self._size_wh = (state["size_wh"][0], state["size_wh"][1]) if state["size_wh"] else None
        self._id = np.array(state["id"], np.int64)
        self._hits = np.array(state["hits"], np.int64)
        self._missed = np.array(state["missed"], np.int64)
        self._started_at = np.array(state["started_at"], np.float64)
        self._seen_at = np.array(state["seen_at"], np.float64)
        self._moving = {name: np.array(state["moving"][name], np.float64).reshape(-1, 4) for name in NUMBERS}


def _centre_size(xyxy: Floats) -> Floats:
    centre_size: Floats = xyxy @ TO_CENTRE_SIZE
    return centre_size


def _corners(centre_size: Floats) -> Floats:
    xyxy: Floats = centre_size @ TO_CORNERS
    return xyxy


def _overlap(a: Floats, b: Floats, widen: Floats) -> Floats:
    """Intersection over union (n, m) of boxes `a` and `b`, both widened by `widen` (n, 2) pixels on each side."""
    low_a, high_a = a[:, None, :2] - widen[:, None], a[:, None, 2:] + widen[:, None]
    low_b, high_b = b[None, :, :2] - widen[:, None], b[None, :, 2:] + widen[:, None]
    shared = np.prod(np.maximum(np.minimum(high_a, high_b) - np.maximum(low_a, low_b), 0), axis=2)
    union = np.prod(high_a - low_a, axis=2) + np.prod(high_b - low_b, axis=2) - shared
    return np.asarray(shared / np.maximum(union, 1e-9))


def _is_second_box(box: Floats, taken: Floats) -> bool:
    """Whether this box and a taken one are nested: detectors give one person a box for the whole and one for a half."""
    shared = np.prod(np.maximum(np.minimum(box[2:], taken[:, 2:]) - np.maximum(box[:2], taken[:, :2]), 0), axis=1)
    area, areas = np.prod(box[2:] - box[:2]), np.prod(taken[:, 2:] - taken[:, :2], axis=1)
    smaller, larger = np.minimum(area, areas), np.maximum(area, areas)
    return bool(((shared > NESTED * smaller) & (smaller > NESTED_AREA * larger)).any())
