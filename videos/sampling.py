"""The pictures of a video at a chosen rate, by its own clock: presentation timestamps, counted from its first picture.

Sample k is the picture shown at k / per_s seconds, whatever machine, load or number of threads there is.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from videos.containers import MOST_PIXELS, MOST_SIDE_PX, film_of, open_video, told_s

THREADS = 0  # Of the decoder; as many as there are cores.
MOST_PER_S = 1_000  # Pictures in a second of a video; more are a trick.
MISSING_S = 1.0  # Pictures that end so long before the file says that they do have been cut off.
TURNS = {90: 1, 180: 2, 270: 3}  # By how many quarters numpy turns a picture, counter-clockwise.


class SamplingError(ValueError):
    """The video cannot be sampled to its end; the text is a code of videos/problems.py."""


class Sample(NamedTuple):
    """`frame_bgr` is as a player shows it: turned where the file says so."""

    index: int  # type: ignore[assignment]  # Hides tuple.index, which nobody asks of a sample.
    at_s: float
    frame_bgr: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Shown:
    """A decoded picture and when it is shown, in seconds since the first one."""

    picture: VideoFrame
    at: Fraction
    lasts: Fraction  # As the file says; 0 where it does not.


def samples(
    path: Path,
    per_s: float,
    *,
    first: int = 0,
    longest_s: float | None = None,
    is_over: Callable[[], bool] = bool,
    on_damage: Callable[[], None] = lambda: None,
) -> Iterator[Sample]:
    """From sample `first` on, until `is_over`, asked at every picture: what lies before `first` may take a while.

    `on_damage` is called at every stretch that cannot be read.

    Raises SamplingError and av.FFmpegError; closed early, it frees the file.
    """
    rate = Fraction(per_s).limit_denominator(1_000)
    with open_video(path) as container:
        stream = film_of(container)
        with closing(pictures(container, stream, longest_s, on_damage)) as found:
            k = 0
            for now, following in _pairs(found):
                if is_over():
                    return
                until = following.at if following else now.at + _last_lasts(now, stream)
                frame_bgr: NDArray[np.uint8] | None = None
                while Fraction(k) / rate < until or (following is None and Fraction(k) / rate == until):
                    if k >= first:
                        frame_bgr = upright_bgr(now.picture) if frame_bgr is None else frame_bgr
                        yield Sample(k, float(Fraction(k) / rate), frame_bgr)
                    k += 1
                if following is None and max(until, now.at + now.lasts) + MISSING_S < told_s(stream):
                    on_damage()


def _pairs(found: Iterator[Shown]) -> Iterator[tuple[Shown, Shown | None]]:
    """Each picture with the one that follows it; the last one with none."""
    ended: Iterator[Shown | None] = itertools.chain(found, [None])
    return itertools.pairwise(ended)  # type: ignore[arg-type]


def pictures(
    container: InputContainer,
    stream: VideoStream,
    longest_s: float | None,
    on_damage: Callable[[], None] = lambda: None,
) -> Generator[Shown, None, None]:
    """Pictures in the order of their times; of two at the same time the first one."""
    first: Fraction | None = None
    last: Fraction | None = None
    count = 0
    for picture in _decoded(container, stream, on_damage):
        stamp = picture.pts if picture.pts is not None else picture.dts
        if stamp is None or picture.time_base is None:
            raise SamplingError("no_times")
        if max(picture.width, picture.height) > MOST_SIDE_PX or picture.width * picture.height > MOST_PIXELS:
            raise SamplingError("too_large")
        at = stamp * picture.time_base
        first = at if first is None else first
        if last is not None and at <= last:
            continue
        last = at
        count += 1
        if longest_s is not None and at - first > longest_s:
            raise SamplingError("too_long")
        if count > MOST_PER_S * (at - first + 1):
            raise SamplingError("too_many_pictures")
        yield Shown(picture, at - first, (picture.duration or 0) * picture.time_base)


def _decoded(container: InputContainer, stream: VideoStream, on_damage: Callable[[], None]) -> Iterator[VideoFrame]:
    """What can be decoded. A broken stretch is skipped; a file that breaks off is a video that ends there."""
    stream.thread_type = "AUTO"
    stream.codec_context.thread_count = THREADS
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except (av.error.InvalidDataError, av.error.EOFError):
            on_damage()
            return
        if packet is None:
            return
        try:
            decoded = packet.decode()
        except av.error.InvalidDataError:
            on_damage()
            continue
        for picture in decoded:
            assert isinstance(picture, VideoFrame)
            if picture.is_corrupt:
                on_damage()
            yield picture


def _last_lasts(last: Shown, stream: VideoStream) -> Fraction:
    """How long the last picture is shown; without a word from the file, as long as pictures of it usually are."""
    if last.lasts > 0:
        return min(last.lasts, Fraction(10))
    rate = stream.average_rate or stream.guessed_rate
    return 1 / Fraction(rate) if rate else Fraction(0)


def upright_bgr(picture: VideoFrame) -> NDArray[np.uint8]:
    frame_bgr = picture.to_ndarray(format="bgr24").astype(np.uint8, copy=False)
    turns = TURNS.get(round(picture.rotation) % 360)
    return np.ascontiguousarray(np.rot90(frame_bgr, turns)) if turns else frame_bgr
