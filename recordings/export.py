"""Films of a time range: asked for by a page, made by a media worker out of finished clips, gone after a day."""

from __future__ import annotations

import fcntl
import logging
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import zip_longest
from pathlib import Path

import redis
from django.conf import settings
from django.db import close_old_connections
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.text import slugify
from rq import Queue
from rq.serializers import JSONSerializer

from accounts.models import User, Viewer
from cameras.bell import connection
from cameras.models import Camera
from recordings import footage, storage
from recordings.models import Export, Recording
from recordings.ranges import Content, piece_of
from recordings.worker import stopping

logger = logging.getLogger(__name__)

JOB = "recordings.jobs.export"  # By dotted name, as RQ wants it. A test imports it.
RUNG_S = 30  # A ring whose job was lost is made again after this time.
KEPT = timedelta(days=1)
MOST_WAITING = 3  # Of one user.
MOST_CLIPS = 2_000
LOOK_BACK = timedelta(hours=2)  # Longer than any clip.
TELL_S = 1.0

State = Export.State


class GoneError(Exception):
    """Nobody waits for the film any more."""


class StoppedError(Exception):
    """The worker is to stop; the film is made later."""


# --- For the pages ---


def own(user: Viewer) -> QuerySet[Export]:
    """The user's own, of cameras that are still the user's to watch."""
    if not isinstance(user, User):
        return Export.objects.none()
    return Export.objects.filter(user=user, camera__in=Camera.objects.watchable_by(user))


def is_full(user: User) -> bool:
    """Whether so many films are under way for this user that another one has to wait for them."""
    return own(user).filter(state__in=[State.WAITING, State.RUNNING]).count() >= MOST_WAITING


def ask(user: User, camera: Camera, start: datetime, end: datetime) -> Export:
    expire(timezone.now())
    export = Export.objects.create(user=user, camera=camera, start=start, end=end)
    ring(export)
    return export


def ring(export: Export) -> None:
    """Rings the media workers, at most twice a minute; whoever looks at the film's page rings again."""
    try:
        if connection().set(f"omil:{settings.NODE}:export:{export.pk}", 1, nx=True, ex=RUNG_S):
            waiting = Queue(settings.MEDIA_QUEUE, connection=connection(), serializer=JSONSerializer)
            waiting.enqueue(JOB, str(export.pk), result_ttl=0, failure_ttl=0, job_timeout=settings.JOB_TIMEOUT_S)
    except redis.RedisError as error:
        logger.warning("export %s: nobody was told of it yet (%s)", export.pk, error)


def content_of(export: Export) -> Content | None:
    """None until it is made, and once it is gone."""
    if export.state != State.READY or not export.path:
        return None
    try:
        piece = piece_of(Path(settings.EXPORTS_DIR) / export.path)
    except FileNotFoundError:
        return None
    name = f"{slugify(export.camera.slug)}-{timezone.localtime(export.start):%Y%m%d-%H%M%S}.mp4"
    return Content([piece], "video/mp4", f'"{export.pk}"', export.created_at, name)


def expire(now: datetime) -> int:
    """Removes films older than a day, and files that belong to none."""
    gone, _by_kind = Export.objects.filter(created_at__lt=now - KEPT).delete()
    folder = Path(settings.EXPORTS_DIR)
    files = list(folder.iterdir()) if folder.is_dir() else []
    known = {str(pk) for pk in Export.objects.values_list("pk", flat=True)}  # A row is there before its file.
    for path in files:
        if path.name.lstrip(".").partition(".")[0] not in known:
            path.unlink(missing_ok=True)
    return gone


# --- For the media worker ---


def make(export_id: str) -> None:
    """Makes the film unless it is made or another worker is at it; may be repeated."""
    close_old_connections()
    export = Export.objects.select_related("camera").filter(pk=uuid.UUID(export_id)).first()
    if export is None or export.state in {State.READY, State.FAILED}:
        return
    folder = Path(settings.EXPORTS_DIR)
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / f".{export.pk}.mp4"
    with _owned(fresh) as is_owner:
        if is_owner:
            _make(export, fresh)


@contextmanager
def _owned(path: Path) -> Iterator[bool]:
    """Whether no other worker writes this file: a kernel lock, which kill -9 frees."""
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _make(export: Export, fresh: Path) -> None:
    import av  # The web process takes orders from here and needs no codecs.

    from recordings import film
    from recordings.encode import X264

    stretches = [film.Stretch(path, since, until) for path, since, until in stretches_of(export)]
    if problem := _problem(export, [stretch.clip for stretch in stretches]):
        _fail(export, fresh, problem)
        return
    Export.objects.filter(pk=export.pk).update(state=State.RUNNING)
    try:
        film.join(stretches, fresh, X264(settings.CLIP_PRESET, settings.CLIP_QUALITY), _Teller(export))
        fresh.replace(fresh.with_name(f"{export.pk}.mp4"))
    except GoneError:
        fresh.unlink(missing_ok=True)
    except StoppedError:
        Export.objects.filter(pk=export.pk).update(state=State.WAITING)
    except film.NothingInItError:
        _fail(export, fresh, "nothing")
    except (OSError, av.FFmpegError) as error:
        logger.exception("export %s failed", export.pk)
        _fail(export, fresh, str(error))
    else:
        size = fresh.with_name(f"{export.pk}.mp4").stat().st_size
        Export.objects.filter(pk=export.pk).update(
            state=State.READY, percent=100, path=f"{export.pk}.mp4", size=size, error=""
        )


class _Teller:
    """Notes now and then how much is done, and ends what nobody waits for."""

    def __init__(self, export: Export) -> None:
        self._export, self._told_at = export, time.monotonic()

    def __call__(self, done: float) -> None:
        if time.monotonic() - self._told_at < TELL_S:
            return
        self._told_at = time.monotonic()
        if stopping.is_set():
            raise StoppedError
        if not Export.objects.filter(pk=self._export.pk).update(percent=int(100 * done)):
            raise GoneError


def _problem(export: Export, clips: list[Path]) -> str:
    if not clips:
        return "nothing"
    if storage.state().problem in {"missing"}:
        return "storage"
    free = shutil.disk_usage(settings.EXPORTS_DIR).free
    needed = sum(clip.stat().st_size for clip in clips)
    return "space" if free - needed < settings.FREE_SPACE_BYTES else ""


def _fail(export: Export, fresh: Path, error: str) -> None:
    fresh.unlink(missing_ok=True)
    Export.objects.filter(pk=export.pk).update(state=State.FAILED, error=error[:200])


def stretches_of(export: Export) -> Iterator[tuple[Path, float, float]]:
    """What of which clips, in seconds since the clip's start. Where two overlap, the later one goes on."""
    clips = Recording.objects.filter(
        camera=export.camera_id,
        state=Recording.State.READY,
        start__gte=export.start - LOOK_BACK,
        start__lt=export.end,
        end__gt=export.start,
    )
    found = list(clips.order_by("start", "id")[:MOST_CLIPS])
    for clip, following in zip_longest(found, found[1:]):
        until = min(export.end, following.start) if following else export.end
        since_s, until_s = ((moment - clip.start).total_seconds() for moment in (export.start, until))
        path = footage.file_of(clip)
        if until_s > max(0.0, since_s) and path.is_file():
            yield path, max(0.0, since_s), min(until_s, clip.duration_s + 1.0)
