"""Turns a take that is over and encoded into a clip: file, seal, row, message. Called by jobs.py; may be repeated."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.db import transaction

from cameras.models import Camera
from recordings import announce, evidence
from recordings import finish as finishing
from recordings.finish import Finished, NothingToKeep
from recordings.models import Recording
from recordings.parts import Parts, Progress
from recordings.takes import Take, TakeFolder

logger = logging.getLogger(__name__)


def finish(folder: TakeFolder, take: Take) -> None:
    """Writes the clip, makes its row READY, and only then removes the take. Raises OSError where the disk refuses."""
    row = Recording.objects.select_related("camera").filter(pk=take.id).first()
    if row is None:
        # Without its camera nobody will ever write the row; otherwise the recorder does, and rings again.
        if not Camera.objects.filter(pk=take.camera_id).exists():
            folder.remove()
        return
    if row.state != Recording.State.READY:
        parts = Parts(folder.parts)
        progress = parts.read()
        if not progress.frames:
            _forget(row, folder)
            return
        try:
            _make(row, parts, progress, take)
        except NothingToKeep as error:
            _give_up(row, folder, str(error))
            return
        except Recording.DoesNotExist:  # Somebody has deleted it meanwhile.
            _drop(folder, path_of(take, progress))
            return
    announce.recording(row, "ready")
    folder.remove()


def path_of(take: Take, progress: Progress) -> Path:
    return Path(settings.RECORDINGS_DIR) / finishing.name_of(take.camera_id, take.id, progress.first_at)


def _make(row: Recording, parts: Parts, progress: Progress, take: Take) -> None:
    clip = path_of(take, progress)
    finished = finishing.finish(parts, clip)
    _fill(row, take, progress, finished)
    row.path = str(clip.relative_to(settings.RECORDINGS_DIR))
    with transaction.atomic():
        if not Recording.objects.select_for_update().filter(pk=row.pk).exists():
            raise Recording.DoesNotExist
        row.save()
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
