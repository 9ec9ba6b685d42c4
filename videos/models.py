"""Video files that users uploaded, the uploads that are not complete yet, and who was seen in which part of a video."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.looks import UnitLook, UnitLookQuerySet
from accounts.models import Unit, Viewer, may_log_in

LEAST_PER_S, MOST_PER_S = 1.0, 30.0  # Slower, a tracker cannot tell that somebody is still the same person.


class VideoQuerySet(models.QuerySet["Video"]):
    def visible_to(self, user: Viewer) -> VideoQuerySet:
        """Videos of units the user watches: operators and unit admins, not guard posts."""
        return self.filter(unit__in=Unit.objects.watchable_by(user))

    def manageable_by(self, user: Viewer) -> VideoQuerySet:
        """One's own uploads, and those of units that one manages: who may cancel and delete them."""
        if not may_log_in(user):
            return self.none()
        managed = models.Q(unit__in=Unit.objects.manageable_by(user))
        return self.visible_to(user).filter(models.Q(uploaded_by=user) | managed)

    def complete(self) -> VideoQuerySet:
        return self.exclude(state=Video.State.UPLOADING)


class Video(models.Model):
    """One video file. Until its upload is complete only `title`, `size` and what was wished for are known."""

    class State(models.TextChoices):
        UPLOADING = "uploading", _("being uploaded")
        WAITING = "waiting", _("waiting")
        ANALYSING = "analysing", _("being analysed")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled")

    id = models.UUIDField(_("id"), primary_key=True, default=uuid.uuid4, editable=False)
    unit = models.ForeignKey(Unit, models.CASCADE, related_name="videos", verbose_name=_("unit"))
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("uploaded by")
    )
    title = models.CharField(_("title"), max_length=200)  # The file's name as it was given: shown, and nothing else.
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.UPLOADING)
    problem = models.CharField(_("problem"), max_length=40, blank=True, default="")  # A code of videos/problems.py.
    size = models.PositiveBigIntegerField(_("size"), default=0)  # Bytes, as announced.
    received = models.PositiveBigIntegerField(_("received"), default=0)  # Of these, while it is uploaded.
    sha256 = models.CharField(_("SHA-256"), max_length=64, blank=True, default="")
    extension = models.CharField(max_length=8, blank=True, default="")  # Of the stored original; from its content.
    duration_s = models.FloatField(_("duration"), default=0.0)
    width = models.PositiveIntegerField(_("width"), default=0)  # As it is shown, turned where the file says so.
    height = models.PositiveIntegerField(_("height"), default=0)
    fps = models.FloatField(_("pictures per second"), default=0.0)
    container = models.CharField(_("container"), max_length=40, blank=True, default="")
    codec = models.CharField(_("codec"), max_length=40, blank=True, default="")
    is_playable = models.BooleanField(default=False)  # By every browser, as it is.
    wants_copy = models.BooleanField(default=False)  # That is to be made yet, or has been made;
    has_copy = models.BooleanField(default=False)  # then it is there.
    per_s = models.FloatField(
        _("samples per second"),
        default=5.0,
        validators=[MinValueValidator(LEAST_PER_S), MaxValueValidator(MOST_PER_S)],
    )
    wants_faces = models.BooleanField(_("faces"), default=False)
    wants_poses = models.BooleanField(_("poses"), default=False)
    remarks = models.JSONField(_("remarks"), default=list, blank=True)  # What was left out or came to nothing, by code.
    progress = models.FloatField(_("progress"), default=0.0)  # 0 to 1.
    samples = models.PositiveIntegerField(_("samples"), default=0)  # Analysed so far.
    rate = models.FloatField(_("rate"), default=0.0)  # Seconds of video that a second of analysis gets through.
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    touched_at = models.DateTimeField(default=timezone.now, editable=False)  # When the upload last went on.
    started_at = models.DateTimeField(_("started"), null=True, editable=False)
    done_at = models.DateTimeField(_("done at"), null=True, editable=False)

    objects: ClassVar[VideoQuerySet] = VideoQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("video")
        verbose_name_plural = _("videos")
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["unit", "-created_at", "-id"], name="video_unit_created"),
            models.Index(fields=["state", "created_at"], name="video_state_created"),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("videos:video", args=[self.id])

    def name_of(self, file: str) -> str:
        """The name of one of its files in the storage of videos."""
        return f"{self.id}/{file}"

    @property
    def original_name(self) -> str:
        return self.name_of(f"original.{self.extension}")

    @property
    def is_under_way(self) -> bool:
        return self.state in {self.State.WAITING, self.State.ANALYSING}

    @property
    def may_be_cancelled(self) -> bool:
        return self.is_under_way or self.state == self.State.UPLOADING


class VideoVisitQuerySet(models.QuerySet["VideoVisit"]):
    def visible_to(self, user: Viewer) -> VideoVisitQuerySet:
        return self.filter(video__in=Video.objects.visible_to(user))


class VideoVisit(models.Model):
    """One person's stay in a video, in seconds of the video's own clock."""

    id = models.UUIDField(_("id"), primary_key=True, editable=False)  # From the video and the first track: visit_id.
    video = models.ForeignKey(Video, models.CASCADE, related_name="visits", verbose_name=_("video"))
    track_ids = models.JSONField(_("tracks"), default=list)
    first_s = models.FloatField(_("first seen"))
    last_s = models.FloatField(_("last seen"))
    picture = models.CharField(_("picture"), max_length=120, blank=True, default="")  # In the storage of videos.

    objects: ClassVar[VideoVisitQuerySet] = VideoVisitQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("person in a video")
        verbose_name_plural = _("people in videos")
        ordering = ["video", "first_s", "id"]

    def __str__(self) -> str:
        return f"{self.video}: {self.first_s:.1f}–{self.last_s:.1f} s"


def visit_id(video_id: uuid.UUID, first_track: int) -> uuid.UUID:
    """The same however often the analysis is repeated."""
    return uuid.uuid5(video_id, f"visit {first_track}")


class VideoLook(UnitLook):
    """Who looked at a video, took something of it or deleted it."""

    class Action(models.TextChoices):
        VIEWED = "viewed", _("viewed")
        DOWNLOADED = "downloaded", _("downloaded")
        DELETED = "deleted", _("deleted")

    action = models.CharField(_("action"), max_length=10, choices=Action, editable=False)
    video_id = models.UUIDField(_("video"), editable=False)
    title = models.CharField(_("title"), max_length=200, editable=False)

    objects: ClassVar[UnitLookQuerySet[VideoLook]] = UnitLookQuerySet.as_manager()  # type: ignore[assignment]

    class Meta(UnitLook.Meta):
        verbose_name = _("look at a video")
        verbose_name_plural = _("looks at videos")
        indexes = [
            models.Index(fields=["-at"], name="video_look_at"),
            models.Index(fields=["video_id", "-at"], name="video_look_video"),
        ]

    def __str__(self) -> str:
        return f"{super().__str__()} {self.title}"


import videos.lesson_models  # noqa: E402, F401 (Django finds models here; these need the ones above.)
