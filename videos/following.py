"""Lessons at work: what a video shows to follow, and the record of a run."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import lru_cache
from uuid import UUID

from django.core.files.storage import storages
from django.utils import timezone

from videos.keypoints import FILE, people_by_track
from videos.lesson_models import Lesson, LessonRun
from videos.models import Video
from videos.reference import Judge, Reference, of_rows

LEAST_SHARE = 0.2  # Of a video's samples must show enough of one body, or it is no lesson.
MOST_CROWDED = 0.5  # Of the samples may show somebody else as large, or nobody knows whom to follow.
LONGEST_S = 1_800.0
REFUSALS = frozenset({"nobody_to_follow", "several_to_follow"})
ABANDONED = timedelta(days=1)
RUNS_KEPT = 50  # Of one learner and lesson; older ones go.


class NotALesson(ValueError):
    """Nobody in the video can be followed, or too many can; `code` is one of videos/problems.py."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def reference_of(video: Video) -> Reference:
    """Raises FileNotFoundError where no poses of the video were told. Blocks."""
    return _reference(video.pk, video.done_at.isoformat() if video.done_at else "")


@lru_cache(maxsize=16)
def _reference(video_id: UUID, _done_at: str) -> Reference:
    video = Video.objects.get(pk=video_id)
    with storages["videos"].open(video.name_of(FILE)) as file:
        return of_rows((json.loads(line) for line in file), people_by_track(video))


def is_fit(video: Video) -> bool:
    """Whether its poses were looked for, and it is no longer than a lesson may be."""
    return video.wants_poses and video.state == Video.State.DONE and video.duration_s <= LONGEST_S


def may_be_tried(video: Video) -> bool:
    """Whether it is fit to be a lesson, and was not refused as one."""
    return is_fit(video) and REFUSALS.isdisjoint(video.remarks)


def lesson_of(video: Video, user_id: int) -> Lesson:
    """The video's lesson, made now if it has none. Raises NotALesson; what its poses tell, the video remembers."""
    if video.duration_s > LONGEST_S:
        raise NotALesson("too_long_to_follow")
    try:
        reference = reference_of(video) if is_fit(video) else None
    except FileNotFoundError:
        reference = None
    if reference is None:
        raise NotALesson("no_poses_to_follow")
    if refusal := _refusal(reference):
        if refusal not in video.remarks:
            video.remarks.append(refusal)
            Video.objects.filter(pk=video.pk).update(remarks=video.remarks)
        raise NotALesson(refusal)
    made, _is_new = Lesson.objects.get_or_create(video=video, defaults={"title": video.title, "made_by_id": user_id})
    return made


def _refusal(reference: Reference) -> str:
    """Why it is no lesson; empty if it is one."""
    if reference.share_to_follow() < LEAST_SHARE:
        return "nobody_to_follow"
    return "several_to_follow" if reference.crowded > MOST_CROWDED else ""


def begin(lesson_id: UUID, user_id: int) -> LessonRun:
    runs = LessonRun.objects.filter(lesson_id=lesson_id, user_id=user_id)
    kept = list(runs.values_list("pk", flat=True)[: RUNS_KEPT - 1])
    runs.exclude(pk__in=kept).delete()
    # What a process that was killed left open.
    runs.filter(state=LessonRun.State.RUNNING, started_at__lt=timezone.now() - ABANDONED).delete()
    return LessonRun.objects.create(lesson_id=lesson_id, user_id=user_id)


def finish(run_id: UUID, judge: Judge, *, is_ended: bool) -> None:
    """Writes the run's result; one that nothing was judged of goes. A run ends once."""
    running = LessonRun.objects.filter(pk=run_id, state=LessonRun.State.RUNNING)
    if not judge.moments:
        running.delete()
        return
    way = judge.is_mirrored
    moments = [[round(each.at_s, 2), each.mirrored if way else each.direct] for each in judge.moments]
    state = LessonRun.State.ENDED if is_ended else LessonRun.State.LEFT
    running.update(state=state, ended_at=timezone.now(), moments=moments, **judge.totals())
