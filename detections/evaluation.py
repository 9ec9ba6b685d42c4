"""How well a model finds people in labelled pictures. Knows no framework and no model.

A box found is right if it covers a person's box by half (IoU 0.5), the surest box first, each person once, as in
PASCAL VOC (Everingham et al., 2010). What lies mostly in an ignored region counts for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detections.boxes import Boxes

Array = NDArray[np.float64]

ENDINGS = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}
BANDS = ((0.0, 0.1), (0.1, 0.25), (0.25, 1.01))  # Heights of people, in parts of the picture's.
RIGHT = 0.5  # Least IoU.
IGNORED = 0.5  # Least share of a box within one ignored region.
NOBODY = -1


class LabelError(ValueError):
    """A folder or a label file is not in YOLO format; the text names it."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A picture and its people; boxes are (n, 4) corners in parts of the picture."""

    path: Path
    people: Array
    ignored: Array


@dataclass(frozen=True, slots=True)
class Judged:
    """One picture's boxes, the surest first: the person that each found, NOBODY if none; and heights in parts."""

    confidences: Array
    heights: Array
    found: NDArray[np.intp]
    people: Array  # Heights.


@dataclass(frozen=True, slots=True)
class Figures:
    """At one threshold. A band's precision counts the wrong boxes that are as tall as its people."""

    people: int
    found: int
    wrong: int

    @property
    def recall(self) -> float | None:
        return self.found / self.people if self.people else None

    @property
    def precision(self) -> float | None:
        return self.found / (self.found + self.wrong) if self.found + self.wrong else None


@dataclass(slots=True)
class Tally:
    pictures: list[Judged] = field(default_factory=list)

    def figures(self, threshold: float, least: float = 0.0, below: float = np.inf) -> Figures:
        """Of people, and boxes that found nobody, with a height from `least` to `below`."""
        people = found = wrong = 0
        for picture in self.pictures:
            is_sure = picture.confidences >= threshold
            matched = picture.found[is_sure & (picture.found != NOBODY)]
            is_wrong = is_sure & (picture.found == NOBODY)
            people += int(_between(picture.people, least, below).sum())
            found += int(_between(picture.people[matched], least, below).sum())
            wrong += int(_between(picture.heights[is_wrong], least, below).sum())
        return Figures(people, found, wrong)

    def alarmed(self, threshold: float) -> tuple[int, int]:
        """Of the pictures without people those with a box, and how many there are."""
        empty = [picture for picture in self.pictures if not len(picture.people)]
        return sum(bool((picture.confidences >= threshold).any()) for picture in empty), len(empty)

    def average_precision(self) -> float | None:
        """The area under precision over recall, each precision the best at no lower recall."""
        people = sum(len(picture.people) for picture in self.pictures)
        if not people:
            return None
        confidences = np.concatenate([picture.confidences for picture in self.pictures])
        is_right = np.concatenate([picture.found != NOBODY for picture in self.pictures])
        is_right = is_right[np.argsort(-confidences, kind="stable")]
        right = np.cumsum(is_right)
        precision = right / np.arange(1, len(right) + 1)
        best = np.maximum.accumulate(precision[::-1])[::-1]
        return float((best * is_right).sum() / people)


def judge(truth: Labelled, boxes: Array, confidences: Array) -> Judged:
    """`boxes` are (n, 4) corners in parts of the picture."""
    order = np.argsort(-confidences, kind="stable")
    boxes, confidences = boxes[order], confidences[order]
    overlaps = iou(boxes, truth.people)
    found = np.full(len(boxes), NOBODY, np.intp)
    for row in range(len(boxes)):
        if overlaps.shape[1] and overlaps[row].max() >= RIGHT:
            found[row] = overlaps[row].argmax()
            overlaps[:, found[row]] = 0
    within = _shared(boxes, truth.ignored) / np.maximum(_area(boxes), 1e-12)[:, None]
    counts = (found != NOBODY) | ~(within >= IGNORED).any(1)
    boxes, confidences, found = boxes[counts], confidences[counts], found[counts]
    return Judged(confidences, boxes[:, 3] - boxes[:, 1], found, truth.people[:, 3] - truth.people[:, 1])


def judge_boxes(truth: Labelled, boxes: Boxes, shape: tuple[int, ...]) -> Judged:
    """Of a detector's boxes, in a picture of this shape (height, width, …)."""
    height, width = shape[:2]
    corners = boxes.xyxy.astype(np.float64) / [width, height, width, height]
    return judge(truth, corners, boxes.confidence.astype(np.float64))


def labelled(folder: Path) -> Iterator[Labelled]:
    """Every picture in `images/` below the folder, with `labels/` and perhaps `ignore/` beside; Ultralytics' form.

    A line is `class centre-x centre-y width height`, in parts of the picture; further columns are not read. A picture
    without a label file shows nobody. Class 0 is people.
    """
    pictures = sorted(path for images in folder.rglob("images") for path in images.rglob("*") if _is_picture(path))
    if not pictures:
        raise LabelError(f"There are no pictures in {folder}/images or a folder below.")
    if not any(_beside(path, "labels").exists() for path in pictures):
        raise LabelError(f"There are no labels in {_beside(pictures[0], 'labels').parent}.")
    for path in pictures:
        yield Labelled(path, _boxes(_beside(path, "labels")), _boxes(_beside(path, "ignore")))


def by_source(tallies: Iterable[tuple[Path, Judged]]) -> dict[str, Tally]:
    """By what the files are named after: "mouso1_12.jpg" comes from mouso1."""
    sources: dict[str, Tally] = {}
    for path, judged in tallies:
        sources.setdefault(path.stem.rpartition("_")[0] or path.parent.parent.name, Tally()).pictures.append(judged)
    return dict(sorted(sources.items()))


def iou(one: Array, other: Array) -> Array:
    """(n, m) of boxes (n, 4) and (m, 4)."""
    shared = _shared(one, other)
    union: Array = _area(one)[:, None] + _area(other)[None] - shared
    return shared / np.maximum(union, 1e-12)


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in ENDINGS and path.is_file()


def _beside(picture: Path, kind: str) -> Path:
    """The label file of a picture: images/a/b.jpg has labels/a/b.txt."""
    images = next(parent for parent in picture.parents if parent.name == "images")
    return (images.parent / kind / picture.relative_to(images)).with_suffix(".txt")


def _boxes(file: Path) -> Array:
    rows = []
    for number, line in enumerate(file.read_text("utf-8").splitlines() if file.exists() else (), 1):
        if not line.strip():
            continue
        try:
            kind, *values = (float(word) for word in line.split())
        except ValueError:
            raise LabelError(f"{file}, line {number} is no label: {line[:60]!r}") from None
        if kind == 0 and len(values) < 4:
            raise LabelError(f"{file}, line {number} has no four numbers after the class: {line[:60]!r}")
        if kind == 0:
            rows.append(values[:4])
    centred = np.array(rows, np.float64).reshape(-1, 4)
    return np.hstack([centred[:, :2] - centred[:, 2:] / 2, centred[:, :2] + centred[:, 2:] / 2])


def _between(heights: Array, least: float, below: float) -> NDArray[np.bool_]:
    return (heights >= least) & (heights < below)


def _area(boxes: Array) -> Array:
    area: Array = np.prod(np.clip(boxes[:, 2:] - boxes[:, :2], 0, None), axis=1)
    return area


def _shared(one: Array, other: Array) -> Array:
    corner = np.maximum(one[:, None, :2], other[None, :, :2])
    sizes = np.minimum(one[:, None, 2:], other[None, :, 2:]) - corner
    area: Array = np.prod(np.clip(sizes, 0, None), axis=2)
    return area
