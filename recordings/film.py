"""Joins stretches of several clips into one MP4: packets are copied, or encoded anew where clips differ in form. Pure.

Called by export.py. Between two stretches nothing is shown: what was not recorded takes no time in the film.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import ColorRange
from av.video.stream import VideoStream

from cameras.pull import nal
from recordings.encode import MATRIX_BT601, NOMINAL_FPS, TICKS, TIME_BASE, X264, Decoder

LAST_TICKS = TICKS // 10


class NothingInItError(Exception):
    """None of the stretches holds a picture."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Of one clip, in seconds since its start. It begins with the key picture at or before `start_s`."""

    clip: Path
    start_s: float
    end_s: float


Tell = Callable[[float], None]  # How much is done, 0 to 1; whoever raises in it ends the work.


def join(stretches: Sequence[Stretch], to: Path, x264: X264, tell: Tell) -> None:
    """Raises OSError, av.FFmpegError or NothingInItError; what is half written is left to the caller."""
    is_same = len({_form(stretch.clip) for stretch in stretches}) == 1
    with av.open(
        str(to), "w", format="mp4", options={"movflags": "faststart", "avoid_negative_ts": "disabled"}
    ) as output:
        writer = (_Copy if is_same else _Encode)(output, x264)
        whole_s = sum(stretch.end_s - stretch.start_s for stretch in stretches) or 1.0
        done_s = 0.0
        for stretch in stretches:
            with av.open(str(stretch.clip)) as source:
                for at_s in writer.add(source, stretch):
                    tell(min(1.0, (done_s + at_s - stretch.start_s) / whole_s))
            done_s += stretch.end_s - stretch.start_s
        writer.finish()
        if not writer.count:
            raise NothingInItError


def _form(clip: Path) -> tuple[int, int, bytes]:
    """What clips must have in common to be copied into one film."""
    with av.open(str(clip)) as source:
        context = source.streams.video[0].codec_context
        return context.width, context.height, bytes(context.extradata or b"")


def _ticks(time: int, track: VideoStream) -> int:
    assert track.time_base
    return round(time * track.time_base * TICKS)


class _Writer:
    """Puts stretches one behind the other on the film's own time."""

    def __init__(self, output: OutputContainer, x264: X264) -> None:
        self.count = 0
        self._output = output
        self._x264 = x264
        self._stream: VideoStream | None = None
        self._next_ticks = 0  # Where the next stretch begins.

    def add(self, source: InputContainer, stretch: Stretch) -> Iterator[float]:
        """Yields where in the clip it is."""
        track = source.streams.video[0]
        assert track.time_base
        source.seek(int(max(0.0, stretch.start_s) / track.time_base), stream=track, backward=True)
        first: int | None = None
        shift = 0
        for packet in source.demux(track):
            if packet.pts is None:
                continue
            at_s = float(packet.pts * track.time_base)
            # What a camera has encoded may be shown in another order than it is decoded.
            decoded_s = at_s if packet.dts is None else float(packet.dts * track.time_base)
            if min(at_s, decoded_s) >= stretch.end_s:
                break
            ticks = _ticks(packet.pts, track)
            if first is None:
                first, shift = ticks, self._next_ticks - ticks
            if ticks < first:  # It depends on what is before the stretch.
                continue
            self._write(packet, track, shift, is_first=ticks == first)
            length = _ticks(packet.duration or 0, track) or LAST_TICKS
            self._next_ticks = max(self._next_ticks, ticks + shift + length)
            self.count += 1
            yield at_s
        self._end(track, shift)

    def _write(self, packet: Packet[VideoStream], track: VideoStream, shift: int, *, is_first: bool) -> None:
        """`shift`: by so many ticks the stretch's times move. `is_first`: of the stretch."""
        raise NotImplementedError

    def _end(self, track: VideoStream, shift: int) -> None:
        """Of a stretch."""

    def finish(self) -> None:
        """Writes what is still held back."""


class _Copy(_Writer):
    _dts = -TICKS

    def _write(self, packet: Packet[VideoStream], track: VideoStream, shift: int, *, is_first: bool) -> None:
        if self._stream is None:
            self._stream = self._output.add_stream_from_template(track)
            self._stream.codec_context.codec_tag = track.codec_context.codec_tag
            self._stream.time_base = TIME_BASE
        pts = _ticks(packet.pts or 0, track) + shift
        dts = pts if packet.dts is None else _ticks(packet.dts, track) + shift
        self._dts = max(dts, self._dts + 1)
        data = bytes(packet)
        if is_first:
            data = nal.begun_anew(track.codec_context.name, data, is_in_mp4=True)
        copied = av.Packet(data)
        copied.stream, copied.time_base, copied.is_keyframe = self._stream, TIME_BASE, packet.is_keyframe
        copied.duration = _ticks(packet.duration or 0, track)
        copied.pts, copied.dts = max(pts, self._dts), self._dts
        self._output.mux(copied)


class _Encode(_Writer):
    """In the size of the first clip, with black beside pictures of other proportions."""

    def __init__(self, output: OutputContainer, x264: X264) -> None:
        super().__init__(output, x264)
        self._decoder = Decoder()
        self._key_ticks, self._last_ticks = -TICKS, -1

    def _write(self, packet: Packet[VideoStream], track: VideoStream, shift: int, *, is_first: bool) -> None:
        self._show(packet.decode(), track, shift)

    def _end(self, track: VideoStream, shift: int) -> None:
        self._show(track.codec_context.decode(None), track, shift)

    def _show(self, frames: Sequence[VideoFrame], track: VideoStream, shift: int) -> None:
        stream = self._stream or self._open(track)
        for frame in frames:
            ticks = max(_ticks(frame.pts or 0, track) + shift, self._last_ticks + 1)
            fitted = self._decoder.fit(frame, stream.codec_context.width, stream.codec_context.height)
            fitted.pts, fitted.time_base = ticks, TIME_BASE
            is_due = ticks - self._key_ticks >= TICKS or ticks == 0
            fitted.pict_type = PictureType.I if is_due else PictureType.NONE
            self._key_ticks = ticks if is_due else self._key_ticks
            self._last_ticks = ticks
            self._output.mux(stream.encode(fitted))

    def _open(self, track: VideoStream) -> VideoStream:
        options = self._x264.options() | {"tune": "zerolatency"}
        self._stream = stream = self._output.add_stream("libx264", rate=NOMINAL_FPS, options=options)
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = (
            track.codec_context.width,
            track.codec_context.height,
            "yuv420p",
        )
        context.time_base = Fraction(TIME_BASE)
        context.color_range, context.colorspace = ColorRange.MPEG, MATRIX_BT601
        return stream

    def finish(self) -> None:
        if self._stream is not None:
            self._output.mux(self._stream.encode(None))
