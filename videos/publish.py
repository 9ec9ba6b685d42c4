"""What is done when every sample of a video has been seen: rows, then what the analysers make of it all, then files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils import timezone

from videos.analysis import Analysis
from videos.models import Video, VideoVisit, visit_id
from videos.places import PICTURES, POSTER
from videos.storages import put

UPDATED = ["track_ids", "first_s", "last_s", "picture"]


def publish(video: Video, work: Path, analysis: Analysis) -> bool:
    """False where the video is gone. A kill in between repeats it, with the same result."""
    if not _save_people(video, analysis.people.seen):
        return False
    for analyser in analysis.analysers.values():
        analyser.finish()
    for path in _results(work):
        put(video.name_of(path.relative_to(work).as_posix()), path)
    video.state, video.progress, video.samples = Video.State.DONE, 1.0, analysis.next_index
    video.done_at, video.problem = timezone.now(), ""
    under_way = Video.objects.filter(pk=video.pk, state=Video.State.ANALYSING)
    return bool(
        under_way.update(state=video.state, progress=1.0, samples=video.samples, done_at=video.done_at, problem="")
    )


def _results(work: Path) -> list[Path]:
    """Everything that outlives the work folder: rows, pictures of people, the poster."""
    return sorted([*work.glob("*.jsonl"), *work.glob(f"{PICTURES}/*.jpg"), *work.glob(POSTER)])


def _save_people(video: Video, seen: dict[str, dict[str, Any]]) -> bool:
    """A visit that another one turned out to go on with is not there any more: rows are what is known in the end."""
    rows = [_row(video, person) for person in seen.values()]
    with transaction.atomic():
        if not Video.objects.select_for_update().filter(pk=video.pk, state=Video.State.ANALYSING).exists():
            return False
        VideoVisit.objects.filter(video=video).exclude(pk__in=[row.pk for row in rows]).delete()
        VideoVisit.objects.bulk_create(rows, update_conflicts=True, unique_fields=["id"], update_fields=UPDATED)
    return True


def _row(video: Video, person: dict[str, Any]) -> VideoVisit:
    pk = visit_id(video.pk, person["track_ids"][0])
    return VideoVisit(
        id=pk,
        video=video,
        track_ids=person["track_ids"],
        first_s=person["first_s"],
        last_s=person["last_s"],
        picture=video.name_of(f"{PICTURES}/{pk}.jpg") if person["has_picture"] else "",
    )
