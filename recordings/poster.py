"""A clip's poster picture and its filmstrip: one JPEG each, next to the clip. Pure; called by finish.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame

from cameras import images
from cameras.images import Picture

POSTER_PX = 640  # Its longer side at most.
POSTER_QUALITY = 75
STRIP_PICTURES = 10
STRIP_PX = 160  # The width of each.
STRIP_QUALITY = 60


def poster_of(clip: Path) -> Path:
    return clip.with_suffix(".jpg")


def strip_of(clip: Path) -> Path:
    return clip.with_suffix(".strip.jpg")


def make(video: Path, clip: Path) -> None:
    """Both pictures of this video, under the names that belong to the clip. Replaced whole."""
    pictures = list(_pictures(video))
    _write(poster_of(clip), images.shrink(pictures[len(pictures) // 2], longest_px=POSTER_PX), POSTER_QUALITY)
    _write(strip_of(clip), np.hstack([_narrow(picture) for picture in pictures]), STRIP_QUALITY)


def _pictures(video: Path) -> Iterator[Picture]:
    """So many, from the middle of each tenth of the video."""
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        assert stream.duration is not None
        for number in range(STRIP_PICTURES):
            pts = stream.duration * (2 * number + 1) // (2 * STRIP_PICTURES)
            container.seek(pts, stream=stream)
            yield _shown_at(container, pts).to_ndarray(format="bgr24").astype(np.uint8, copy=False)


def _shown_at(container: InputContainer, pts: int) -> VideoFrame:
    """The picture on the screen at this time; decoding starts at the key picture before it."""
    shown: VideoFrame | None = None
    for frame in container.decode(video=0):
        if shown is not None and (frame.pts or 0) > pts:
            break
        shown = frame
    assert shown is not None
    return shown


def _narrow(picture: Picture) -> Picture:
    import cv2

    height, width = picture.shape[:2]
    size_wh = STRIP_PX, max(1, round(height * STRIP_PX / width))
    narrow: Picture = cv2.resize(picture, size_wh, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    return narrow


def _write(path: Path, picture: Picture, quality: int) -> None:
    fresh = path.with_name(f".{path.name}")
    fresh.write_bytes(images.encode_jpeg(picture, quality))
    fresh.replace(path)
