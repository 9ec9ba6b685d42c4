"""Scripted clips, made in memory from real footage: who comes, hides, stands, crosses and leaves, and when.

The room is that of one-by-one-person-detection: a fixed camera, six people one after the other, empty in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

ROOM = "one-by-one-person-detection.mp4"
ROOM_FPS = 10.0
EMPTY = 480  # A frame of the room without anybody, between the second and the third person.
# Where each person stands whole and still: the frame, and their box in it.
PEOPLE = {
    "grey cardigan": (130, (375, 8, 535, 400)),
    "black jacket": (330, (372, 0, 545, 392)),
    "black shirt": (800, (345, 25, 530, 395)),
    "grey pullover": (1050, (375, 5, 540, 395)),
    "light shirt": (1300, (347, 0, 530, 400)),
}


@dataclass(frozen=True, slots=True)
class Clip:
    """Pictures at a steady rate; the same array may come again and again."""

    frames: list[Picture]
    fps: float

    def every(self, n: int, *, first: int = 0) -> Clip:
        return Clip(self.frames[first::n], self.fps / n)


@dataclass(frozen=True, slots=True)
class Cutout:
    """A person cut out of the room: colours, and how much of each pixel is theirs (0 to 1)."""

    bgr: Picture
    alpha: NDArray[np.float32]

    def scaled(self, scale: float) -> Cutout:
        small = [
            cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            for image in (self.bgr, self.alpha)
        ]
        return Cutout(*small)

    def mirrored(self) -> Cutout:
        return Cutout(self.bgr[:, ::-1], self.alpha[:, ::-1])


def read(path: Path, *, every: int = 1, stop: int | None = None) -> list[Picture]:
    """The clip's frames 0, `every`, 2 `every` ... before `stop`."""
    return [frame for _, frame in stream(path, every=every, stop=stop)]


def stream(path: Path, *, every: int = 1, stop: int | None = None) -> Iterator[tuple[int, Picture]]:
    capture = cv2.VideoCapture(str(path))
    index = 0
    while (stop is None or index < stop) and capture.grab():
        if index % every == 0:
            yield index, capture.retrieve()[1]
        index += 1
    capture.release()
    assert index, f"{path} cannot be read"


class Room:
    """The footage, its frames read when asked for; every picture returned is read only."""

    def __init__(self, videos: Path) -> None:
        self._path = videos / ROOM
        self._frames: dict[int, Picture] = {}

    def load(self, indices: Iterable[int]) -> None:
        """Reads these frames in one pass."""
        wanted = set(indices) - set(self._frames)
        if not wanted:
            return
        for index, frame in stream(self._path, stop=max(wanted) + 1):
            if index in wanted:
                frame.flags.writeable = False
                self._frames[index] = frame

    def __getitem__(self, index: int) -> Picture:
        self.load([index])
        return self._frames[index]

    def run(self, first: int, last: int, step: int = 1) -> list[Picture]:
        """Frames `first` to `last` inclusive; backwards with a negative step."""
        indices = list(range(first, last + (1 if step > 0 else -1), step))
        self.load(indices)
        return [self[index] for index in indices]

    @property
    def empty(self) -> Picture:
        return self[EMPTY]

    def nobody(self, count: int) -> list[Picture]:
        return [self.empty] * count

    def swaying(self, first: int, last: int, count: int) -> list[Picture]:
        """`count` frames of somebody who stands: those between `first` and `last`, back and forth."""
        there = self.run(first, last)
        loop = there + there[-2:0:-1]
        return [loop[index % len(loop)] for index in range(count)]

    def cutout(self, person: str) -> Cutout:
        """This person, standing, without the room."""
        index, (left, top, right, bottom) = PEOPLE[person]
        cv2.setRNGSeed(1)
        mask = np.zeros(self[index].shape[:2], np.uint8)
        models = np.zeros((1, 65)), np.zeros((1, 65))
        cv2.grabCut(self[index], mask, (left, top, right - left, bottom - top), *models, 4, cv2.GC_INIT_WITH_RECT)
        body = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
        rows, columns = slice(top, bottom), slice(left, right)
        return Cutout(self[index][rows, columns], cv2.GaussianBlur(body, (3, 3), 0)[rows, columns])


def paste(frame: Picture, person: Cutout, *, left: float, bottom: float) -> Picture:
    """The frame with the person standing at `bottom`; what lies outside the picture is cut off."""
    height, width = person.alpha.shape
    x, y = round(left), round(bottom) - height
    rows = slice(max(0, y), min(frame.shape[0], y + height))
    columns = slice(max(0, x), min(frame.shape[1], x + width))
    out = frame.copy()
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return out
    own = (slice(rows.start - y, rows.stop - y), slice(columns.start - x, columns.stop - x))
    alpha = person.alpha[own][..., None]
    out[rows, columns] = (alpha * person.bgr[own] + (1 - alpha) * frame[rows, columns]).astype(np.uint8)
    return out


def cover(frame: Picture, by: Picture, *, left: int, right: int) -> Picture:
    """The frame with the columns from `left` to `right` taken from another: a wall that people pass behind."""
    out = frame.copy()
    out[:, left:right] = by[:, left:right]
    return out
