"""The last resort without a model file: moving regions, confirmed as people by OpenCV's built-in HOG detector.

Only a region confirmed in two frames running is a person. Any other gets a confidence below every threshold,
with which the tracker holds on to a person it knows already but begins nobody new: a car never becomes a visit by
moving alone, and a person whom HOG loses for a while stays.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from detections.boxes import Boxes
from detections.letterbox import Picture, Prepared, letterbox

Luma: TypeAlias = NDArray[np.float32]
Box: TypeAlias = NDArray[np.float32]  # left, top, right, bottom in the tensor

SIZE = 640
SHRINK = 4  # Motion is looked for in a picture smaller by this factor.
CAMERAS_KEPT = 64
CONFIRMED, UNCONFIRMED = 0.6, 0.15
MOVED = 18.0  # Levels of luma by which a pixel differs from an empty scene.
LEAST_AREA, LEAST_HEIGHT = 0.004, 12  # Of a region: share of the picture, pixels of the small picture.
LIGHT_CHANGED = 0.6  # Where so much of the picture moves, it is the light or the camera.
ABSORBED = 0.02  # Share of a frame that becomes background; a thing put down is forgotten in 15 s at 5 fps.
MOST_REGIONS = 4
HOG_HEIGHT = 170  # A region is scaled to this: HOG's people are 96 pixels tall in windows of 128.
HOG_SURE = 1.0  # SVM margin: 45 % of regions with people pass, 4 % of those with cars (seen from above).
AGAIN = 1  # A confirmation counts if the one before is at most so many frames older.
HELD = 600  # For so many frames somebody confirmed once may stand still before becoming background.
SAME = 0.3  # Overlap (IoU) at which a region is the one confirmed a frame ago.


@dataclass(frozen=True, slots=True)
class _Seen:
    """A region of the last frame: how many frames ago HOG took it for a person, None for never, and its verdict."""

    box: Box
    unsure_for: int | None
    confidence: float


@dataclass(slots=True)
class _Scene:
    """What a camera's picture looks like without anybody, and what moved in the last frame."""

    background: Luma
    seen: list[_Seen] = field(default_factory=list)


class MotionHogDetector:
    """Finds moving people without a model; slow to see, easily mistaken, and says so by `is_fallback`."""

    name = "motion · HOG"
    is_fallback = True

    def __init__(self) -> None:
        self._hog = cv2.HOGDescriptor()
        self._hog.setSVMDetector(cv2.HOGDescriptor.getDefaultPeopleDetector())
        self._scenes: OrderedDict[int, _Scene] = OrderedDict()
        self._lock = threading.Lock()

    def prepare(self, frame_bgr: Picture) -> Prepared:
        return letterbox(frame_bgr, SIZE)

    def detect(self, prepared: Prepared, camera_id: int) -> Boxes:
        """The first frame of a camera only teaches what its scene looks like."""
        picture = prepared.tensor[0]
        luma = _small_luma(picture)
        with self._lock:
            scene = self._scene(camera_id, luma)
            moving = _moving(luma, scene.background)
            if moving.mean() > LIGHT_CHANGED:
                scene.background, moving = luma, np.zeros_like(moving)
            scene.seen = [self._judge(picture, region, scene.seen) for region in _regions(moving)]
            _learn(scene, luma)
            boxes = np.array([seen.box for seen in scene.seen], np.float32).reshape(-1, 4)
            confidences = np.array([seen.confidence for seen in scene.seen], np.float32)
        return Boxes.people(prepared.to_picture(boxes), confidences)

    def _judge(self, picture: Picture, region: Box, before: list[_Seen]) -> _Seen:
        """Whether HOG takes the region for a person, now and before."""
        same = max(before, key=lambda seen: _overlap(seen.box, region), default=None)
        if same and _overlap(same.box, region) < SAME:
            same = None
        unsure_for = None if same is None or same.unsure_for is None else same.unsure_for + 1
        if not self._is_person(picture, region):
            return _Seen(region, unsure_for, UNCONFIRMED)
        is_again = unsure_for is not None and unsure_for <= AGAIN
        return _Seen(region, 0, CONFIRMED if is_again else UNCONFIRMED)

    def _scene(self, camera_id: int, luma: Luma) -> _Scene:
        scene = self._scenes.get(camera_id)
        if scene is None or scene.background.shape != luma.shape:
            scene = self._scenes[camera_id] = _Scene(luma)
        self._scenes.move_to_end(camera_id)
        while len(self._scenes) > CAMERAS_KEPT:
            self._scenes.popitem(last=False)
        return scene

    def _is_person(self, picture: Picture, region: Box) -> bool:
        """HOG on the region with some ground around it, scaled to the one height where HOG is at its best."""
        left, top, right, bottom = region
        width, height = right - left, bottom - top
        if width > 2 * height:
            return False
        around = np.array([-0.5 * width - 10, -0.4 * height - 10, 0.5 * width + 10, 0.4 * height + 10])
        crop = _cut(picture, region + around)
        scale = HOG_HEIGHT / height
        crop = cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
        if crop.shape[1] < 64:
            return False
        _found, weights = self._hog.detectMultiScale(
            crop, hitThreshold=HOG_SURE, winStride=(8, 8), padding=(0, 0), scale=1.1, groupThreshold=0
        )
        return len(weights) > 0


def _small_luma(picture: Picture) -> Luma:
    height, width = picture.shape[:2]
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    small: Luma = cv2.resize(grey, (width // SHRINK, height // SHRINK), interpolation=cv2.INTER_AREA).astype(np.float32)
    return small


def _moving(luma: Luma, background: Luma) -> NDArray[np.uint8]:
    difference = luma - background
    difference -= np.median(difference)  # A step of light or exposure moves the whole picture.
    moving = (np.abs(difference) > MOVED).astype(np.uint8)
    moving = cv2.morphologyEx(moving, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    grown: NDArray[np.uint8] = cv2.dilate(moving, np.ones((7, 3), np.uint8)).astype(np.uint8)  # Heads join bodies.
    return grown


def _regions(moving: NDArray[np.uint8]) -> list[Box]:
    """The largest connected regions, in pixels of the tensor."""
    count, _labels, stats, _centres = cv2.connectedComponentsWithStats(moving)
    found = [
        stats[i]
        for i in range(1, count)
        if stats[i][cv2.CC_STAT_AREA] >= LEAST_AREA * moving.size and stats[i][cv2.CC_STAT_HEIGHT] >= LEAST_HEIGHT
    ]
    found.sort(key=lambda stat: -stat[cv2.CC_STAT_AREA])
    return [
        np.array([left, top, left + width, top + height], np.float32) * SHRINK
        for left, top, width, height, _area in found[:MOST_REGIONS]
    ]


def _cut(picture: Picture, box: NDArray[np.floating]) -> Picture:
    """The part of a picture inside the box; beyond the edges the outermost pixels go on."""
    left, top, right, bottom = (round(float(value)) for value in box)
    height, width = picture.shape[:2]
    inside = picture[max(0, top) : min(height, bottom), max(0, left) : min(width, right)]
    beyond = (max(0, -top), max(0, bottom - height), max(0, -left), max(0, right - width))
    cut: Picture = cv2.copyMakeBorder(inside, *beyond, cv2.BORDER_REPLICATE).astype(np.uint8, copy=False)
    return cut


def _learn(scene: _Scene, luma: Luma) -> None:
    """The frame fades into the background, except where somebody who may be a person stands."""
    share = np.full(luma.shape, ABSORBED, np.float32)
    for seen in scene.seen:
        if seen.unsure_for is not None and seen.unsure_for < HELD:
            left, top, right, bottom = (int(value) // SHRINK for value in seen.box)
            share[top:bottom, left:right] = 0
    scene.background = scene.background + share * (luma - scene.background)


def _overlap(one: Box, other: Box) -> float:
    inner = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    shared = float(np.prod(np.clip(inner, 0, None)))
    return shared / (float(np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2])) - shared)
