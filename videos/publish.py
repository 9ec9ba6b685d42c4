"""What is done when every sample of a video has been seen: rows, then what the analysers make of it all, then files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils import timezone

from detections import weights
from videos.analysers import LeftOut
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
    left_out = {name: each.remark for name, each in analysis.analysers.items() if isinstance(each, LeftOut)}
    values = {
        "state": Video.State.DONE,
        "progress": 1.0,
        "samples": analysis.next_index,
        "done_at": timezone.now(),
        "problem": "",
        "remarks": [*left_out.values(), *_remarks(analysis)],
        "wants_poses": video.wants_poses and "poses" not in left_out,
        "wants_faces": video.wants_faces and "faces" not in left_out,
    }
    for name, value in values.items():
        setattr(video, name, value)
    return bool(Video.objects.filter(pk=video.pk, state=Video.State.ANALYSING).update(**values))


def _remarks(analysis: Analysis) -> list[str]:
    """On who and what was looked for, and on what could not be read."""
    is_second_best = weights.PEOPLE.is_wanted and analysis.detector.name.split(" · ")[0] == weights.OWN
    told = {"own_model": is_second_best, "damaged": analysis.is_damaged.is_set()}
    return [code for code, is_so in told.items() if is_so]


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
