"""Precision and recall of boxes against labelled ones, and the labelled pictures of the test data."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cameras.images import encode_jpeg

Corners = NDArray[np.floating]
MATCH = 0.5  # IoU from which a box is that labelled one.


@dataclass(frozen=True, slots=True)
class Labelled:
    jpeg: bytes
    people: Corners


@dataclass(frozen=True, slots=True)
class Score:
    precision: float
    recall: float

    def is_within(self, margin: float, other: Score) -> bool:
        return abs(self.precision - other.precision) <= margin and abs(self.recall - other.recall) <= margin


def score(found: Iterable[tuple[Corners, NDArray[np.floating]]], labelled: Iterable[Labelled]) -> Score:
    """Greedy: the most confident box of a picture takes the labelled one it overlaps most, then the next."""
    right = wrong = missed = 0
    for (xyxy, confidence), picture in zip(found, labelled, strict=True):
        free = set(range(len(picture.people)))
        for index in np.argsort(-confidence):
            taken = max(free, key=lambda i: overlap(xyxy[index], picture.people[i]), default=None)
            if taken is not None and overlap(xyxy[index], picture.people[taken]) >= MATCH:
                free.discard(taken)
                right += 1
            else:
                wrong += 1
        missed += len(free)
    return Score(right / max(1, right + wrong), right / max(1, right + missed))


def overlap(one: Corners, other: Corners) -> float:
    inner = np.clip(np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]), 0, None)
    shared = float(inner.prod())
    return shared / (float((one[2:] - one[:2]).prod() + (other[2:] - other[:2]).prod()) - shared)


def pets(test_data: Path) -> list[Labelled]:
    """The 69 labelled frames of the crossing, as JPEG."""
    people: dict[int, list[list[float]]] = defaultdict(list)
    with (test_data / "labelled" / "pets09" / "gt_dev_480x360.txt").open() as file:
        for row in csv.reader(file):
            left, top, width, height = map(float, row[2:6])
            people[int(row[0])].append([left, top, left + width, top + height])
    capture = cv2.VideoCapture(str(test_data / "videos" / "pets09_dev.mp4"))
    frames = [encode_jpeg(capture.read()[1], 90) for _ in range(69)]
    capture.release()
    return [Labelled(jpeg, np.array(people[number], float)) for number, jpeg in enumerate(frames, start=1)]
