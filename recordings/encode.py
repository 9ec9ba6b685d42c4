"""Makes the next part of a take: its JPEGs become H.264 in a fragmented MP4, at their true capture times. Pure.

Called by jobs.py. Killed at any step it is simply repeated: a part counts once state.json says so, and a picture goes
after that.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import ColorRange, VideoReformatter
from av.video.stream import VideoStream

from cameras.ring import captured_at_of
from recordings.parts import Chunk, Parts, Progress

TICKS = 90_000
TIME_BASE = Fraction(1, TICKS)
LEAST_TICKS = 90  # Between pictures of the same instant.
KEY_S = 2.0  # A player that seeks decodes no more than this.
LAST_S = 0.1  # At most, of the very last picture: what came after it is not known.
LEAST_SIDE = 16
NOMINAL_FPS = 30  # Only the level in the header follows from it.
BLACK_Y, GREY_UV = 16, 128
# Every part is a file of its own whose times and fragment numbers go on from the one before.
MOV_FLAGS = "empty_moov+default_base_moof+frag_keyframe+frag_discont+skip_trailer"
# What JPEG is: BT.601's matrix on the primaries and the transfer curve of sRGB.
MATRIX_BT601, PRIMARIES_BT709, TRANSFER_SRGB = 5, 1, 13


@dataclass(frozen=True, slots=True)
class X264:
    preset: str
    quality: int

    def options(self) -> dict[str, str]:
        """One thread, for analysis comes first; `stitchable` gives all parts the same header, whatever is in them."""
        return {
            "preset": self.preset,
            "crf": str(self.quality),
            "bf": "0",
            "threads": "1",
            "forced-idr": "1",
            "x264-params": "keyint=infinite:stitchable=1",
        }


def encode(parts: Parts, chunk: Chunk, x264: X264) -> Progress:
    """Writes one part, then how far the take has come, then removes its pictures; returns that progress."""
    before = parts.read()
    if not before.frames:
        before = replace(before, preset=x264.preset, quality=x264.quality)
    parts.folder.mkdir(exist_ok=True)
    path = parts.path(before.next_number)
    fresh = path.with_name(f".{path.name}")
    try:
        with _Part(fresh, before) as part:
            for number, picture in enumerate(chunk.pictures):
                part.add(picture, _times(chunk, number))
    except OSError:  # No room, most likely: what is half written must not use it up.
        fresh.unlink(missing_ok=True)
        raise
    after = replace(part.progress, last_name=chunk.pictures[-1].name)
    if after.frames > before.frames:
        _sync(fresh)
        fresh.replace(path)
        after = replace(after, next_number=before.next_number + 1, fragments=before.fragments + part.fragments)
    parts.write(after)
    drop(chunk.pictures)
    return after


def drop(pictures: Sequence[Path]) -> None:
    for picture in pictures:
        picture.unlink(missing_ok=True)


def _times(chunk: Chunk, number: int) -> tuple[float, float | None]:
    """When this picture was captured, and the next one."""
    at = captured_at_of(chunk.pictures[number].name)
    following = chunk.pictures[number + 1 : number + 2]
    return at, captured_at_of(following[0].name) if following else chunk.next_at


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


class _Part:
    """One part while it is written; its file is there from the first picture that can be decoded."""

    def __init__(self, path: Path, before: Progress) -> None:
        self.progress = before
        self.fragments = 0
        self._path = path
        self._decoder = Decoder()
        self._output: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._key_at: float | None = None
        self._last_ticks = 0

    def __enter__(self) -> _Part:
        return self

    def __exit__(self, error_type: type[BaseException] | None, *_error: object) -> None:
        if self._output is None or self._stream is None:
            return
        if error_type is None:
            self._mux(None)
        self._output.close()

    def add(self, picture: Path, times: tuple[float, float | None]) -> None:
        frame = self._decoder.decode(picture.read_bytes())
        if frame is None:
            self.progress = replace(self.progress, left_out=self.progress.left_out + 1)
            return
        at, next_at = times
        if not self.progress.frames:
            size_wh = _even(frame.width), _even(frame.height)
            self.progress = replace(self.progress, first_at=at, last_at=at, width=size_wh[0], height=size_wh[1])
        if self._output is None:
            self._open()
        pts = max(
            round((at - self.progress.first_at) * TICKS),
            self.progress.last_pts + LEAST_TICKS if self.progress.frames else 0,
        )
        interval_s = (next_at if next_at is not None else at + min(LAST_S, at - self.progress.last_at or LAST_S)) - at
        self._last_ticks = max(round(interval_s * TICKS), 1)
        fitted = self._decoder.fit(frame, self.progress.width, self.progress.height)
        fitted.pts, fitted.time_base = pts, TIME_BASE
        fitted.pict_type = PictureType.NONE  # Every JPEG comes as a key picture.
        if self._is_key_due(at, next_at):
            self._key_at = at
            fitted.pict_type = PictureType.I
        self.progress = replace(self.progress, last_at=at, last_pts=pts, frames=self.progress.frames + 1)
        self._mux(fitted)

    def _is_key_due(self, at: float, next_at: float | None) -> bool:
        return self._key_at is None or (at if next_at is None else next_at) - self._key_at > KEY_S

    def _open(self) -> None:
        options = {
            "movflags": MOV_FLAGS,
            "fragment_index": str(self.progress.fragments + 1),
            "avoid_negative_ts": "disabled",
        }
        self._output = av.open(str(self._path), "w", format="mp4", options=options)
        x264 = X264(self.progress.preset, self.progress.quality)
        self._stream = self._output.add_stream("libx264", rate=NOMINAL_FPS, options=x264.options())
        context = self._stream.codec_context
        context.width, context.height, context.pix_fmt = self.progress.width, self.progress.height, "yuv420p"
        context.time_base = TIME_BASE
        context.color_range, context.colorspace = ColorRange.MPEG, MATRIX_BT601
        context.color_primaries, context.color_trc = PRIMARIES_BT709, TRANSFER_SRGB

    def _mux(self, frame: VideoFrame | None) -> None:
        assert self._output is not None
        assert self._stream is not None
        for packet in self._stream.encode(frame):
            self.fragments += packet.is_keyframe  # Also one that the encoder chose by itself.
            packet.duration = (
                self._last_ticks
            )  # Only that of the last one is used; the others end where the next begins.
            self._output.mux(packet)


class Decoder:
    """JPEG to YUV of limited range without a detour over RGB; keeps the scaler between pictures."""

    def __init__(self) -> None:
        self._jpeg = _mjpeg()
        self._scaler = VideoReformatter()

    def decode(self, jpeg: bytes) -> VideoFrame | None:
        """None where nothing can be made of it; of a picture that is damaged in part, what could be decoded."""
        try:
            frames = self._jpeg.decode(av.Packet(jpeg)) if jpeg else []
        except av.FFmpegError:
            self._jpeg = _mjpeg()
            return None
        return frames[0] if frames else None

    def fit(self, frame: VideoFrame, width: int, height: int) -> VideoFrame:
        """The picture in the clip's size; of other proportions with black beside it."""
        scale = min(width / frame.width, height / frame.height)
        inner_wh = _even(round(frame.width * scale)), _even(round(frame.height * scale))
        if abs(inner_wh[0] - width) <= 2 and abs(inner_wh[1] - height) <= 2:
            return self._scale(frame, width, height)
        return _letterbox(self._scale(frame, min(inner_wh[0], width), min(inner_wh[1], height)), width, height)

    def _scale(self, frame: VideoFrame, width: int, height: int) -> VideoFrame:
        return self._scaler.reformat(
            frame, width, height, "yuv420p", dst_color_range=ColorRange.MPEG, dst_colorspace=MATRIX_BT601, threads=1
        )


def _mjpeg() -> VideoCodecContext:
    context = av.CodecContext.create("mjpeg", "r")
    assert isinstance(context, VideoCodecContext)
    return context


def _even(side: int) -> int:
    return max(side - side % 2, LEAST_SIDE)


def _letterbox(inner: VideoFrame, width: int, height: int) -> VideoFrame:
    outer = VideoFrame(width, height, "yuv420p")
    left, top = (width - inner.width) // 4 * 2, (height - inner.height) // 4 * 2
    for number, (target, source) in enumerate(zip(_planes(outer), _planes(inner), strict=True)):
        half = 2 if number else 1
        target[:] = GREY_UV if number else BLACK_Y
        y, x = top // half, left // half
        target[y : y + source.shape[0], x : x + source.shape[1]] = source
    return outer


def _planes(frame: VideoFrame) -> Iterator[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    for plane in frame.planes:
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
        yield rows[:, : plane.width]
