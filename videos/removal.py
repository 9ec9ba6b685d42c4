"""Takes a video away with all that came from it: at a user's wish, when it is cancelled, when its upload is given up.

The row goes first: whoever is at work on the video learns from that within half a second, stops, and clears again what
it wrote meanwhile. What a process that was killed leaves behind, the clock's sweep finds.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import transaction

from accounts.models import User
from videos import analysers, announce, audit, places
from videos.models import Video

logger = logging.getLogger(__name__)


def remove(video: Video, by: User | None = None) -> bool:
    """Whether it was still there. Who did it, `by`, is noted."""
    with transaction.atomic():
        # Their locks come before the video's own, as they do where an analysis ends: else the two wait for each other.
        for forget in analysers.forgetters():
            forget(video)
        row = Video.objects.select_for_update().filter(pk=video.pk).first()
        if row is None:
            return False
        Video.objects.filter(pk=row.pk).delete()
        if by:
            audit.note(by, audit.Action.DELETED, row)
        transaction.on_commit(partial(_after, row))
    return True


def _after(row: Video) -> None:
    clear(row.pk)
    announce.removed(row)


def clear(video_id: UUID) -> None:
    """Every file of a video that has no row any more."""
    places.remove_work(video_id)
    try:
        places.remove_stored(video_id)
    except OSError as error:  # The sweep comes back for them.
        logger.warning("video %s: its files could not be removed: %s", video_id, error)


def sweep() -> int:
    """Clears what belongs to no video, and work folders that were left at the very end of the work. A row is there
    before its first file."""
    found = places.work_ids()
    over = Video.objects.filter(pk__in=found, state__in=[Video.State.DONE, Video.State.FAILED])
    for work in map(places.work_of, over.values_list("pk", flat=True)):
        if not places.is_owned(work):
            places.remove_work_folder(work)
    try:
        found |= places.stored_ids()
        places.tidy()
    except OSError as error:
        logger.warning("the store of videos is not swept: %s", error)
    known = set(Video.objects.filter(pk__in=found).values_list("pk", flat=True))
    for video_id in found - known:
        logger.info("video %s is gone; what was left of it is removed", video_id)
        clear(video_id)
    return len(found - known)


def expire_uploads(now: float) -> int:
    """Gives up uploads that did not go on for a day."""
    before = datetime.fromtimestamp(now, UTC) - timedelta(seconds=settings.VIDEO_UPLOAD_KEPT_S)
    stale = Video.objects.filter(state=Video.State.UPLOADING, touched_at__lt=before)
    return sum(remove(video) for video in stale)
