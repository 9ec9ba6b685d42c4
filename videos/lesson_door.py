"""The database's side of the lesson socket: whose it is, what it may see, and its run. Leaves no connection open."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db import close_old_connections

from accounts.gatekeeper import user_of
from cameras.sockets import Refused, Scope
from videos import following
from videos.lesson_models import Lesson
from videos.reference import Judge, Reference


@dataclass(frozen=True, slots=True)
class Found:
    """What a socket needs of its lesson."""

    lesson_id: UUID
    user_id: int
    title: str
    duration_s: float
    reference: Reference


def find(scope: Scope, lesson_id: UUID) -> Found:
    """Raises Refused."""
    try:
        lesson = _allowed(scope, lesson_id)
        user = user_of(scope)
        assert user
        try:
            reference = following.reference_of(lesson.video)
        except FileNotFoundError:
            raise Refused(4404, "no_poses", "The poses of this lesson's video are not there.") from None
        return Found(lesson.pk, user.pk, lesson.title, lesson.video.duration_s, reference)
    finally:
        close_old_connections()


def _allowed(scope: Scope, lesson_id: UUID) -> Lesson:
    user = user_of(scope)
    if user is None:
        raise Refused(4401, "not_logged_in", "Log in to take a lesson.")
    lesson = Lesson.objects.visible_to(user).select_related("video").filter(pk=lesson_id).first()
    if lesson is None:
        raise Refused(4404, "not_found", "There is no such lesson.")
    return lesson


def prove(scope: Scope, found: Found) -> None:
    try:
        lesson = _allowed(scope, found.lesson_id)
        user = user_of(scope)
        if user is None or user.pk != found.user_id or lesson.pk != found.lesson_id:
            raise Refused(4401, "session_ended", "Your session has ended. Log in again.")
    finally:
        close_old_connections()


def begin(found: Found) -> UUID:
    try:
        return following.begin(found.lesson_id, found.user_id).pk
    finally:
        close_old_connections()


def finish(run_id: UUID, judge: Judge, is_ended: bool) -> None:
    try:
        following.finish(run_id, judge, is_ended=is_ended)
    finally:
        close_old_connections()
