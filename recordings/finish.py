"""Makes the finished clip out of a take's parts by copying packets, with its poster, filmstrip and hash. Pure.

Called by jobs.py. Everything is written under a name with a leading dot and then renamed, so that it can be repeated.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import av
from av.container import OutputContainer
from av.video.stream import VideoStream

from recordings import copy_mend, poster
from recordings import copy_stills as stills
from recordings.encode import TIME_BASE
from recordings.parts import Parts

logger = logging.getLogger(__name__)

# What `moov` needs: a time, a size and now and then a key picture and a chunk per picture, and the track's header.
MOOV_BYTES_PER_PICTURE = 24
MOOV_BYTES_PER_DELAYED = 8  # And how much later it is shown than decoded, where their orders differ.
MOOV_BYTES = 4_096
# A part is opened without a look at its pictures, which would cost more than to copy them.
UNDECODED = {"codec_whitelist": "none", "fpsprobesize": "0"}


class NothingToKeep(Exception):
    """A take has parts, but none of them can be read."""


@dataclass(frozen=True, slots=True)
class Finished:
    size: int
    sha256: str


def name_of(camera_id: int, take_id: str, first_at: float) -> str:
    """Where a clip lies below the recordings folder: by the day and time of its first picture, in UTC."""
    return f"{camera_id}/{datetime.fromtimestamp(first_at, UTC):%Y/%m/%d/%H%M%SZ}-{take_id}.mp4"


def finish(parts: Parts, clip: Path) -> Finished:
    """Writes the clip and its pictures. Raises OSError, or NothingToKeep where none of the parts can be read."""
    progress = parts.read()
    clip.parent.mkdir(parents=True, exist_ok=True)
    fresh = clip.with_name(f".{clip.name}")
    try:
        if 0 < progress.copied < progress.next_number:
            copy_mend.mend(parts.files(progress), fresh, progress)
        else:
            join(parts.files(progress), fresh, frames=progress.frames, delay=progress.delay)
        _illustrate(fresh, clip, stills.pictures(parts.folder.parent))
        sha256 = _sha256(fresh)
        fresh.replace(clip)  # Last, so that no clip is ever without its pictures.
    except OSError:
        for path in (fresh, *companions(clip)):
            path.unlink(missing_ok=True)
        raise
    return Finished(clip.stat().st_size, sha256)


def _illustrate(video: Path, clip: Path, kept: Sequence[Path]) -> None:
    try:
        if not (kept and poster.make_from(kept, clip)):
            poster.make(video, clip)
    except av.InvalidDataError as error:  # The clip counts, not its pictures.
        logger.error("%s has no poster: %s", clip, error)


def companions(clip: Path) -> Iterator[Path]:
    """What lies beside a clip and goes with it."""
    yield poster.poster_of(clip)
    yield poster.strip_of(clip)


def join(parts: Sequence[Path], target: Path, *, frames: int, delay: int = 0) -> None:
    """Copies the packets of all parts into one MP4. Room for `moov` is kept at its start: nothing is written twice.
    `delay`: so much later, in ticks, are the times in the parts."""
    reserved = MOOV_BYTES + (MOOV_BYTES_PER_PICTURE + MOOV_BYTES_PER_DELAYED * bool(delay)) * frames
    options = {"moov_size": str(reserved), "avoid_negative_ts": "disabled"}
    with av.open(str(target), "w", format="mp4", options=options) as output:
        stream: VideoStream | None = None
        for part in parts:
            try:
                stream = _copy(part, output, stream, delay)
            except av.InvalidDataError as error:  # A power cut may leave one; the others are kept.
                logger.error("%s cannot be read and is left out: %s", part, error)
    if stream is None:
        target.unlink(missing_ok=True)
        raise NothingToKeep(f"None of the parts of {target} can be read.")


def _copy(part: Path, output: OutputContainer, stream: VideoStream | None, delay: int) -> VideoStream:
    with av.open(str(part), options=UNDECODED) as source:
        if stream is None:
            stream = output.add_stream_from_template(source.streams.video[0])
            stream.codec_context.codec_tag = source.streams.video[0].codec_context.codec_tag
            stream.time_base = TIME_BASE
        for packet in source.demux(video=0):
            if packet.dts is not None:  # The last one only says that there are no more.
                packet.stream = stream
                if delay and packet.pts is not None:
                    packet.pts, packet.dts = packet.pts - delay, packet.dts - delay
                output.mux(packet)
    return stream


def _sha256(path: Path) -> str:
    """Of what is on the disk: it is made sure of first that it gets there."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()
