"""Makes one film of a take of which some parts were copied and the later ones encoded: all is encoded anew. Pure.

Called by finish.py. It is rare: a camera that changed its size or codec, or whose packets were lost, during a clip.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import av
from av.container import OutputContainer
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import ColorRange
from av.video.stream import VideoStream

from recordings.encode import (
    KEY_S,
    LEAST_TICKS,
    MATRIX_BT601,
    NOMINAL_FPS,
    PRIMARIES_BT709,
    TICKS,
    TIME_BASE,
    TRANSFER_SRGB,
    X264,
    Decoder,
)
from recordings.parts import Progress

logger = logging.getLogger(__name__)


def mend(parts: Sequence[Path], target: Path, progress: Progress) -> None:
    """Writes the film with its index first, in the size of the first part, at the pictures' true times."""
    options = {"movflags": "faststart", "avoid_negative_ts": "disabled"}
    with av.open(str(target), "w", format="mp4", options=options) as output:
        stream = _stream(output, progress)
        fitter, last, key = Decoder(), -LEAST_TICKS, -TICKS * KEY_S
        for ticks, frame in _frames(parts, progress):
            fitted = fitter.fit(frame, progress.width, progress.height)
            fitted.pts, fitted.time_base = max(ticks, last + LEAST_TICKS), TIME_BASE
            last = fitted.pts
            is_key_due = last - key >= TICKS * KEY_S
            fitted.pict_type = PictureType.I if is_key_due else PictureType.NONE
            key = last if is_key_due else key
            output.mux(stream.encode(fitted))
        output.mux(stream.encode(None))


def _stream(output: OutputContainer, progress: Progress) -> VideoStream:
    options = X264(progress.preset, progress.quality).options()
    stream = output.add_stream("libx264", rate=NOMINAL_FPS, options=options)
    context = stream.codec_context
    context.width, context.height, context.pix_fmt = progress.width, progress.height, "yuv420p"
    context.time_base = TIME_BASE
    context.color_range, context.colorspace = ColorRange.MPEG, MATRIX_BT601
    context.color_primaries, context.color_trc = PRIMARIES_BT709, TRANSFER_SRGB
    return stream


def _frames(parts: Sequence[Path], progress: Progress) -> Iterator[tuple[int, VideoFrame]]:
    """All pictures with their times since the clip's beginning. The copied parts are one stream in several files: one
    may begin within a group of pictures."""
    copied, encoded = parts[: progress.copied], parts[progress.copied :]
    yield from _decoded(copied, delay=progress.delay)
    for part in encoded:
        yield from _decoded([part], delay=0)


def _decoded(parts: Sequence[Path], *, delay: int) -> Iterator[tuple[int, VideoFrame]]:
    context = None
    for part in parts:
        try:
            with av.open(str(part)) as source:
                track = source.streams.video[0]
                context = context or track.codec_context
                for packet in source.demux(track):
                    if packet.dts is not None:
                        yield from _with_times(context.decode(packet), delay)
        except av.FFmpegError as error:
            logger.error("%s cannot be read and is left out: %s", part, error)
    if context is not None:
        yield from _with_times(context.decode(None), delay)


def _with_times(frames: Sequence[VideoFrame], delay: int) -> Iterator[tuple[int, VideoFrame]]:
    for frame in frames:
        if frame.pts is not None and frame.time_base:
            yield round(frame.pts * frame.time_base * TICKS) - delay, frame
