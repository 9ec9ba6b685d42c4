"""Sources that are files below one folder: `file:gate.mp4`, in real time and once. Pure.

`?loop=1` begins anew at the end; `?fast=1` goes as fast as analysis does and leaves nothing out, with the times at
which the pictures are read: a file of the past has no capture times of its own.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO
from urllib.parse import parse_qs

import av
from av.bitstream import BitStreamFilterContext
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from cameras.pull.decode import Decoding
from cameras.pull.source import Connected, Control, Fault, Item, Picture, Settings
from cameras.pull.yuv import Jpegs

# Containers that hold their pictures themselves, and no list of other files.
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,h264,hevc,mjpeg,flv,asf,jpeg_pipe,png_pipe"
UNDER_WAY = 2  # Pictures that analysis may have before it, where none is to be lost.
ANSWER_S = 60.0
LONGEST_STEP_S = 8.0  # From one picture to the next; times that jump further, or back, are not waited for.
TO_ANNEX_B = {"h264": "h264_mp4toannexb", "hevc": "hevc_mp4toannexb"}


def read(settings: Settings, control: Control) -> Iterator[Item]:
    av.logging.set_level(None)
    name, _mark, query = settings.source.removeprefix("file:").partition("?")
    wanted = parse_qs(query)
    is_looped, is_fast = (wanted.get(word, ["0"])[-1] not in ("0", "no", "") for word in ("loop", "fast"))
    is_told = False
    while True:
        with opened(Path(settings.files_dir), name) as file, _container(file) as container:
            stream = container.streams.video[0]
            if not is_told:
                is_told = True
                yield Connected(stream.codec_context.name, wants_answers=is_fast)
            yield from (_fast if is_fast else _in_real_time)(container, stream, settings, control)
        if not is_looped or control.stopping.is_set():
            raise Fault("ended")


def opened(folder: Path, name: str) -> BinaryIO:
    """The file of this name below the folder, wherever links in between lead. Raises Fault."""
    try:
        root = folder.resolve(strict=True)
        path = (root / name).resolve(strict=True)
        if not path.is_relative_to(root) or not path.is_file():
            raise FileNotFoundError
        return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb")
    except (OSError, ValueError, RuntimeError):
        raise Fault("file_missing", Path(name).name[:60]) from None


def _container(file: BinaryIO) -> InputContainer:
    options = {"protocol_whitelist": "none", "format_whitelist": FORMATS}
    try:
        container: InputContainer = av.open(file, options=options)
    except (av.FFmpegError, OSError) as error:
        raise Fault("unsupported", type(error).__name__) from None
    if not container.streams.video:
        container.close()
        raise Fault("unsupported", "no video")
    return container


def _in_real_time(
    container: InputContainer, stream: VideoStream, settings: Settings, control: Control
) -> Iterator[Item]:
    decoding = Decoding(stream, settings, control)
    due_at, last_s = time.monotonic(), None
    for packet in annex_b(container, stream):
        at = packet.dts if packet.dts is not None else packet.pts
        if at is None:
            continue
        at_s = float(at * (packet.time_base or Fraction(0)))
        step_s = at_s - last_s if last_s is not None else 0.0
        due_at, last_s = due_at + (step_s if 0 <= step_s <= LONGEST_STEP_S else 0.0), at_s
        if not control.wait(due_at - time.monotonic()):
            break
        yield from decoding.feed(packet, time.time())
    yield from decoding.flush()


def annex_b(container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream]]:
    """As cameras send it: MP4 has another way of dividing it."""
    name = TO_ANNEX_B.get(stream.codec_context.name)
    extradata = bytes(stream.codec_context.extradata or b"")
    filter_ = BitStreamFilterContext(name, stream) if name and extradata[:1] == b"\x01" else None
    if filter_:
        stream.codec_context.extradata = None  # All there is to say now comes with every key picture.
    try:
        for packet in container.demux(stream):
            if packet.size and filter_:
                yield from filter_.filter(packet)
            elif packet.size:
                yield packet
    except av.FFmpegError as error:
        raise Fault("not_a_picture", type(error).__name__) from None


def _fast(container: InputContainer, stream: VideoStream, settings: Settings, control: Control) -> Iterator[Item]:
    jpegs, due = Jpegs(settings.masks, max_bytes=settings.max_bytes), 0.0
    try:
        for frame in container.decode(stream):
            at = frame.time or 0.0
            if at < due - 1e-3:
                continue
            due = max(due, at - 0.5 / control.fps) + 1 / control.fps
            if not control.wait_for_answers(most=UNDER_WAY - 1, timeout_s=ANSWER_S) or control.stopping.is_set():
                return
            control.sent()
            yield Picture(time.time(), jpegs.encode(frame), is_made=True)
    except av.FFmpegError as error:
        raise Fault("not_a_picture", type(error).__name__) from None
