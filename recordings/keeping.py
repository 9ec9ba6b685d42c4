"""Which clips stay and which go: by age, by size per camera and overall, and by the space left. Kept ones never go.

The recorder process calls `expire` every half minute, media before it writes where space is short; pages call `keep`,
`release` and `delete`. Nothing goes, and nothing is called lost, while the storage is away.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import QuerySet, Sum

from accounts.models import User
from recordings import announce, audit, evidence, export, reserve, storage, sweep, waiting
from recordings.models import AuditEntry, Recording, RecordingRules

logger = logging.getLogger(__name__)

BATCH = 200
STEMS = (".jpg", ".strip.jpg")  # The pictures beside a clip.
LOCK = "keeping.lock"
SETTLED = (Recording.State.READY, Recording.State.FAILED)


def expire(now: float) -> int:
    """One pass; returns how many clips went. What fails is logged and does not keep the other steps from theirs."""
    with _alone() as is_alone:
        if not is_alone:
            return 0
        _try(reserve.balance, now)
        _try(waiting.fit, now)
        _try(_expire_exports, now)
        if storage.look().problem in {"missing", "read_only"}:
            return 0
        count = sum(_try(step, now) for step in (_expire_old, _fit_cameras, _fit_site, _free_space))
        _try(sweep.sweep_if_due, now)
        return count


def make_room(now: float) -> bool:
    """Called by who has something to write; whether it can be written now."""
    if storage.look().problem == "full":
        expire(now)
    return storage.ready_to_write()


def _try(step: Callable[[float], int], now: float) -> int:
    try:
        return step(now)
    except (OSError, DatabaseError) as error:
        logger.error("keeping recordings: %s failed and is tried again: %s", step.__name__.strip("_"), error)
        return 0


@contextmanager
def _alone() -> Iterator[bool]:
    """Whether no other process of this node is at it."""
    Path(settings.RUN_DIR).mkdir(parents=True, exist_ok=True)
    lock = os.open(Path(settings.RUN_DIR) / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(lock)


# --- Limits ---


def _oldest_first(**which: object) -> QuerySet[Recording]:
    """The clips that may go."""
    return Recording.objects.filter(is_kept=False, state__in=SETTLED, **which).order_by("end", "pk")


def _expire_exports(now: float) -> int:
    return export.expire(datetime.fromtimestamp(now, UTC))


def _expire_old(now: float) -> int:
    own_days = dict(RecordingRules.objects.exclude(keep_days=None).values_list("camera_id", "keep_days"))
    clips = _oldest_first().exclude(camera__in=list(own_days))
    count = _remove_older(clips, now, settings.RECORDINGS_DAYS)
    for camera_id, days in own_days.items():
        count += _remove_older(_oldest_first(camera_id=camera_id), now, days or settings.RECORDINGS_DAYS)
    return count


def _remove_older(clips: QuerySet[Recording], now: float, days: int) -> int:
    before = datetime.fromtimestamp(now, UTC) - timedelta(days=days)
    count = 0
    while gone := sum(remove(clip, "age") for clip in clips.filter(end__lt=before)[:BATCH]):
        count += gone
    if count:
        logger.info("%d recordings older than %d days have expired", count, days)
    return count


def _fit_cameras(_now: float) -> int:
    count = 0
    for camera_id, limit in RecordingRules.objects.exclude(keep_bytes=None).values_list("camera_id", "keep_bytes"):
        count += _fit(Recording.objects.filter(camera_id=camera_id), _oldest_first(camera_id=camera_id), limit or 0)
    return count


def _fit_site(_now: float) -> int:
    return _fit(Recording.objects.all(), _oldest_first(), settings.RECORDINGS_BYTES)


def _fit(counted: QuerySet[Recording], clips: QuerySet[Recording], limit: int) -> int:
    """Removes the oldest until all that are counted, kept ones too, fit the limit or only kept ones are left."""
    excess = (counted.aggregate(bytes=Sum("size"))["bytes"] or 0) - limit
    count = 0
    while excess > 0:
        gone = 0
        for clip in clips.filter(size__gt=0)[:BATCH]:
            if excess > 0 and remove(clip, "size"):
                excess -= clip.size
                gone += 1
        count += gone
        if not gone:
            logger.warning("recordings take %d bytes more than their limit and nothing more may go", excess)
            break
    return count


def _free_space(_now: float) -> int:
    """Removes the oldest until the floor of free space is reached, or only kept ones are left."""
    count = 0
    while _is_short():
        gone = 0
        for clip in _oldest_first(size__gt=0)[:BATCH]:
            if not _is_short():
                break
            gone += _remove_on_a_full_disk(clip)
        count += gone
        if not gone:
            break
    if count:
        logger.warning("%d recordings had to go for want of space", count)
    return count


def _is_short() -> bool:
    look = storage.look()
    return look.problem in {"", "full"} and look.free_bytes < settings.RECORDINGS_FREE_BYTES


def _remove_on_a_full_disk(clip: Recording) -> bool:
    try:
        return remove(clip, "space")
    except DatabaseError as error:
        # The database may lie on the same full disk and be unable to write even this: room comes first.
        logger.warning("recording %s: removed before its row, for the database says: %s", clip.pk, error)
        _unlink(clip)
        return remove(clip, "space")


# --- One clip ---


def remove(recording: Recording, because: str) -> bool:
    """Removes a finished clip, its row first and then its files. False where it is kept, still open or gone."""
    with transaction.atomic():
        clips = Recording.objects.select_for_update(of=("self",)).select_related("camera")
        row = clips.filter(pk=recording.pk, is_kept=False, state__in=SETTLED).first()
        if row is None:
            return False
        evidence.note_removed(row, because)
        Recording.objects.filter(pk=row.pk).delete()
        transaction.on_commit(partial(_after_removal, row))
    return True


def _after_removal(row: Recording) -> None:
    try:
        _unlink(row)
    except OSError as error:  # The sweep comes back for them.
        logger.warning("camera %d: the files of recording %s could not be removed: %s", row.camera_id, row.pk, error)
    announce.recording(row, "removed")


def _unlink(row: Recording) -> None:
    for path in files_of(row):
        path.unlink(missing_ok=True)
    with suppress(OSError):  # Not empty, or gone.
        for folder in list((storage.root() / row.path).parents)[:4] if row.path else []:
            folder.rmdir()


def files_of(row: Recording) -> list[Path]:
    """The clip and the pictures beside it, whether they are there or not."""
    if not row.path:
        return []
    clip = storage.root() / row.path
    return [clip, *(clip.with_name(clip.stem + ending) for ending in STEMS)]


def keep(recording: Recording, user: User) -> bool:
    """Whether it was not kept before; from now on nothing deletes it."""
    return _set_kept(recording, user, is_kept=True)


def release(recording: Recording, user: User) -> bool:
    return _set_kept(recording, user, is_kept=False)


def _set_kept(recording: Recording, user: User, *, is_kept: bool) -> bool:
    with transaction.atomic():
        changed = Recording.objects.filter(pk=recording.pk, is_kept=not is_kept).update(is_kept=is_kept)
        if changed:
            audit.note(user, AuditEntry.Action.KEPT if is_kept else AuditEntry.Action.RELEASED, recording)
    return bool(changed)


def delete(recording: Recording, user: User) -> bool:
    """At a user's wish; False where it is kept, still open or gone."""
    with transaction.atomic():
        is_gone = remove(recording, f"deleted by {user.get_username()}")
        if is_gone:
            audit.note(user, AuditEntry.Action.DELETED, recording, detail=str(recording))
    return is_gone
