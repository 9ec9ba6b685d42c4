"""Looks into a file of which nobody knows what it is: run as a process of its own, with little memory and time.

`python -m videos.probe FILE` prints what it found as JSON: the fields of `Found`, or {"problem": code}.
"""

from __future__ import annotations

import json
import os
import resource
import struct
import sys
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from videos.containers import (
    HEAD_BYTES,
    LEAST_SIDE_PX,
    MOST_PIXELS,
    MOST_SIDE_PX,
    NoVideoError,
    film_of,
    open_video,
    reader_of,
    told_s,
)

MEMORY_BYTES = 3_000_000_000  # Of addresses, of which Python and FFmpeg take a third.
CPU_S = 30
LOOKED_AT = 400  # Packets, within which a picture must come, and of which the rate is measured.
SHORT = 0.01  # A file may lack so much of what its header promises; some writers count a little differently.
OFF_S = 0.05  # The first picture is at the beginning; else players count otherwise than the analysis, each its own way.
PLAIN_AUDIO = {"mp4": {"aac", "mp3"}, "webm": {"opus", "vorbis"}}
PLAIN_VIDEO = {"mp4": {"h264"}, "webm": {"vp8", "vp9", "av1"}}
PLAIN_PIXELS = {"yuv420p", "yuvj420p"}


@dataclass(frozen=True, slots=True)
class Found:
    """Width and height as shown. `is_playable`: every browser of today plays the file as it is, by the clock that
    the analysis counts by."""

    container: str
    extension: str
    codec: str
    width: int
    height: int
    fps: float
    duration_s: float
    is_playable: bool


class ProblemError(Exception):
    """The text is a code of videos/problems.py."""


def look(path: Path, *, longest_s: float, most_fps: float) -> Found:
    """Raises ProblemError, and what FFmpeg raises."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(4_096)
        reader = reader_of(head[:HEAD_BYTES])
        if reader is None:
            raise ProblemError("not_video")
        is_cut_off = ENDS[reader](file, size)
    try:
        with open_video(path) as container:
            found = _look(container, _kind(reader, head), longest_s=longest_s, most_fps=most_fps)
    except (av.FFmpegError, ProblemError) as error:
        if is_cut_off and not (isinstance(error, ProblemError) and str(error).startswith("too_")):
            raise ProblemError("cut_off") from error
        raise
    if is_cut_off:
        raise ProblemError("cut_off")
    return found


def _look(container: InputContainer, kind: str, *, longest_s: float, most_fps: float) -> Found:
    stream = film_of(container)
    _check_size(stream.codec_context.width, stream.codec_context.height)
    duration_s = _told_s(container, stream)
    if duration_s > longest_s:
        raise ProblemError("too_long")
    if stream.frames > max(1.0, longest_s) * most_fps:
        raise ProblemError("too_many_pictures")
    first, fps = _first_picture(container, stream, most_fps)
    turned = round(first.rotation) % 180 == 90
    if not duration_s:
        duration_s = _counted_s(container, stream, longest_s)
    audio = {each.codec_context.name for each in container.streams.audio}
    codec = stream.codec_context.name
    is_playable = (
        codec in PLAIN_VIDEO.get(kind, set())
        and first.format.name in PLAIN_PIXELS
        and audio <= PLAIN_AUDIO[kind]
        and _begins_at_once(first)
    )
    return Found(
        container=kind,
        extension=kind,
        codec=codec,
        width=first.height if turned else first.width,
        height=first.width if turned else first.height,
        fps=round(fps, 3),
        duration_s=round(duration_s, 3),
        is_playable=is_playable,
    )


def _begins_at_once(first: VideoFrame) -> bool:
    return first.pts is None or not first.time_base or abs(float(first.pts * first.time_base)) <= OFF_S


def _check_size(width: int, height: int) -> None:
    if max(width, height) > MOST_SIDE_PX or width * height > MOST_PIXELS:
        raise ProblemError("too_large")
    if 0 < min(width, height) < LEAST_SIDE_PX:
        raise ProblemError("too_small")


def _told_s(container: InputContainer, stream: VideoStream) -> float:
    """What the header says; 0 where it says nothing."""
    return told_s(stream) or float((container.duration or 0) / av.time_base)


def _first_picture(container: InputContainer, stream: VideoStream, most_fps: float) -> tuple[VideoFrame, float]:
    """And how many there are in a second: what the header says, but never less than what is seen, and never as many as
    no film has: Matroska's clock ticks a thousand times a second, and some files pass that off as their rate."""
    first: VideoFrame | None = None
    stamps: list[Fraction] = []
    for number, packet in enumerate(container.demux(stream)):
        if packet.size and packet.dts is not None:
            stamps.append(packet.dts * packet.time_base)
        if first is None:
            first = _decoded(packet)
        if number >= LOOKED_AT or (first is not None and number >= LOOKED_AT // 4):
            break
    if first is None:
        raise ProblemError("no_pictures")
    _check_size(first.width, first.height)
    told = stream.average_rate or stream.guessed_rate or stream.base_rate
    fps = float(told) if told else 0.0
    if len(stamps) > 1:
        span = max(stamps) - min(stamps)
        if span <= 0:
            raise ProblemError("no_fps")
        seen = float((len(stamps) - 1) / span)
        fps = max(fps, seen) if fps <= most_fps else seen
    if fps <= 0:
        raise ProblemError("no_fps")
    if fps > most_fps:
        raise ProblemError("fps_too_high")
    return first, fps


def _decoded(packet: av.Packet) -> VideoFrame | None:
    try:
        pictures = packet.decode()
    except av.error.InvalidDataError:
        return None
    return next((picture for picture in pictures if isinstance(picture, VideoFrame)), None)


def _counted_s(container: InputContainer, stream: VideoStream, longest_s: float) -> float:
    """Of a file that does not say how long it is, as browsers record them."""
    container.seek(0)
    last = 0.0
    for packet in container.demux(stream):
        if packet.pts is not None:
            last = max(last, float((packet.pts + (packet.duration or 0)) * packet.time_base))
            if last > longest_s:
                raise ProblemError("too_long")
    return last


def _kind(reader: str, head: bytes) -> str:
    if reader == "matroska":
        return "webm" if b"webm" in head[:64] else "mkv"
    if reader == "mov":
        return "mov" if head[4:8] != b"ftyp" or head[8:12] == b"qt  " else "mp4"
    return reader


# --- Whether the file ends before its own sizes say it does ---


def _mov_is_cut(file: BinaryIO, size: int) -> bool:
    at = 0
    while at + 8 <= size:
        file.seek(at)
        length, kind = struct.unpack(">I4s", file.read(8))
        if length == 1:
            length = int.from_bytes(file.read(8), "big")
        if length == 0:  # To the end.
            return False
        if length < 8:
            return bool(kind != b"\0\0\0\0")
        at += length
    return at > size


def _matroska_is_cut(file: BinaryIO, size: int) -> bool:
    """The header's element, then the segment, which holds all else and may leave its size open."""
    file.seek(0)
    start = file.read(4_096)
    at = 4
    length, width = _ebml(start, at)
    at += width + (length or 0)
    if start[at : at + 4] != b"\x18\x53\x80\x67":
        return False
    length, width = _ebml(start, at + 4)
    return length is not None and at + 4 + width + length > size


def _ebml(data: bytes, at: int) -> tuple[int | None, int]:
    """A number of variable width, None where it is left open, and its width."""
    if at >= len(data) or not data[at]:
        return None, 1
    width = 9 - data[at].bit_length()
    value = int.from_bytes(data[at : at + width], "big") & ((1 << 7 * width) - 1)
    return (None if value == (1 << 7 * width) - 1 else value), width


def _avi_is_cut(file: BinaryIO, size: int) -> bool:
    file.seek(4)
    told = int.from_bytes(file.read(4), "little")
    return bool(told > 0 and told + 8 > size + max(1, SHORT * size))


ENDS = {"mov": _mov_is_cut, "matroska": _matroska_is_cut, "avi": _avi_is_cut}


def main() -> None:
    path, longest_s, most_fps = Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
    os.nice(5)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        answer = asdict(look(path, longest_s=longest_s, most_fps=most_fps))
    except ProblemError as error:
        answer = {"problem": str(error)}
    except NoVideoError:
        answer = {"problem": "no_stream"}
    except (MemoryError, av.error.MemoryError):
        answer = {"problem": "too_heavy"}
    except (av.FFmpegError, ValueError, OverflowError, ZeroDivisionError) as error:
        answer = {"problem": "unreadable", "detail": str(error)[:200]}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
