"""A compressed stream to pictures, decoding no more of it than is needed, and to packets that are kept. Pure.

Packets wait undecoded until a picture is due; then all that it depends on is decoded at once, and it is sent on. What
has not been decoded when the next key picture comes never is. While the camera is quiet one picture a second is enough,
unless the sizes of the packets say that something stirs.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import TypeAlias

import av
from av.codec.context import ThreadType
from av.packet import Packet as PacketOf
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from cameras.packets import CODECS, Collector, Form, Packet
from cameras.pull import nal
from cameras.pull.bits import Bits
from cameras.pull.source import Control, Fault, Item, Packets, Picture, Settings
from cameras.pull.times import CaptureClock
from cameras.pull.yuv import Jpegs

AvPacket: TypeAlias = "PacketOf[VideoStream]"

QUIET_FPS = 1.0  # Every second is to be judged.
KEY_BY_S = 0.9  # So late in a second a key picture of it is waited for.
STIR_S = 2.0  # So long the full rate is kept by itself; by then the gate has spoken.
EARLY = 0.3  # Of the step between two pictures: jitter must not cost one.
LAG_S, LAGGING_S = 1.5, 2.0  # Behind by so much for so long, a decoder that is too slow goes over to key pictures.
BROKEN_GROUPS = 5  # Key pictures in a row that cannot be decoded.


class Decoding:
    """One connection's stream."""

    def __init__(self, stream: VideoStream, settings: Settings, control: Control) -> None:
        self._context = _decoder_of(stream)
        self._base = float(stream.time_base or 0)
        self._codec = self._context.name
        self._extradata = bytes(stream.codec_context.extradata or b"")
        self._control = control
        self._jpegs = Jpegs(settings.masks, max_bytes=settings.max_bytes)
        # What a mask hides is in the packets.
        may_copy = settings.copies_packets and not settings.masks and self._codec in CODECS
        self._collector = Collector() if may_copy else None
        self._clock = CaptureClock()
        self._bits = Bits()
        self._waiting: list[AvPacket] = []
        self._due_at = 0.0
        self._key_at = self._group_s = 0.0
        self._stirred_at = self._lagging_since = 0.0
        self._is_started = False
        self._is_skipping = False
        self._broken = 0
        self._last_us = 0
        self._last_form: Form | None = None
        self.pictured_at = time.monotonic()
        self.decoded = self.packets = 0

    def feed(self, packet: AvPacket, now: float) -> Iterator[Item]:
        """Takes the next packet in, which came at this Unix time. Raises Fault where nothing can be decoded."""
        if packet.size == 0 or (packet.pts is None and packet.dts is None):
            return
        self.packets += 1
        pts = packet.pts if packet.pts is not None else packet.dts
        dts = packet.dts if packet.dts is not None else pts
        assert pts is not None
        assert dts is not None
        at = self._clock.captured_at(pts * self._base, dts * self._base, now)
        decoded_at = at + (dts - pts) * self._base
        is_key = packet.is_keyframe
        if is_key:
            self._waiting.clear()
            self._bits.key()
            self._is_started, self._is_skipping = True, False
        elif not self._is_started:
            return
        elif self._control.is_quiet and self._bits.stirs(packet.size):
            self._stirred_at = now
            self._due_at = min(self._due_at, decoded_at)
        self._look_behind(at, now)
        if not self._is_skipping:
            yield from self._see(packet, decoded_at, now, is_key=is_key)
        yield from self._keep(packet, at, dts - pts, is_key=is_key)

    def flush(self) -> Iterator[Item]:
        """What of the packets was not yet a whole group, for the connection has ended."""
        if self._collector and (body := self._collector.flush()):
            yield Packets(time.time(), body)

    # --- Pictures ---

    def _is_at_rest(self, now: float) -> bool:
        return self._control.is_quiet and abs(now - self._stirred_at) > STIR_S and self._control.fps > QUIET_FPS

    def _see(self, packet: AvPacket, at: float, now: float, *, is_key: bool) -> Iterator[Item]:
        """`at`: when what is decoded with this packet was captured, which may be what another one held."""
        self._waiting.append(packet)
        is_at_rest = self._is_at_rest(now)
        step = 1 / (QUIET_FPS if is_at_rest else self._control.fps)
        if abs(self._due_at - at) > 2 * step:  # A pause, or a clock that was set: nothing is made up for.
            self._due_at = at
        if is_key:
            self._group_s, self._key_at = at - self._key_at, at
        early = 0.0 if is_at_rest else EARLY * step
        if not is_key and at < self._due_at - early:
            return
        frame = self._decode(is_key=is_key)
        if frame is None:
            return
        shown_at = frame.pts * self._base + self._clock.offset if frame.pts is not None else at
        if shown_at < self._due_at - early and not (is_key and is_at_rest):  # Which had to be decoded anyway.
            return
        self._due_at = max(self._due_at, shown_at - 0.5 * step) + step
        if is_at_rest:
            self._due_at = self._in_next_second(shown_at)
        self.pictured_at = time.monotonic()
        yield Picture(min(shown_at, now), self._jpegs.encode(frame), is_made=True)

    def _in_next_second(self, shown_at: float) -> float:
        """Each second of the clock wants a picture: its key picture if it has one, else its first, so that as little as
        can be has to be decoded before it."""
        begins = math.floor(shown_at) + 1.0
        is_key_near = begins <= self._key_at + self._group_s < begins + KEY_BY_S
        return begins + KEY_BY_S if is_key_near else begins

    def _decode(self, *, is_key: bool) -> VideoFrame | None:
        """The newest picture that what has waited gives."""
        shown: VideoFrame | None = None
        packets, self._waiting = self._waiting, []
        for number, packet in enumerate(packets, 1):
            # Pictures that no other one depends on are not worth decoding, unless one of them is to be shown.
            self._context.skip_frame = "DEFAULT" if number == len(packets) else "NONREF"
            try:
                frames = self._context.decode(packet)
            except av.FFmpegError as error:
                self._note_broken(error, is_key=is_key)
                return None
            self.decoded += 1
            shown = frames[-1] if frames else shown
        if shown is not None:
            self._broken = 0
        return shown

    def _note_broken(self, error: av.FFmpegError, *, is_key: bool) -> None:
        """Until the next key picture there is nothing to be had."""
        self._is_skipping = True
        self._broken += is_key
        if self._broken >= BROKEN_GROUPS:
            raise Fault("not_a_picture", type(error).__name__)

    def _look_behind(self, at: float, now: float) -> None:
        if now - at < LAG_S:
            self._lagging_since = 0.0
            return
        self._lagging_since = self._lagging_since or now
        if now - self._lagging_since > LAGGING_S:
            self._is_skipping = True
            self._waiting.clear()

    # --- Packets ---

    def _keep(self, packet: AvPacket, at: float, behind: int, *, is_key: bool) -> Iterator[Item]:
        if self._collector is None:
            return
        pts_us = round(at * 1e6)
        dts_us = pts_us + round(behind * self._base * 1e6)
        if self._last_us < dts_us + 1_000_000:  # Else the clock was set: a new beginning.
            dts_us = max(dts_us, self._last_us + 1)
        self._last_us = dts_us
        data = bytes(packet)
        form = self._form(data) if is_key else self._last_form
        if form is None or not form.width or not form.height:
            return
        if self._last_form is None:
            data = nal.begun_anew(self._codec, data)
        self._last_form = form
        body = self._collector.add(Packet(max(pts_us, dts_us), dts_us, is_key, data), form)
        if body is not None:
            yield Packets(at, body)

    def _form(self, data: bytes) -> Form:
        """Of a key picture, which has just been decoded."""
        sets = nal.parameter_sets(self._codec, data)
        self._extradata = sets or self._extradata
        return Form(self._codec, self._context.width, self._context.height, self._extradata)


def _decoder_of(stream: VideoStream) -> VideoCodecContext:
    """One thread: with many cameras there are enough of these, and a picture comes out as soon as it is in."""
    context = stream.codec_context
    context.thread_type = ThreadType.NONE
    context.thread_count = 1
    return context
