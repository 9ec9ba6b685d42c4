"""JPEG to arrays and back; the only file that knows colour order (blue first, as OpenCV and the models want it).

The receiving process measures every picture with `size_of` before anything decodes it. The strict decoders hold the
interpreter's lock while they work (0.3 ms for 640 by 480); `decode_luma`, which every quiet frame needs, does not.
"""

from __future__ import annotations

import re
from typing import TypeAlias

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

Picture: TypeAlias = NDArray[np.uint8]  # (height, width, 3), blue first.
Luma: TypeAlias = NDArray[np.uint8]  # (height, width)

# One thread per frame: its small pictures gain nothing from OpenCV's pool, which crowds out the other cameras' frames.
cv2.setNumThreads(1)

SOI, EOI, SOS = b"\xff\xd8\xff", 0xD9, 0xDA
SIZED = {0xC0, 0xC1, 0xC2}  # Baseline, extended and progressive frames; the other kinds no browser or camera sends.
UNSUPPORTED = {0xC3, *range(0xC5, 0xD0), 0xDC, 0xDE, 0xDF}
SKIPPED = {0xC4, 0xDB, 0xDD, 0xFE, *range(0xE0, 0xF0)}  # Tables, restart interval, applications, comment.
PADDING = re.compile(rb"\xff+")
# In coded data 0xFF is followed by a zero, by a restart marker, or by padding that ends in a marker.
NEXT_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
# A decoder walks over the whole picture once per scan; encoders write at most about a dozen.
MOST_SCANS, MOST_SEGMENTS = 24, 256

REDUCED_LUMA = {
    1: cv2.IMREAD_GRAYSCALE,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
}


class BadImage(ValueError):
    """A picture that cannot be used; `reason` is the code sent back and counted."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def size_of(jpeg: bytes, *, max_pixels: int | None = None) -> tuple[int, int]:
    """Width and height by walking over all markers, without decoding: 20 µs and no memory, whatever the header says.

    Zeros after the end are tolerated, for some cameras pad their pictures; anything else there is not. Raises BadImage.
    """
    if jpeg[:3] != SOI:
        raise BadImage("not_jpeg")
    size: tuple[int, int] | None = None
    at, scans = 2, 0
    for _segment in range(MOST_SEGMENTS):
        marker, at = _marker(jpeg, at)
        if marker == EOI:
            if size is None or not scans or jpeg[at:].strip(b"\0"):
                raise BadImage("corrupt")
            return size
        end = _end_of_segment(jpeg, at)
        if marker in SIZED and size is None:
            size = _frame_size(jpeg[at + 2 : end], max_pixels)
        elif marker == SOS and size is not None:
            scans += 1
            if scans > MOST_SCANS:
                raise BadImage("unsupported")
            end = _end_of_scan(jpeg, end)
        elif marker not in SKIPPED:
            raise BadImage("unsupported" if marker in UNSUPPORTED else "corrupt")
        at = end
    raise BadImage("unsupported")


def _marker(jpeg: bytes, at: int) -> tuple[int, int]:
    """The marker at this place, which may be padded with 0xFF before it, and the place after it."""
    padding = PADDING.match(jpeg, at)
    if padding is None:
        raise BadImage("corrupt" if at < len(jpeg) else "truncated")
    at = padding.end()
    if at == len(jpeg):
        raise BadImage("truncated")
    return jpeg[at], at + 1


def _end_of_segment(jpeg: bytes, at: int) -> int:
    length = int.from_bytes(jpeg[at : at + 2], "big")
    if at + max(length, 2) > len(jpeg):
        raise BadImage("truncated")
    if length < 2:
        raise BadImage("corrupt")
    return at + length


def _end_of_scan(jpeg: bytes, at: int) -> int:
    found = NEXT_MARKER.search(jpeg, at)
    if found is None:
        raise BadImage("truncated")
    return found.start()


def _frame_size(fields: bytes, max_pixels: int | None) -> tuple[int, int]:
    """Of a frame header: bits per sample, height, width, number of components and three bytes for each of these."""
    if len(fields) < 6 or len(fields) != 6 + 3 * fields[5]:
        raise BadImage("corrupt")
    if fields[0] != 8 or fields[5] not in (1, 3):
        raise BadImage("unsupported")
    height, width = int.from_bytes(fields[1:3], "big"), int.from_bytes(fields[3:5], "big")
    if not height or not width:
        raise BadImage("corrupt")
    if max_pixels is not None and width * height > max_pixels:
        raise BadImage("too_many_pixels")
    return width, height


def check(jpeg: bytes) -> None:
    """Decodes the picture at an eighth of its size and throws it away. Raises BadImage where any of it is damaged."""
    _decode(jpeg, "GRAY", 8)


def decode_bgr(jpeg: bytes) -> Picture:
    """The whole picture, strictly: a damaged one raises BadImage."""
    return _decode(jpeg, "BGR", 1)


def decode_small_bgr(jpeg: bytes, longest_px: int) -> Picture:
    """The picture with its longer side at most so long, decoded no larger than needed. Strict, like decode_bgr."""
    return shrink(_decode(jpeg, "BGR", _reduction(jpeg, longest_px)), longest_px=longest_px)


def decode_luma(jpeg: bytes, longest_px: int) -> Luma:
    """The brightness alone, with its longer side at most so long.

    Lenient: where the data is damaged, whatever could be decoded comes back, and only what is no picture at all raises
    BadImage. In the gate visible damage is motion, and what has moved is decoded strictly.
    """
    how = REDUCED_LUMA[_reduction(jpeg, longest_px)] | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        luma = cv2.imdecode(np.frombuffer(jpeg, np.uint8), how)
    except cv2.error:
        luma = None
    if luma is None:
        raise BadImage("corrupt")
    return shrink(luma, longest_px=longest_px)


def encode_jpeg(frame_bgr: Picture, quality: int = 85) -> bytes:
    encoded: bytes = simplejpeg.encode_jpeg(
        np.ascontiguousarray(frame_bgr), quality=quality, colorspace="BGR", colorsubsampling="420"
    )
    return encoded


def shrink(picture: NDArray[np.uint8], *, longest_px: int) -> NDArray[np.uint8]:
    """The picture with its longer side at most so long; a smaller one is returned as it is."""
    height, width = picture.shape[:2]
    if max(height, width) <= longest_px:
        return picture
    scale = longest_px / max(height, width)
    size_wh = max(1, round(width * scale)), max(1, round(height * scale))
    small: NDArray[np.uint8] = cv2.resize(picture, size_wh, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    return small


def _reduction(jpeg: bytes, longest_px: int) -> int:
    """The largest of the fast reductions (1, 2, 4, 8) that leaves at least so many pixels on the longer side."""
    try:
        height, width, _colours, _sampling = simplejpeg.decode_jpeg_header(jpeg)
    except ValueError:
        raise BadImage("corrupt") from None
    return max(
        reduction for reduction in REDUCED_LUMA if reduction == 1 or max(height, width) >= reduction * longest_px
    )


def _decode(jpeg: bytes, colours: str, reduction: int) -> NDArray[np.uint8]:
    """At the full size or reduced by 2, 4 or 8, which the decoder gets almost for free."""
    try:
        decoded: NDArray[np.uint8] = simplejpeg.decode_jpeg(jpeg, colours, min_factor=reduction)
    except ValueError:
        raise BadImage("corrupt") from None
    return decoded
