"""The H.264 copy of a video that browsers cannot play as it is: made in the background, and taken up by the player."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from uuid import UUID

import av
from av.container import OutputContainer
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream
from django.conf import settings
from django.db import DatabaseError, connections

from recordings.stores import StoreError
from recordings.worker import stopping
from videos import announce, places, removal
from videos.containers import NoVideoError, film_of, open_video
from videos.models import Video
from videos.originals import LostError, original_of
from videos.sampling import SamplingError, pictures, upright_bgr
from videos.sound import Sound
from videos.storages import put

logger = logging.getLogger(__name__)

TICKS = 90_000
NOMINAL_FPS = 30  # Only the level in the header follows from it.
LOOK_S = 0.5
LONGEST_PX = 1_920  # Of the longer side; who wants more downloads the original.
ATTEMPTS = 3
TRIES = "attempts"


_busy = threading.Lock()


class GoneError(Exception):
    """Nobody waits for the copy any more, or the worker is to stop."""


def begin(video_id: UUID) -> None:
    """Makes it in a thread, one at a time in a worker; the clock asks again for the others."""
    if _busy.acquire(blocking=False):
        threading.Thread(target=_run, args=(video_id,), name="copy", daemon=True).start()


def _run(video_id: UUID) -> None:
    try:
        make(video_id)
    except DatabaseError as error:
        logger.warning("video %s: its copy is made later: %s", video_id, error)
    finally:
        connections.close_all()
        _busy.release()


def make(video_id: UUID) -> None:
    """Unless it is made; returns when it is."""
    folder = places.copy_work_of(video_id)
    video = Video.objects.complete().filter(pk=video_id, wants_copy=True, has_copy=False).first()
    if video is None:
        return
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with places.owned(folder) as is_owner:
        if not is_owner:
            return
        try:
            _make(video, folder)
        except GoneError:
            pass
        except StoreError as error:  # The clock asks again; nothing is counted, and what is made is kept.
            logger.warning("video %s: its copy is stored later: %s", video_id, error)
            return
        except (av.FFmpegError, NoVideoError, SamplingError, LostError, OSError) as error:
            logger.warning("video %s: no playable copy: %r", video_id, error)
            _count(video, folder)
            return
        places.remove_work_folder(folder)
    if not Video.objects.filter(pk=video_id).exists():
        removal.clear(video_id)


def _count(video: Video, folder: Path) -> None:
    """After some tries the copy is given up: the page then offers the original alone."""
    path = folder / TRIES
    count = int(path.read_text() or 0) + 1 if path.exists() else 1
    path.write_text(str(count))
    if count >= ATTEMPTS:
        Video.objects.filter(pk=video.pk).update(wants_copy=False)
        places.remove_work_folder(folder)


def _make(video: Video, folder: Path) -> None:
    fresh = folder / places.COPY
    if not fresh.exists():  # Else it could not be stored the last time.
        unfinished = fresh.with_name(f".{fresh.name}")
        copy(original_of(video, folder), unfinished, _Asker(video.pk))
        unfinished.replace(fresh)
    put(video.name_of(places.COPY), fresh)
    if Video.objects.filter(pk=video.pk).update(has_copy=True):
        announce.video(Video.objects.get(pk=video.pk), "changed")


class _Asker:
    """Ends what nobody waits for."""

    def __init__(self, video_id: UUID) -> None:
        self._video_id, self._looked_at = video_id, time.monotonic()

    def __call__(self) -> None:
        if time.monotonic() - self._looked_at < LOOK_S:
            return
        self._looked_at = time.monotonic()
        if stopping.is_set() or not Video.objects.filter(pk=self._video_id).exists():
            raise GoneError


def copy(source: Path, target: Path, ask: Callable[[], None]) -> None:
    """Every picture at its time on the video's clock, upright, no larger than browsers like; with the sound."""
    with open_video(source) as film, av.open(str(target), "w", format="mp4", options={"movflags": "faststart"}) as made:
        out: VideoStream | None = None
        sound: Sound | None = None
        for shown in pictures(film, film_of(film), None):
            ask()
            picture = shown.picture
            begins = _at(picture) - shown.at
            if round(picture.rotation) % 360:
                picture = VideoFrame.from_ndarray(upright_bgr(picture), format="bgr24")
            if out is None:
                out = _stream(made, picture.width, picture.height)
                if tracks := film.streams.audio:
                    sound = Sound(source, made, begins, channels=tracks[0].codec_context.channels)
            even = picture.reformat(out.width, out.height, "yuv420p")
            even.pts, even.time_base = int(shown.at * TICKS), Fraction(1, TICKS)
            even.pict_type = PictureType.NONE
            made.mux(out.encode(even))
            if sound:
                sound.mux(shown.at + shown.lasts)
        if out is None:
            raise NoVideoError(f"{source} has no picture that can be decoded.")
        made.mux(out.encode(None))
        if sound:
            sound.end()


def _at(picture: VideoFrame) -> Fraction:
    stamp = picture.pts if picture.pts is not None else picture.dts
    assert stamp is not None
    assert picture.time_base is not None
    return stamp * picture.time_base


def _stream(made: OutputContainer, width: int, height: int) -> VideoStream:
    scale = min(1.0, LONGEST_PX / max(width, height))
    out = made.add_stream(
        "libx264", rate=30, options={"preset": settings.CLIP_PRESET, "crf": str(settings.CLIP_QUALITY)}
    )
    out.width, out.height = max(2, int(width * scale) // 2 * 2), max(2, int(height * scale) // 2 * 2)
    out.pix_fmt = "yuv420p"
    out.codec_context.time_base = Fraction(1, TICKS)
    out.codec_context.thread_count = 1  # Analysis comes first.
    return out
