"""Clips, how each camera is recorded, the chain that seals clips, and who did what with them."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.looks import Look
from cameras.models import Camera

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

    from accounts.models import User


def _seconds(
    label: _StrPromise, help_text: _StrPromise, *, least: float, most: float
) -> models.FloatField[float | None, float | None]:
    validators = [MinValueValidator(least), MaxValueValidator(most)]
    return models.FloatField(label, null=True, blank=True, validators=validators, help_text=help_text)


class RecordingRules(models.Model):
    """How one camera is recorded; what is empty follows the site's settings, and so does a camera without a row."""

    class Mode(models.TextChoices):
        PRESENCE = "presence", _("while people are there")
        CONTINUOUS = "continuous", _("always")
        OFF = "off", _("never")

    camera = models.OneToOneField(
        Camera, models.CASCADE, related_name="recording_rules", primary_key=True, verbose_name=_("camera")
    )
    mode = models.CharField(_("record"), max_length=10, choices=Mode, default=Mode.PRESENCE)
    start_after_s = _seconds(
        _("start after (seconds)"), _("Of continuous presence. Empty: the site's time."), least=0, most=600
    )
    stop_after_s = _seconds(_("stop after (seconds)"), _("Of absence. Empty: the site's time."), least=0.5, most=600)
    # The ring reaches no further back than this and the time that analysis may lag.
    before_s = _seconds(_("keep before (seconds)"), _("Empty: the site's time."), least=0, most=20)
    after_s = _seconds(_("keep after (seconds)"), _("Empty: the site's time."), least=0, most=60)
    keep_days = models.PositiveIntegerField(
        _("days kept"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(3_650)],
        help_text=_("Empty: the site's number."),
    )
    keep_bytes = models.PositiveBigIntegerField(
        _("bytes kept"),
        null=True,
        blank=True,
        validators=[MinValueValidator(10_000_000)],
        help_text=_("At most so many for this camera. Empty: no limit of its own."),
    )

    class Meta:
        verbose_name = _("recording rules")
        verbose_name_plural = _("recording rules")

    def __str__(self) -> str:
        return f"{self.camera}: {self.get_mode_display()}"


class RecordingQuerySet(models.QuerySet["Recording"]):
    def visible_to(self, user: User | AnonymousUser) -> RecordingQuerySet:
        """Clips of cameras the user may watch: operators and unit admins, not guard posts."""
        return self.filter(camera__in=Camera.objects.watchable_by(user))

    def manageable_by(self, user: User | AnonymousUser) -> RecordingQuerySet:
        return self.filter(camera__in=Camera.objects.manageable_by(user))

    def during(self, start: datetime, end: datetime) -> RecordingQuerySet:
        """Clips of which any part lies in [start, end)."""
        return self.filter(start__lt=end, end__gte=start)


class Recording(models.Model):
    """One clip. `start` and `end` are the capture times of its first and last picture; an open clip's end grows."""

    class State(models.TextChoices):
        RECORDING = "recording", _("recording")
        ENCODING = "encoding", _("being finished")
        READY = "ready", _("ready")
        FAILED = "failed", _("failed")

    class Reason(models.TextChoices):
        PRESENCE = "presence", _("people")
        CONTINUOUS = "continuous", _("always on")
        UNANALYSED = "unanalysed", _("recorded without analysis")

    class EndReason(models.TextChoices):
        OVER = "over", _("nobody there any more")
        CAMERA_LOST = "camera_lost", _("camera lost")
        LIMIT = "limit", _("goes on in the next clip")
        CLOCK = "clock", _("the clock was set back")
        SWITCHED_OFF = "switched_off", _("recording switched off")

    id = models.UUIDField(_("id"), primary_key=True, default=uuid.uuid4, editable=False)
    camera = models.ForeignKey(Camera, models.CASCADE, related_name="recordings", verbose_name=_("camera"))
    number = models.PositiveBigIntegerField(_("number"), null=True, editable=False)  # Its place in the camera's chain.
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.RECORDING)
    reason = models.CharField(_("reason"), max_length=12, choices=Reason, default=Reason.PRESENCE)
    is_unanalysed = models.BooleanField(
        _("recorded without analysis"), default=False, help_text=_("At least in part: nobody looked for people.")
    )
    end_reason = models.CharField(_("end reason"), max_length=12, choices=EndReason, blank=True, default="")
    start = models.DateTimeField(_("start"))
    end = models.DateTimeField(_("end"))
    max_people = models.PositiveIntegerField(_("most people at once"), default=0)
    frames = models.PositiveIntegerField(_("pictures"), default=0)
    width = models.PositiveIntegerField(default=0)
    height = models.PositiveIntegerField(default=0)
    size = models.PositiveBigIntegerField(_("size"), default=0)  # Bytes.
    sha256 = models.CharField(_("SHA-256"), max_length=64, blank=True, default="")
    path = models.CharField(_("file"), max_length=200, blank=True, default="")  # Below RECORDINGS_DIR, once ready.
    is_kept = models.BooleanField(_("kept"), default=False, help_text=_("Nothing ever deletes it."))
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    objects: ClassVar[RecordingQuerySet] = RecordingQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("recording")
        verbose_name_plural = _("recordings")
        ordering = ["-start", "-id"]
        constraints = [models.UniqueConstraint(fields=["camera", "number"], name="recording_number_once_per_camera")]
        indexes = [
            models.Index(fields=["camera", "-start", "-id"], name="recording_camera_start"),
            models.Index(fields=["-start", "-id"], name="recording_start"),
            models.Index(fields=["state", "end"], name="recording_state_end"),
        ]

    def __str__(self) -> str:
        return f"{self.camera} {timezone.localtime(self.start):%Y-%m-%d %H:%M:%S}"

    def get_absolute_url(self) -> str:
        return reverse("recordings:recording", args=[self.id])

    @property
    def duration_s(self) -> float:
        return (self.end - self.start).total_seconds()


class Seal(models.Model):
    """One link of a camera's chain of clips. It outlives the clip, and the camera, so that a gap is explained."""

    camera_key = models.PositiveBigIntegerField(_("camera number"), editable=False)
    number = models.PositiveBigIntegerField(_("number"), editable=False)
    recording_id = models.UUIDField(_("recording"), unique=True, editable=False)
    path = models.CharField(_("file"), max_length=200, editable=False)
    sha256 = models.CharField(_("SHA-256"), max_length=64, editable=False)
    start = models.DateTimeField(_("start"), editable=False)
    end = models.DateTimeField(_("end"), editable=False)
    digest = models.CharField(_("chained hash"), max_length=64, editable=False)
    sealed_at = models.DateTimeField(_("sealed"), default=timezone.now, editable=False)
    removed_at = models.DateTimeField(_("removed"), null=True, editable=False)
    removed_because = models.CharField(_("removed because"), max_length=40, blank=True, default="", editable=False)

    class Meta:
        verbose_name = _("seal")
        verbose_name_plural = _("seals")
        ordering = ["camera_key", "number"]
        constraints = [models.UniqueConstraint(fields=["camera_key", "number"], name="seal_number_once_per_camera")]

    def __str__(self) -> str:
        return f"{self.camera_key} #{self.number}"


class AuditEntry(Look):
    """Who did what with a clip."""

    class Action(models.TextChoices):
        VIEWED = "viewed", _("viewed")
        DOWNLOADED = "downloaded", _("downloaded")
        EXPORTED = "exported", _("exported")
        KEPT = "kept", _("kept")
        RELEASED = "released", _("no longer kept")
        DELETED = "deleted", _("deleted")

    action = models.CharField(_("action"), max_length=12, choices=Action, editable=False)
    recording_id = models.UUIDField(_("recording"), null=True, editable=False)
    camera = models.ForeignKey(
        Camera, models.SET_NULL, null=True, related_name="+", editable=False, verbose_name=_("camera")
    )
    camera_name = models.CharField(_("camera name"), max_length=80, editable=False)

    class Meta(Look.Meta):
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit log")
        indexes = [models.Index(fields=["-at"], name="audit_at")]


class Export(models.Model):
    """A film of a time range of one camera, made of its clips for one user; it goes after a day."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        RUNNING = "running", _("being made")
        READY = "ready", _("ready")
        FAILED = "failed", _("failed")

    id = models.UUIDField(_("id"), primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("user"))
    camera = models.ForeignKey(Camera, models.CASCADE, related_name="+", verbose_name=_("camera"))
    start = models.DateTimeField(_("start"))
    end = models.DateTimeField(_("end"))
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.WAITING)
    percent = models.PositiveSmallIntegerField(_("done (%)"), default=0)
    error = models.CharField(_("error"), max_length=200, blank=True, default="")
    path = models.CharField(_("file"), max_length=200, blank=True, default="")  # Below EXPORTS_DIR.
    size = models.PositiveBigIntegerField(_("size"), default=0)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("export")
        verbose_name_plural = _("exports")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.camera} {timezone.localtime(self.start):%Y-%m-%d %H:%M:%S}"
