"""A clip's poster picture and its filmstrip: one JPEG each, next to the clip. Pure; called by finish.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from cameras import images
from cameras.images import BadImage, Picture
from cameras.ring import captured_at_of

POSTER_PX = 640  # Its longer side at most.
POSTER_QUALITY = 70
STRIP_PICTURES = 10
STRIP_PX = 160  # The width of each.
STRIP_QUALITY = 60
EXACT_S = 2.0  # Between pictures of the strip; what lies further apart may be a key picture's distance off.


def poster_of(clip: Path) -> Path:
    return clip.with_suffix(".jpg")


def strip_of(clip: Path) -> Path:
    return clip.with_suffix(".strip.jpg")


def make(video: Path, clip: Path) -> None:
    """Both pictures of this video, under the names that belong to the clip. Replaced whole."""
    frames = list(_frames(video))
    scaler = VideoReformatter()
    middle = frames[len(frames) // 2]
    _write(
        poster_of(clip), _scaled(scaler, middle, min(1, POSTER_PX / max(middle.width, middle.height))), POSTER_QUALITY
    )
    strip = np.hstack([_scaled(scaler, frame, STRIP_PX / frame.width) for frame in frames])
    _write(strip_of(clip), strip, STRIP_QUALITY)


def make_from(pictures: Sequence[Path], clip: Path) -> bool:
    """The same from JPEGs that were taken all along the clip; False where one of them cannot be read."""
    first, last = captured_at_of(pictures[0].name), captured_at_of(pictures[-1].name)
    moments = [first + (last - first) * (2 * number + 1) / (2 * STRIP_PICTURES) for number in range(STRIP_PICTURES)]
    chosen = [min(pictures, key=lambda path: abs(captured_at_of(path.name) - at)) for at in moments]
    try:
        middle = images.decode_small_bgr(chosen[len(chosen) // 2].read_bytes(), POSTER_PX)
        tiles = [images.decode_small_bgr(path.read_bytes(), 2 * STRIP_PX) for path in chosen]
    except (BadImage, FileNotFoundError):
        return False
    height = max(1, round(STRIP_PX * middle.shape[0] / middle.shape[1]))
    strip = np.hstack([cv2.resize(tile, (STRIP_PX, height), interpolation=cv2.INTER_AREA) for tile in tiles])
    _write(poster_of(clip), middle, POSTER_QUALITY)
    _write(strip_of(clip), strip.astype(np.uint8, copy=False), STRIP_QUALITY)
    return True


def _frames(video: Path) -> Iterator[VideoFrame]:
    """So many, from the middle of each tenth of the video; of a long one the nearest key pictures before."""
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        assert stream.duration is not None
        assert stream.time_base is not None
        is_exact = stream.duration * stream.time_base < STRIP_PICTURES * EXACT_S
        for number in range(STRIP_PICTURES):
            pts = stream.duration * (2 * number + 1) // (2 * STRIP_PICTURES)
            container.seek(pts, stream=stream)
            yield _shown_at(container, pts if is_exact else 0)


def _shown_at(container: InputContainer, pts: int) -> VideoFrame:
    """The picture on the screen at this time; decoding starts at the key picture before it."""
    shown: VideoFrame | None = None
    for frame in container.decode(video=0):
        if shown is not None and (frame.pts or 0) > pts:
            break
        shown = frame
    assert shown is not None
    return shown


def _scaled(scaler: VideoReformatter, frame: VideoFrame, scale: float) -> Picture:
    size_wh = max(1, round(frame.width * scale)), max(1, round(frame.height * scale))
    small = scaler.reformat(frame, *size_wh, format="bgr24", interpolation=Interpolation.AREA, threads=1)
    return small.to_ndarray().astype(np.uint8, copy=False)


def _write(path: Path, picture: Picture, quality: int) -> None:
    fresh = path.with_name(f".{path.name}")
    fresh.write_bytes(images.encode_jpeg(picture, quality))
    fresh.replace(path)
