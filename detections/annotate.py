"""Draws what Omil knows on a camera's picture: people are framed and labelled, camera and time named, any size filled.

Of a camera without a picture, a plate that says so. Pure; stream and pictures call it in threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np

from cameras import images
from cameras.images import Picture
from detections import lettering
from detections.marks import Mark, Size

Colour: TypeAlias = tuple[int, int, int]  # Blue first.
Point: TypeAlias = tuple[int, int]

# Those of the live page.
BOX: Colour = (89, 187, 242)
SEAM: Colour = (0, 0, 0)
ON_BOX: Colour = (4, 20, 28)
BARS: Colour = (16, 14, 13)  # Beside a picture of another shape.
PLATE: Colour = (38, 32, 28)
TITLE: Colour = (240, 236, 232)
QUIET: Colour = (176, 166, 158)

CORNER = 0.28  # Of the shorter side.
FEW = 3  # In a crowd labels would hide their neighbours.
DASH_PX = 5
QUALITY = 80
SMALLEST_TEXT = 9
CAPTION_FROM_PX = 160  # A lower picture is too small for words.


@dataclass(frozen=True, slots=True)
class Place:
    """Where the picture lies within the canvas."""

    left: int
    top: int
    width: int
    height: int

    def corners(self, xyxy: Sequence[float]) -> tuple[Point, Point]:
        x1, y1, x2, y2 = (min(max(0.0, float(value)), 1.0) for value in xyxy)  # In this order also for a NaN.
        across, down = self.width - 1, self.height - 1
        first = self.left + round(x1 * across), self.top + round(y1 * down)
        return first, (self.left + round(x2 * across), self.top + round(y2 * down))


def annotated(jpeg: bytes, size_wh: Size | None, marks: Sequence[Mark], caption: str) -> bytes:
    """The picture with everything drawn on it, as JPEG; without a size it keeps its own. Raises BadImage."""
    frame_bgr = images.decode_small_bgr(jpeg, max(size_wh)) if size_wh else images.decode_bgr(jpeg)
    canvas, place = fit(frame_bgr, size_wh)
    draw(canvas, place, marks, caption)
    return images.encode_jpeg(canvas, QUALITY)


def plate(size_wh: Size, title: str, *lines: str) -> bytes:
    """What is shown instead of a picture that is not there, as JPEG."""
    width, height = size_wh
    canvas = np.full((height, width, 3), PLATE, np.uint8)
    large, small = max(SMALLEST_TEXT + 2, height // 18), max(SMALLEST_TEXT, height // 28)
    room = width - 2 * max(4, width // 24)
    rows = [(title, _shrunk(title, large, room), TITLE)]
    rows += [(line, _shrunk(line, small, room), QUIET) for line in lines if line]
    gaps = small // 2 * (len(rows) - 1)
    top = (height - sum(lettering.height(px) for _text, px, _colour in rows) - gaps) // 2
    for text, px, colour in rows:
        ink = lettering.mask(lettering.fitted(text, px, room), px)
        _paint(canvas, ink, ((width - ink.shape[1]) // 2, top), colour)
        top += lettering.height(px) + small // 2
    return images.encode_jpeg(canvas, QUALITY)


def _shrunk(text: str, px: int, room: int) -> int:
    """The largest size of letters, down from this one, at which the text fits."""
    while px > SMALLEST_TEXT and lettering.width(text, px) > room:
        px -= 1
    return px


def fit(frame_bgr: Picture, size_wh: Size | None) -> tuple[Picture, Place]:
    """The picture in the middle of a canvas of this size, as large as its own shape allows."""
    height, width = frame_bgr.shape[:2]
    if size_wh is None or size_wh == (width, height):
        return np.ascontiguousarray(frame_bgr), Place(0, 0, width, height)
    scale = min(size_wh[0] / width, size_wh[1] / height)
    inner = max(1, round(width * scale)), max(1, round(height * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = frame_bgr if inner == (width, height) else cv2.resize(frame_bgr, inner, interpolation=how)
    place = Place((size_wh[0] - inner[0]) // 2, (size_wh[1] - inner[1]) // 2, *inner)
    if inner == size_wh:
        return np.ascontiguousarray(small), place
    canvas = np.full((size_wh[1], size_wh[0], 3), BARS, np.uint8)
    canvas[place.top : place.top + inner[1], place.left : place.left + inner[0]] = small
    return canvas, place


def draw(canvas: Picture, place: Place, marks: Sequence[Mark], caption: str) -> None:
    """Draws on the canvas itself."""
    height, width = canvas.shape[:2]
    unit = max(1, round(min(width * 2 / 3, height) / 640))
    for mark in marks:
        _frame(canvas, place.corners(mark.xyxy), unit, is_sure=mark.is_sure)
    if height < CAPTION_FROM_PX:
        return
    px = max(12, round(min(width * 2 / 3, height) / 36))
    for mark in marks:
        _label(canvas, place.corners(mark.xyxy), mark.label, px, is_crowded=len(marks) > FEW)
    _caption(canvas, caption, px)


def _frame(canvas: Picture, corners: tuple[Point, Point], unit: int, *, is_sure: bool) -> None:
    """Corners with a dark seam, readable on any picture, and a thin line between them."""
    (left, top), (right, bottom) = corners
    reach = round(CORNER * min(right - left, bottom - top))
    turns = [(left, top, 1, 1), (right, top, -1, 1), (right, bottom, -1, -1), (left, bottom, 1, -1)]
    paths = [np.array([(x + dx * reach, y), (x, y), (x, y + dy * reach)], np.int32) for x, y, dx, dy in turns]
    if is_sure:
        cv2.rectangle(canvas, (left, top), (right, bottom), BOX, unit)
    else:
        _dashes(canvas, corners, unit)
    cv2.polylines(canvas, paths, False, SEAM, 5 * unit, cv2.LINE_AA)
    cv2.polylines(canvas, paths, False, BOX, 3 * unit, cv2.LINE_AA)


def _dashes(canvas: Picture, corners: tuple[Point, Point], unit: int) -> None:
    (left, top), (right, bottom) = corners
    step = DASH_PX * unit
    for x in range(left, right, 2 * step):
        for y in (top, bottom):
            cv2.line(canvas, (x, y), (min(x + step, right), y), BOX, unit)
    for y in range(top, bottom, 2 * step):
        for x in (left, right):
            cv2.line(canvas, (x, y), (x, min(y + step, bottom)), BOX, unit)


def _label(canvas: Picture, corners: tuple[Point, Point], label: str, px: int, *, is_crowded: bool) -> None:
    """Above its box, or within it where there is no room above."""
    (left, top), (right, _bottom) = corners
    height, width = canvas.shape[:2]
    gap = px // 3
    text = lettering.fitted(label, px, width - 2 * gap)
    if not text:
        return
    ink = lettering.mask(text, px)
    size_w, size_h = ink.shape[1] + 2 * gap, ink.shape[0] + gap // 2
    if is_crowded and size_w > right - left:
        return
    x = min(left, width - size_w)
    y = top - size_h - gap if top - size_h - gap >= 0 else min(top + gap, height - size_h)
    cv2.rectangle(canvas, (x, y), (x + size_w - 1, y + size_h - 1), BOX, cv2.FILLED)
    _paint(canvas, ink, (x + gap, y + gap // 4), ON_BOX)


def _caption(canvas: Picture, caption: str, px: int) -> None:
    height, width = canvas.shape[:2]
    gap = px // 2
    text = lettering.fitted(caption, px, width - 2 * gap)
    if not text:
        return
    ink = lettering.mask(text, px)
    strip = canvas[height - ink.shape[0] - gap : height, : ink.shape[1] + 2 * gap]
    strip[:] = strip * 0.4
    _paint(canvas, ink, (gap, height - ink.shape[0] - gap // 2), TITLE)


def _paint(canvas: Picture, ink: lettering.Mask, at: Point, colour: Colour) -> None:
    """Lets the colour through where there is ink; what would lie outside the canvas is left out."""
    x, y = max(0, at[0]), max(0, at[1])
    under = canvas[y : y + ink.shape[0], x : x + ink.shape[1]]
    share = ink[: under.shape[0], : under.shape[1], None].astype(np.float32) / 255
    under[:] = (under + (np.array(colour, np.float32) - under) * share + 0.5).astype(np.uint8)
