"""What happens to videos by the clock: lost rings are made again, uploads expire, leftovers go. Called every second."""

from __future__ import annotations

from videos import bell, intake, places, removal
from videos.models import Video

RING_EVERY_S = 2.0
CLEAN_EVERY_S = 60.0
_done_at = {"ring": 0.0, "clean": 0.0}


def tick(now: float) -> None:
    """Raises what the database, the disk and Valkey raise; the next call tries again."""
    if _is_due("ring", now, RING_EVERY_S):
        ring_forgotten()
    if _is_due("clean", now, CLEAN_EVERY_S):
        intake.complete_forgotten(now)
        removal.expire_uploads(now)
        removal.sweep()


def _is_due(what: str, now: float, every_s: float) -> bool:
    if 0 <= now - _done_at[what] < every_s:
        return False
    _done_at[what] = now
    return True


def ring_forgotten() -> None:
    """Rings for work that nobody is at and no ring waits for: a ring was lost, or a worker was killed."""
    videos = Video.objects.filter(state__in=[Video.State.WAITING, Video.State.ANALYSING]).order_by("created_at")
    idle = [pk for pk in videos.values_list("pk", flat=True) if not places.is_owned(places.work_of(pk))]
    for pk in bell.unrung(idle) if idle else []:
        bell.ring(pk)
    copies = Video.objects.complete().filter(wants_copy=True, has_copy=False).exclude(state=Video.State.FAILED)
    idle = [pk for pk in copies.values_list("pk", flat=True) if not places.is_owned(places.copy_work_of(pk))]
    for pk in bell.unrung(idle, bell.COPY_JOB) if idle else []:
        bell.ring(pk, bell.COPY_JOB)
