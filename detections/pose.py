"""Finds people's poses in a picture, 17 key points each, by a YOLO pose model on the runtimes of the detector.

Called by the analysis of videos and by motion lessons. Nothing is found, and everything else works, where there is no
such model.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field

import cv2
import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from detections import weights, yolo
from detections.detector import LOOK_EVERY_S, WARM_SHAPES, Maker, on_cpu, on_cuda
from detections.letterbox import Picture, Prepared, letterbox
from detections.points import POINTS
from detections.runtimes import Runner
from detections.weights import POSES, Exported
from detections.yolo import MOST_BOXES, MOST_OVERLAP, Traits, round_up

logger = logging.getLogger(__name__)

LEAST_CONFIDENCE = 0.25  # Of a person whose pose is told.


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """One person in one picture, in its pixels: a box, and x, y and confidence of each of POINTS."""

    xyxy: NDArray[np.float32]
    confidence: float
    points: NDArray[np.float32]  # (17, 3)


class PoseFinder:
    """One exported pose model on one runner; safe to call from several threads."""

    def __init__(self, runner: Runner, traits: Traits, *, size: int) -> None:
        self._runner, self._traits, self._size = runner, traits, round_up(size)

    @property
    def name(self) -> str:
        return f"{self._traits.stem} · {self._runner.name} · {self._size} px"

    def find(self, frame_bgr: Picture, *, size: int | None = None) -> list[Pose]:
        """People from the surest to the faintest. `size`: the longer side the picture is looked at with."""
        prepared = letterbox(frame_bgr, round_up(size) if size else self._size)
        output = self._runner(prepared.tensor)
        rows = decode_end_to_end(output) if self._traits.end_to_end else decode(output)
        xyxy = prepared.to_picture(rows[:, :4])
        points = _to_picture(prepared, rows[:, 5:].reshape(-1, len(POINTS), 3))
        confidence = np.clip(rows[:, 4], 0, 1)
        return [Pose(xyxy[n].copy(), float(confidence[n]), points[n].copy()) for n in range(len(rows))]


def decode(output: NDArray[np.float32]) -> NDArray[np.float32]:
    """From (1, 56, n), centres, sizes, score and points, to (people, 56) with corners, thinned out."""
    columns = output[0][:, output[0, 4] >= LEAST_CONFIDENCE]
    columns = columns[:, np.argsort(-columns[4], kind="stable")]
    centre, half = columns[:2].T, columns[2:4].T / 2
    corner = centre - half
    kept = cv2.dnn.NMSBoxes(np.hstack([corner, half * 2]).tolist(), columns[4].tolist(), 0.0, MOST_OVERLAP)
    keep = np.asarray(kept, np.intp).reshape(-1)[:MOST_BOXES]
    return np.hstack([corner, centre + half, columns[4:].T])[keep]


def decode_end_to_end(output: NDArray[np.float32]) -> NDArray[np.float32]:
    """From (1, n, 57), corners, score, class and points, thinned out by the model, to (people, 56)."""
    rows = output[0][output[0][:, 4] >= LEAST_CONFIDENCE]
    return np.hstack([rows[:, :5], rows[:, 6:]])


def _to_picture(prepared: Prepared, points: NDArray[np.float32]) -> NDArray[np.float32]:
    moved = points.copy()
    moved[..., :2] = (points[..., :2] - (prepared.left, prepared.top)) / prepared.scale
    moved[..., :2] = np.clip(moved[..., :2], 0, (prepared.width, prepared.height))
    moved[..., 2] = np.clip(points[..., 2], 0, 1)
    return moved


# --- The one of this process ---


@dataclass
class _Kept:
    lock: threading.Lock = field(default_factory=threading.Lock)
    finder: PoseFinder | None = None
    looked_at: float = -LOOK_EVERY_S


_kept = _Kept()


def get_pose_finder() -> PoseFinder | None:
    """This process's, warm; None while there is no model, for which it looks again now and then. May take seconds."""
    with _kept.lock:
        if _kept.finder is None and time.monotonic() - _kept.looked_at >= LOOK_EVERY_S:
            found = weights.exported(POSES)
            _kept.finder = _serve(found) if found else None
            _kept.looked_at = time.monotonic()
        return _kept.finder


def forget() -> None:
    """Drop what this process keeps, as after a change of settings."""
    global _kept
    _kept = _Kept()


def _serve(found: Exported) -> PoseFinder | None:
    makers = on_cpu(found, threads=settings.INFERENCE_THREADS)
    if (checkpoint := found.checkpoint) and on_cuda():
        makers.insert(0, lambda: yolo.TorchRunner(checkpoint, found.traits))
    finder = warm(found, makers, size=settings.POSE_IMAGE_SIZE)
    if finder:
        logger.info("poses: %s", finder.name)
    return finder


def warm(found: Exported, makers: list[Maker], *, size: int) -> PoseFinder | None:
    """On the first runtime that runs the model; None, with the reasons in the log, if none does."""
    for make in makers:
        try:
            finder = PoseFinder(make(), found.traits, size=size)
            for height, width in WARM_SHAPES:
                finder.find(np.zeros((height, width, 3), np.uint8))
            return finder
        except ImportError as error:
            logger.info("poses: %s", error)
        except Exception:  # Whatever a runtime raises for a model it cannot run.
            logger.exception("poses: %s does not run", found.folder)
    return None
