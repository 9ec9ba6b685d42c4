"""The poses of a video: of every sample, 17 key points for each person. One line a sample in `poses.jsonl`.

A line: {"sample", "at_s", "people": [{"track", "confidence", "box", "points": [[x, y, confidence], ...]}]}, in pixels
of the upright picture; `track` is null for who has a pose but no track.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from detections.pose import Pose, PoseFinder, get_pose_finder
from detections.tracker import Track
from videos.analysers import LeftOut
from videos.keypoints import FILE
from videos.models import Video
from videos.rows import RowFile
from videos.sampling import Sample

if TYPE_CHECKING:
    from videos.analysers import Analyser

logger = logging.getLogger(__name__)

LEAST_OVERLAP = 0.3  # Of a pose's box with its track's.
ALONE_CONFIDENCE = 0.5  # What a pose needs that no track belongs to ...
ALONE_INSIDE = 0.5  # ... and no more of it may lie in the box of one that is told already, or the other way round.


class Poses:
    """The analyser of one video."""

    def __init__(self, work: Path, finder: PoseFinder, offset: int = 0) -> None:
        self._finder = finder
        self._rows = RowFile(work / FILE, offset)

    def take(self, sample: Sample, people: list[Track]) -> None:
        found = assign(self._finder.find(sample.frame_bgr), people)
        told = [_person(pose, track) for pose, track in found]
        self._rows.append({"sample": sample.index, "at_s": round(sample.at_s, 6), "people": told})

    def state(self) -> dict[str, Any]:
        return {"offset": self._rows.offset}

    def finish(self) -> None:
        self._rows.close()  # Whoever runs the analysis takes the file into the storage.


def make(video: Video, work: Path, state: dict[str, Any] | None) -> Analyser:
    finder = get_pose_finder()
    if finder is None:
        logger.warning("video %s is analysed without poses: there is no model", video.pk)
        return LeftOut("without_poses")
    return Poses(work, finder, int(state["offset"]) if state else 0)


def assign(poses: list[Pose], people: list[Track]) -> list[tuple[Pose, int | None]]:
    """Each pose that is told, with the track it belongs to: by track first, then those that stand alone."""
    boxes = np.array([pose.xyxy for pose in poses], np.float64).reshape(-1, 4)
    overlap, _ = _shares(boxes, np.array([track.xyxy for track in people], np.float64).reshape(-1, 4))
    found: dict[int, int] = {}  # Track by pose.
    for flat in np.argsort(-overlap, axis=None, kind="stable").tolist():
        pose, track = divmod(flat, len(people))
        if overlap[pose, track] < LEAST_OVERLAP:
            break
        if pose not in found and track not in found.values():
            found[pose] = track
    told = [
        (poses[pose], people[track].id) for pose, track in sorted(found.items(), key=lambda each: people[each[1]].id)
    ]
    kept = list(found)
    alone: list[tuple[Pose, int | None]] = []
    for pose in range(len(poses)):  # From the surest to the faintest.
        if pose in found or poses[pose].confidence < ALONE_CONFIDENCE:
            continue
        _, inside = _shares(boxes[[pose]], boxes[kept])
        if not (inside > ALONE_INSIDE).any():
            kept.append(pose)
            alone.append((poses[pose], None))
    return [*told, *alone]


def _shares(a: NDArray[np.float64], b: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of boxes (n, 4) and (m, 4): intersection over union, and over the smaller of the two; (n, m) each."""
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=2)
    area_a, area_b = (np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (a, b))
    union = area_a[:, None] + area_b[None] - shared
    smaller = np.minimum(area_a[:, None], area_b[None])
    return shared / np.maximum(union, 1e-9), shared / np.maximum(smaller, 1e-9)


def _person(pose: Pose, track: int | None) -> dict[str, Any]:
    return {
        "track": track,
        "confidence": round(pose.confidence, 3),
        "box": [round(float(side), 1) for side in pose.xyxy],
        "points": [[round(float(x), 1), round(float(y), 1), round(float(c), 3)] for x, y, c in pose.points],
    }
