"""RQ entry points of the media workers. `encode` takes one clip as far as it goes: parts, and in the end the clip."""

from __future__ import annotations

import logging
import time
from contextlib import suppress

import redis
from django.conf import settings
from django.db import close_old_connections

from cameras import folders, packet_ring
from recordings import bell, clips, copy_parts, keeping, takes
from recordings import encode as encoder
from recordings.copy_parts import TooEarly
from recordings.encode import X264
from recordings.export import make as make_film
from recordings.parts import PART_S, Chunk, Parts, Progress, cut
from recordings.takes import Take, TakeFolder
from recordings.worker import stopping

logger = logging.getLogger(__name__)


def encode(camera_id: int, take_id: str) -> None:
    """Encodes what the take holds and finishes it when it is over, unless another process is at it already."""
    close_old_connections()
    with suppress(redis.RedisError):
        bell.answered(take_id)
    folder = takes.folder_of(camera_id, take_id)
    with folder.owned() as is_owner:
        if not is_owner:
            return
        take = _encode_all(folder)
        if take is not None and take.is_over:
            _finish(folder, take)


def _encode_all(folder: TakeFolder) -> Take | None:
    """Makes parts until too little is left for one; the take as it was then, None where there is no work to do."""
    parts = Parts(folder.parts)
    folder.drop_through(parts.read().last_name)  # Killed before it removed them, a worker left them.
    while not stopping.is_set():
        try:
            take = folder.read()  # Before its pictures are listed: what it says is linked is then among them.
        except FileNotFoundError:
            return None
        if not take.is_confirmed:
            return None
        pictures = folder.next_pictures(PART_S, after=parts.read().last_name)
        chunk = cut(pictures, linked_until=take.linked_until, is_over=take.is_over, part_s=PART_S)
        if chunk is None:
            return take
        try:
            progress = _make_part(folder, take, chunk)
        except TooEarly:
            return take
        logger.debug("camera %d: clip %s has %d pictures", take.camera_id, take.id, progress.frames)
    return None


def _make_part(folder: TakeFolder, take: Take, chunk: Chunk) -> Progress:
    """By copying what the camera sent, or else by encoding what was decoded of it. Raises TooEarly."""
    parts, x264 = Parts(folder.parts), X264(settings.CLIP_PRESET, settings.CLIP_QUALITY)
    progress = parts.read()
    may_copy = not packet_ring.is_forbidden(folders.of(take.camera_id))
    while may_copy and (
        found := copy_parts.plan(folder.path, progress, chunk, linked_until=take.linked_until, is_over=take.is_over)
    ):
        end = take.end if take.is_over and chunk.next_at is None else None
        if copied := copy_parts.copy(parts, folder.path, found, end=end, x264=x264):
            return copied
    return encoder.encode(parts, copy_parts.without_copied(chunk, progress), x264)


def _finish(folder: TakeFolder, take: Take) -> None:
    if Parts(folder.parts).read().frames and not keeping.make_room(time.time()):
        logger.info("camera %d: clip %s waits for its storage", take.camera_id, take.id)
    else:
        clips.finish(folder, take)


def export(export_id: str) -> None:
    """Makes the film that a user asked for."""
    close_old_connections()
    make_film(export_id)
