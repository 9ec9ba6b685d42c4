"""Turns a take that is over and encoded into a clip: file, seal, row, message. Called by jobs.py; may be repeated."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.db import transaction

from recordings import announce, evidence, rows
from recordings import finish as finishing
from recordings.finish import Finished, NothingToKeep
from recordings.models import Recording
from recordings.parts import Parts, Progress
from recordings.takes import Take, TakeFolder

logger = logging.getLogger(__name__)

# Not `is_kept`, which a user may have changed since the row was read.
OURS = (
    *("state", "reason", "is_unanalysed", "end_reason", "max_people", "start", "end"),
    *("frames", "width", "height", "path", "size"),
)


def finish(folder: TakeFolder, take: Take) -> None:
    """Writes the clip, makes its row READY, and only then removes the take. Raises OSError where the disk refuses."""
    progress = Parts(folder.parts).read()
    row = _row_of(take) or _made_again(take, progress)
    if row is None:
        folder.remove()  # Its camera has been deleted, or there is nothing to make a row of.
        return
    if row.state != Recording.State.READY:
        if not progress.frames:
            _forget(row, folder)
            return
        try:
            _make(row, folder, progress, take)
        except NothingToKeep as error:
            _give_up(row, folder, str(error))
            return
        except Recording.DoesNotExist:  # Somebody has deleted it meanwhile.
            _drop(folder, path_of(take, progress))
            return
    announce.recording(row, "ready")
    folder.remove()


def _row_of(take: Take) -> Recording | None:
    return Recording.objects.select_related("camera").filter(pk=take.id).first()


def _made_again(take: Take, progress: Progress) -> Recording | None:
    """The recorder has written the row before the take was over: somebody has put an older database in its place."""
    if not progress.frames:
        return None
    rows.finish(take, first_at=progress.first_at)
    return _row_of(take)


def path_of(take: Take, progress: Progress) -> Path:
    return Path(settings.RECORDINGS_DIR) / finishing.name_of(take.camera_id, take.id, progress.first_at)


def _make(row: Recording, folder: TakeFolder, progress: Progress, take: Take) -> None:
    clip = path_of(take, progress)
    finished = finishing.finish(Parts(folder.parts), clip)
    _fill(row, take, progress, finished)
    row.path = str(clip.relative_to(settings.RECORDINGS_DIR))
    with transaction.atomic():
        if not Recording.objects.select_for_update().filter(pk=row.pk).exists():
            raise Recording.DoesNotExist
        row.save(update_fields=OURS)
        evidence.seal(row, finished.sha256)
    logger.info("camera %d: clip %s is ready: %d pictures, %d bytes", row.camera_id, row.path, row.frames, row.size)


def _fill(row: Recording, take: Take, progress: Progress, finished: Finished) -> None:
    row.state = Recording.State.READY
    row.reason, row.is_unanalysed, row.end_reason = take.reason, take.is_unanalysed, take.end_reason
    row.max_people = take.max_people
    row.start, row.end = (datetime.fromtimestamp(at, UTC) for at in (progress.first_at, progress.last_at))
    row.frames, row.width, row.height = progress.frames, progress.width, progress.height
    row.size = finished.size


def _drop(folder: TakeFolder, clip: Path) -> None:
    for path in (clip, *finishing.companions(clip)):
        path.unlink(missing_ok=True)
    folder.remove()


def _forget(row: Recording, folder: TakeFolder) -> None:
    """A clip of no pictures is none."""
    logger.warning("camera %d: clip %s has no pictures", row.camera_id, row.pk)
    announce.recording(row, "removed")
    row.delete()
    folder.remove()


def _give_up(row: Recording, folder: TakeFolder, why: str) -> None:
    logger.error("camera %d: clip %s has failed: %s", row.camera_id, row.pk, why)
    Recording.objects.filter(pk=row.pk).update(state=Recording.State.FAILED)
    row.state = Recording.State.FAILED
    announce.recording(row, "ended")
    folder.remove()
