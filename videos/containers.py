"""Opens a video file whose content nobody vouches for: only as a container of films, never as a list of other files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import cast

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

MOST_SIDE_PX = 8_192
MOST_PIXELS = 8_192 * 8_192
LEAST_SIDE_PX = 16
# By what the file begins with, FFmpeg's name of the reader that alone is allowed. None of these opens other files but
# mov, whose references to them are off unless asked for, and no protocol but `file` is let in.
MAGIC: list[tuple[int, bytes, str]] = [
    (4, b"ftyp", "mov"),
    (4, b"moov", "mov"),
    (4, b"mdat", "mov"),
    (4, b"wide", "mov"),
    (4, b"free", "mov"),
    (4, b"skip", "mov"),
    (0, b"\x1a\x45\xdf\xa3", "matroska"),
    (0, b"RIFF", "avi"),
]
HEAD_BYTES = 16


class NoVideoError(ValueError):
    """What lies there is no container of a kind that is taken."""


def reader_of(head: bytes) -> str | None:
    """The reader for a file that begins with these bytes."""
    found = next((name for at, magic, name in MAGIC if head[at : at + len(magic)] == magic), None)
    return None if found == "avi" and head[8:12] != b"AVI " else found


def open_video(path: Path) -> InputContainer:
    """With at least one video stream. Raises NoVideoError, OSError and av.FFmpegError."""
    with path.open("rb") as file:
        name = reader_of(file.read(HEAD_BYTES))
    if name is None:
        raise NoVideoError(f"{path} is no MP4, MOV, MKV, WebM or AVI.")
    options = {
        "protocol_whitelist": "file",
        "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi",
        "max_pixels": str(MOST_PIXELS),
    }
    container = av.open(
        f"file:{path}", format=name, options=options, container_options=options, metadata_errors="ignore"
    )
    try:
        film_of(container).codec_context.options = {"max_pixels": str(MOST_PIXELS)}
    except NoVideoError:
        container.close()
        raise
    return cast("InputContainer", container)


def film_of(container: InputContainer) -> VideoStream:
    """The first stream of moving pictures: what shows the cover of a disc is none. Raises NoVideoError."""
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            return stream
    raise NoVideoError("There is no video stream.")


def told_s(stream: VideoStream) -> float:
    """How long the file says that these pictures last; 0 where it does not. Matroska says when they end, if at all."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    found = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    if not found:
        return 0.0
    ends_at = sum(float(part) * unit for part, unit in zip(found.groups(), (3_600, 60, 1), strict=True))
    return max(0.0, ends_at - float((stream.start_time or 0) * (stream.time_base or 0)))
