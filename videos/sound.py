"""The sound of a video, encoded anew for browsers beside its pictures. Where it cannot be read there is silence."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.audio.frame import AudioFrame
from av.container import OutputContainer

from videos.containers import open_video

logger = logging.getLogger(__name__)

RATE = 48_000


class Sound:
    """Of a file that has some. `begins` is when the file shows its first picture, in seconds of its own clock."""

    def __init__(self, source: Path, made: OutputContainer, begins: Fraction, *, channels: int) -> None:
        self._made = made
        self._out = made.add_stream("aac", rate=RATE, layout="mono" if channels == 1 else "stereo")
        self._heard = _heard(source, begins)
        self._at = Fraction(-1)

    def mux(self, until: Fraction) -> None:
        """What is heard before this time, in seconds since the first picture."""
        try:
            while self._at < until and (frame := next(self._heard, None)):
                assert frame.pts is not None
                at = Fraction(frame.pts, frame.sample_rate)
                if at > self._at:
                    self._at = at
                    self._made.mux(self._out.encode(frame))
        except (av.FFmpegError, ValueError) as error:  # PyAV's ValueError: it changes its kind on the way.
            logger.warning("the sound of %s breaks off: %r", self._made.name, error)
            self._heard = iter(())

    def end(self) -> None:
        try:
            self._made.mux(self._out.encode(None))
        except (av.FFmpegError, ValueError) as error:
            logger.warning("the sound of %s has no end: %r", self._made.name, error)


def _heard(source: Path, begins: Fraction) -> Iterator[AudioFrame]:
    with open_video(source) as container:
        track = container.streams.audio[0]
        for packet in container.demux(track):
            try:
                frames = packet.decode()
            except av.error.InvalidDataError:
                continue
            for frame in frames:
                assert isinstance(frame, AudioFrame)
                if frame.pts is None or frame.time_base is None:
                    continue
                at = frame.pts * frame.time_base - begins
                if at >= 0:
                    frame.pts, frame.time_base = round(at * frame.sample_rate), Fraction(1, frame.sample_rate)
                    yield frame
