"""Motion lessons: a video to follow before a webcam, and how each learner's runs went."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Unit, Viewer, may_log_in
from videos.models import Video


class LessonQuerySet(models.QuerySet["Lesson"]):
    def visible_to(self, user: Viewer) -> LessonQuerySet:
        """Lessons of videos the user may watch."""
        return self.filter(video__in=Video.objects.visible_to(user))

    def manageable_by(self, user: Viewer) -> LessonQuerySet:
        """Those one has made, and those of units that one manages."""
        if not may_log_in(user):
            return self.none()
        managed = models.Q(video__unit__in=Unit.objects.manageable_by(user))
        return self.visible_to(user).filter(models.Q(made_by=user) | managed)


class Lesson(models.Model):
    """One video whose person learners follow. It goes with its video."""

    id = models.UUIDField(_("id"), primary_key=True, default=uuid.uuid4, editable=False)
    video = models.OneToOneField(Video, models.CASCADE, related_name="lesson", verbose_name=_("video"))
    title = models.CharField(_("title"), max_length=200)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("made by")
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    objects: ClassVar[LessonQuerySet] = LessonQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        app_label = "videos"
        verbose_name = _("motion lesson")
        verbose_name_plural = _("motion lessons")
        ordering = ["title", "id"]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("lessons:lesson", args=[self.id])


class LessonRunQuerySet(models.QuerySet["LessonRun"]):
    def visible_to(self, user: Viewer) -> LessonRunQuerySet:
        """One's own, and those of the units that one manages."""
        if not may_log_in(user):
            return self.none()
        seen = self.filter(lesson__in=Lesson.objects.visible_to(user))
        managed = Unit.objects.manageable_by(user)
        return seen.filter(models.Q(user=user) | models.Q(lesson__video__unit__in=managed))


class LessonRun(models.Model):
    """One time that a learner followed a lesson. Counted are moments, that is, pictures of the learner."""

    class State(models.TextChoices):
        RUNNING = "running", _("going on")
        ENDED = "ended", _("followed to the end")
        LEFT = "left", _("broken off")

    id = models.UUIDField(_("id"), primary_key=True, default=uuid.uuid4, editable=False)
    lesson = models.ForeignKey(Lesson, models.CASCADE, related_name="runs", verbose_name=_("motion lesson"))
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("user"))
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.RUNNING)
    started_at = models.DateTimeField(_("started"), default=timezone.now, editable=False)
    ended_at = models.DateTimeField(_("ended"), null=True, editable=False)
    perfect = models.PositiveIntegerField(_("perfect"), default=0)
    good = models.PositiveIntegerField(_("good"), default=0)
    miss = models.PositiveIntegerField(_("missed"), default=0)
    rest = models.PositiveIntegerField(_("nothing to follow"), default=0)
    moments = models.JSONField(default=list, editable=False)  # [[seconds, distance or null], ...] in their order.

    objects: ClassVar[LessonRunQuerySet] = LessonRunQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        app_label = "videos"
        verbose_name = _("run of a motion lesson")
        verbose_name_plural = _("runs of motion lessons")
        ordering = ["-started_at", "-id"]
        indexes = [models.Index(fields=["lesson", "user", "-started_at"], name="lesson_run_of_user")]

    def __str__(self) -> str:
        return f"{self.lesson}: {timezone.localtime(self.started_at):%Y-%m-%d %H:%M}"

    def get_absolute_url(self) -> str:
        return reverse("lessons:run", args=[self.id])

    @property
    def judged(self) -> int:
        return self.perfect + self.good + self.miss
