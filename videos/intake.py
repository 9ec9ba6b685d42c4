"""Takes a file in: begins an upload, adds to it, and makes a video of it when it is complete. For the tus views."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Unit, User
from profiles.rules import allows_faces
from videos import announce, bell, look, places, removal
from videos.models import LEAST_PER_S, MOST_PER_S, Video
from videos.problems import Refused

FORGOTTEN_S = 30.0  # A request that is still at work after it came whole takes less.
FULL = {errno.ENOSPC, errno.EDQUOT}
# Controls, and the marks by which a name could be shown in another order than it is written.
HIDDEN = re.compile(r"[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class BusyError(Exception):
    """Another request adds to this upload now."""


class WrongOffsetError(Exception):
    """What comes does not begin where the upload ends."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What an uploader asks for."""

    title: str
    size: int
    unit: Unit
    per_s: float
    wants_faces: bool = False
    wants_poses: bool = False


def title_of(name: str) -> str:
    """A file's name as it may be shown: without the folders that some clients send along, and in one line."""
    plain = HIDDEN.sub("", unicodedata.normalize("NFC", name)).replace("\\", "/").rstrip("/").rpartition("/")[2].strip()
    return plain[: Video._meta.get_field("title").max_length] or _("Video")


def begin(user: User, wish: Wish) -> Video:
    """Raises Refused."""
    if wish.size <= 0:
        raise Refused("empty")
    if wish.size > settings.VIDEO_MAX_BYTES:
        raise Refused("too_big")
    if not LEAST_PER_S <= wish.per_s <= MOST_PER_S:
        raise Refused("bad_rate")
    if wish.wants_faces and not allows_faces(wish.unit.pk):
        raise Refused("faces_off")
    check_space(wish.size)
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)  # So that two requests at once do not both find room.
        unfinished = Video.objects.filter(uploaded_by=user, state=Video.State.UPLOADING)
        if unfinished.count() >= settings.VIDEO_UPLOADS:
            raise Refused("too_many_uploads")
        video = Video.objects.create(
            unit=wish.unit,
            uploaded_by=user,
            title=title_of(wish.title),
            size=wish.size,
            per_s=wish.per_s,
            wants_faces=wish.wants_faces,
            wants_poses=wish.wants_poses,
        )
    try:
        places.work_of(video.pk).mkdir(parents=True, mode=0o700)
        places.upload_of(video.pk).touch(mode=0o600)
    except OSError as error:
        removal.remove(video)
        if error.errno in FULL:
            raise Refused("no_space") from error
        raise
    return video


def check_space(needed: int) -> None:
    folder = Path(settings.VIDEOS_WORK_DIR)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if shutil.disk_usage(folder).free - needed < settings.FREE_SPACE_BYTES:
        raise Refused("no_space")


def received(video: Video) -> int:
    """How much of it has come. Raises FileNotFoundError."""
    return video.size if video.state != Video.State.UPLOADING else places.upload_of(video.pk).stat().st_size


def add(video: Video, offset: int, chunks: Iterable[bytes]) -> int:
    """Appends what comes, as far as it comes; the new offset. Raises Refused("no_space"): the upload is gone then."""
    with _opened(places.upload_of(video.pk)) as file:
        at = os.fstat(file).st_size
        if at != offset:
            raise WrongOffsetError
        try:
            check_space(video.size - at)
            for chunk in chunks:
                at = _append(file, chunk, at, video.size)
        except OSError as error:
            if error.errno not in FULL:
                raise
            removal.remove(video)
            raise Refused("no_space") from error
        except Refused:
            removal.remove(video)
            raise
    Video.objects.filter(pk=video.pk).update(received=at, touched_at=timezone.now())
    return at


def _append(file: int, chunk: bytes, at: int, size: int) -> int:
    left = memoryview(chunk)[: size - at]  # What is beyond the announced end is not this file's.
    while left:
        written = os.write(file, left)
        left, at = left[written:], at + written
    return at


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """For one request at a time."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BusyError from None
    else:
        try:
            yield file
        finally:
            # A child that is being started at this moment holds the same lock until it has become its program.
            fcntl.flock(file, fcntl.LOCK_UN)
    finally:
        os.close(file)


def complete(video: Video) -> Video:
    """Everything has come: it becomes a video that waits for analysis, or nothing is left of it. Raises Refused."""
    with _opened(places.upload_of(video.pk)):
        fresh = Video.objects.filter(pk=video.pk).first()
        if fresh is None or fresh.state != Video.State.UPLOADING:  # Another request was faster.
            return fresh or video
        try:
            found = look.look(places.upload_of(video.pk))
        except Refused:
            removal.remove(video)
            raise
        for name in ("extension", "container", "codec", "width", "height", "fps", "duration_s", "is_playable"):
            setattr(fresh, name, getattr(found, name))
        fresh.wants_copy = not found.is_playable
        fresh.state, fresh.received = Video.State.WAITING, fresh.size
        if not Video.objects.filter(pk=fresh.pk, state=Video.State.UPLOADING).exists():
            raise FileNotFoundError  # Given up meanwhile.
        fresh.save(force_update=True)
    bell.ring(fresh.pk)
    if fresh.wants_copy:
        bell.ring(fresh.pk, bell.COPY_JOB)
    announce.video(fresh, "changed")
    return fresh


def complete_forgotten(now: float) -> None:
    """Uploads of which everything has come and nobody was there any more to hear of it."""
    before = datetime.fromtimestamp(now - FORGOTTEN_S, UTC)
    whole = Video.objects.filter(state=Video.State.UPLOADING, received=F("size"), touched_at__lt=before)
    for video in whole:
        with suppress(Refused, BusyError, FileNotFoundError):
            complete(video)
