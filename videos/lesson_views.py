"""The pages of motion lessons: those there are, one beside the webcam, and how a run went."""

from __future__ import annotations

from functools import wraps
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ValidationError
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from accounts.models import User, may_log_in
from detections import weights
from detections.views import for_watchers
from recordings.acts import for_actors
from videos import following, problems, similarity
from videos.following import NotALesson
from videos.lesson_models import Lesson, LessonRun
from videos.models import Video
from videos.shares import percents

RUNS_SHOWN = 20
LESSONS_SHOWN = 500
STRIP_CELLS, CELL_S = 120, 0.5  # At most so many, and none so short that it has no moment.


@for_watchers
def lesson_list(request: HttpRequest) -> HttpResponse:
    """Lessons with the viewer's own last run, and the videos that one can be made of."""
    lessons = Lesson.objects.visible_to(request.user).select_related("video", "video__unit")
    rows = list(lessons[:LESSONS_SHOWN])
    runs = {row.lesson_id: row for row in _last_runs(_user(request), rows)}
    videos = Video.objects.visible_to(request.user).filter(
        wants_poses=True, state=Video.State.DONE, lesson=None, duration_s__lte=following.LONGEST_S
    )
    context = {
        "lessons": [(row, _shown(runs[row.pk]) if row.pk in runs else None) for row in rows],
        "videos": [video for video in videos[:LESSONS_SHOWN] if following.may_be_tried(video)],
        "why_not": weights.why_not(weights.POSES),
    }
    return render(request, "lessons/list.html", context)


@for_watchers
def lesson(request: HttpRequest, id_: UUID) -> HttpResponse:
    """The reference beside the viewer's webcam."""
    found = get_object_or_404(Lesson.objects.visible_to(request.user).select_related("video", "video__unit"), pk=id_)
    runs = LessonRun.objects.filter(lesson=found, user=_user(request)).exclude(state=LessonRun.State.RUNNING)
    runs = runs.defer("moments")
    context = {
        "lesson": found,
        "video": found.video,
        "can_play": found.video.is_playable or found.video.has_copy,
        "may_delete": Lesson.objects.manageable_by(request.user).filter(pk=found.pk).exists(),
        "runs": [_shown(run) for run in runs[:RUNS_SHOWN]],
        "why_not": weights.why_not(weights.POSES),
    }
    return render(request, "lessons/lesson.html", context)


@for_watchers
def run(request: HttpRequest, id_: UUID) -> HttpResponse:
    """How a run went: totals, and a strip over the lesson's time."""
    runs = LessonRun.objects.visible_to(request.user).exclude(state=LessonRun.State.RUNNING)
    found = get_object_or_404(runs.select_related("lesson", "lesson__video", "user"), pk=id_)
    context = {**_shown(found), "lesson": found.lesson, "cells": cells_of(found), "length_s": _length_s(found)}
    return render(request, "lessons/run.html", context)


def post_only(act: Any) -> Any:
    """As for_actors, of a form that names no row in its address."""

    @wraps(act)
    @never_cache
    @require_POST
    def checked(request: HttpRequest) -> HttpResponse:
        if not may_log_in(request.user):
            return redirect_to_login(request.get_full_path())
        if not request.user.may_watch:
            return redirect("cameras:capture-list")
        made: HttpResponse = act(request, request.user)
        return made

    return checked


@post_only
def new(request: HttpRequest, user: User) -> HttpResponse:
    """Makes a lesson of the video that `video` names, or leads to the one there is."""
    try:
        video = Video.objects.visible_to(user).complete().filter(pk=request.POST.get("video", "")).first()
    except ValidationError:
        video = None
    if video is None:
        messages.error(request, _("Choose a video."))
        return redirect("lessons:list")
    try:
        return redirect(following.lesson_of(video, user.pk))
    except NotALesson as error:
        messages.error(request, problems.sentence(error.code))
        return redirect("lessons:list")


@for_actors
def delete(request: HttpRequest, user: User, id_: UUID) -> HttpResponse:
    found = get_object_or_404(Lesson.objects.manageable_by(user), pk=id_)
    found.delete()
    messages.success(request, _("The lesson and its results were deleted. Its video stays."))
    return redirect("lessons:list")


def _last_runs(user: User, lessons: list[Lesson]) -> QuerySet[LessonRun]:
    """This user's newest of each lesson."""
    over = LessonRun.objects.filter(user=user).exclude(state=LessonRun.State.RUNNING)
    newest = over.filter(lesson=OuterRef("lesson")).values("pk")[:1]
    return over.filter(lesson__in=lessons, pk=Subquery(newest)).defer("moments")


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # for_watchers has asked.
    return request.user


def _shown(run: LessonRun) -> dict[str, Any]:
    counts = (("perfect", _("Perfect"), run.perfect), ("good", _("Good"), run.good), ("miss", _("Missed"), run.miss))
    shares = percents([n for _kind, _word, n in counts])
    return {
        "run": run,
        "counts": [
            {"kind": kind, "word": word, "n": n, "percent": percent}
            for (kind, word, n), percent in zip(counts, shares, strict=True)
        ],
        "perfect_percent": shares[0],
    }


def _length_s(run: LessonRun) -> float:
    last = run.moments[-1][0] if run.moments else 0.0
    return max(run.lesson.video.duration_s, last, 0.1)


def cells_of(run: LessonRun) -> list[dict[str, Any]]:
    """The lesson's time in equal parts, each with its worst verdict; none where no picture was judged."""
    length_s = _length_s(run)
    count = max(1, min(STRIP_CELLS, int(length_s / CELL_S)))
    worst: list[float | None] = [None] * count
    for at_s, distance in run.moments:
        cell = min(int(at_s / length_s * count), count - 1)
        if distance is not None:
            worst[cell] = max(worst[cell] or 0.0, distance)
    return [
        {
            "x": number,
            "at_s": round(number * length_s / count, 1),
            "kind": "none" if distance is None else similarity.verdict(distance),
            "percent": None if distance is None else round(100 * similarity.similarity(distance)),
        }
        for number, distance in enumerate(worst)
    ]
