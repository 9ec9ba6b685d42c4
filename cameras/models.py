"""What we watch: cameras, the browsers enrolled as one, and what happened to each camera-minute's frames."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Unit, User, Viewer, may_log_in
from accounts.slugs import free_slug
from cameras.secrecy import EncryptedField
from cameras.sources import redacted, validate_source
from cameras.zones import NO_MASKS, Masks, as_masks


class Kind(models.TextChoices):
    """How a camera's pictures come in."""

    BROWSER = "browser", _("Browser")
    PULL = "pull", _("Address")


class CameraQuerySet(models.QuerySet["Camera"]):
    """Cameras by what a user may do with them."""

    def visible_to(self, user: Viewer) -> CameraQuerySet:
        return self._in(Unit.objects.visible_to(user), user)

    def capturable_by(self, user: Viewer) -> CameraQuerySet:
        """Whose capture page the user may open: every role of the unit."""
        return self.visible_to(user).filter(kind=Kind.BROWSER)

    def watchable_by(self, user: Viewer) -> CameraQuerySet:
        """Whose pictures and visits the user may see: not a guard post's."""
        return self._in(Unit.objects.watchable_by(user), user)

    def manageable_by(self, user: Viewer) -> CameraQuerySet:
        return self._in(Unit.objects.manageable_by(user), user)

    def _in(self, units: models.QuerySet[Unit], user: Viewer) -> CameraQuerySet:
        if not may_log_in(user):
            return self.none()
        return self.all() if user.is_superuser else self.filter(unit__in=units)


class Camera(models.Model):
    """One managed camera of a unit: a guard post's browser, or an address that is pulled."""

    name = models.CharField(_("name"), max_length=80)
    slug = models.SlugField(_("short name"), max_length=60, unique=True, editable=False)
    unit = models.ForeignKey(Unit, models.PROTECT, related_name="cameras", verbose_name=_("unit"))
    kind = models.CharField(_("kind"), max_length=10, choices=Kind, default=Kind.BROWSER, editable=False)
    source = EncryptedField(
        _("address"),
        max_length=500,
        blank=True,
        validators=[validate_source],
        help_text=_("Empty for a guard post's browser; else where pictures are pulled from, such as rtsp://…"),
    )
    is_enabled = models.BooleanField(_("enabled"), default=True)
    target_fps = models.FloatField(
        _("pictures per second"),
        null=True,
        blank=True,
        validators=[MinValueValidator(0.2), MaxValueValidator(30)],
        help_text=_("Empty: the site's rate."),
    )
    confidence = models.FloatField(
        _("least confidence"),
        null=True,
        blank=True,
        validators=[MinValueValidator(0.01), MaxValueValidator(0.99)],
        help_text=_("How sure the detector must be of a person, from 0 to 1. Empty: the site's threshold."),
    )
    visit_gap_s = models.FloatField(
        _("seconds out of sight"),
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(86_400)],
        help_text=_("Someone away for longer is a new visit when back. Empty: the site's time."),
    )
    mask_version = models.PositiveIntegerField(default=0, editable=False)  # One more with each change of its masks.
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    objects = CameraQuerySet.as_manager()

    class Meta:
        verbose_name = _("camera")
        verbose_name_plural = _("cameras")
        ordering = ["unit__name", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["unit", "name"],
                name="cameras_camera_name_once_per_unit",
                violation_error_message=_("This unit already has a camera of this name."),
            ),
            models.CheckConstraint(
                condition=models.Q(kind=Kind.BROWSER, source="") | (models.Q(kind=Kind.PULL) & ~models.Q(source="")),
                name="cameras_camera_kind_fits_source",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Fills in what follows from name and address: the slug, once, and the kind."""
        if not self.slug:
            taken = Camera.objects.all()
            self.slug = free_slug(self.name, fallback="camera", is_taken=lambda slug: taken.filter(slug=slug).exists())
        self.kind = Kind.PULL if self.source else Kind.BROWSER
        if (fields := kwargs.get("update_fields")) is not None and "source" in fields:
            kwargs["update_fields"] = {*fields, "kind"}
        super().save(*args, **kwargs)

    @property
    def source_redacted(self) -> str:
        """The address without its password, for pages and logs."""
        return redacted(self.source)

    @property
    def target_fps_used(self) -> float:
        return settings.TARGET_FPS if self.target_fps is None else self.target_fps

    @property
    def confidence_used(self) -> float:
        return settings.CONFIDENCE if self.confidence is None else self.confidence

    @property
    def visit_gap_s_used(self) -> float:
        return settings.VISIT_GAP_S if self.visit_gap_s is None else self.visit_gap_s

    def masks(self) -> Masks:
        """What nobody may see of this camera; asks the database only where there ever was a mask."""
        if not self.mask_version:
            return NO_MASKS
        return as_masks(self.mask_version, self.zones.filter(kind=Zone.Kind.MASK).values_list("points", flat=True))

    def clean(self) -> None:
        self.kind = Kind.PULL if self.source else Kind.BROWSER


class Device(models.Model):
    """A browser enrolled as a camera; it proves itself by a cookie of which only the hash is kept."""

    camera = models.ForeignKey(Camera, models.CASCADE, related_name="devices", verbose_name=_("camera"))
    label = models.CharField(_("label"), max_length=80, blank=True)
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    user_agent = models.CharField(_("browser"), max_length=300, blank=True, editable=False)
    created_at = models.DateTimeField(_("enrolled"), default=timezone.now, editable=False)
    last_seen_at = models.DateTimeField(_("last seen"), null=True, editable=False)
    revoked_at = models.DateTimeField(_("revoked"), null=True, editable=False)

    class Meta:
        verbose_name = _("device")
        verbose_name_plural = _("devices")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.label or f"{self.camera} #{self.pk}"


class Enrolment(models.Model):
    """A link that makes one browser a camera, once; only the hash of its token is kept."""

    camera = models.ForeignKey(Camera, models.CASCADE, related_name="enrolments", verbose_name=_("camera"))
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    expires_at = models.DateTimeField(_("expires"), editable=False)
    used_at = models.DateTimeField(_("used"), null=True, editable=False)
    revoked_at = models.DateTimeField(_("revoked"), null=True, editable=False)
    created_by = models.ForeignKey(
        User, models.SET_NULL, null=True, related_name="+", editable=False, verbose_name=_("created by")
    )

    class Meta:
        verbose_name = _("enrolment link")
        verbose_name_plural = _("enrolment links")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.camera} #{self.pk}"


class Zone(models.Model):
    """A part of a camera's picture: what nobody may ever see, where people are counted, or a line that they cross."""

    class Kind(models.TextChoices):
        MASK = "mask", _("private: never stored or shown")
        AREA = "area", _("area: people are counted, and who stays too long")
        LINE = "line", _("line: who crosses it, and which way")

    camera = models.ForeignKey(Camera, models.CASCADE, related_name="zones", verbose_name=_("camera"))
    name = models.CharField(_("name"), max_length=60)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    points = models.JSONField(
        _("corners"), help_text=_("Pairs of numbers from 0 to 1, from the left and from the top; two make a line.")
    )
    loiter_s = models.FloatField(
        _("seconds to loiter"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(86_400)],
        help_text=_("Whoever is in the area for longer loiters. Empty: nobody does."),
    )

    class Meta:
        verbose_name = _("zone")
        verbose_name_plural = _("zones")
        ordering = ["camera", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["camera", "name"],
                name="cameras_zone_name_once_per_camera",
                violation_error_message=_("This camera already has a zone of this name."),
            )
        ]

    def __str__(self) -> str:
        return self.name


class Token(models.Model):
    """Lets a program act for its user, no further than its scope and its cameras; only the token's hash is kept."""

    class Scope(models.TextChoices):
        WATCH = "watch", _("watch: live pictures and state")
        READ = "read", _("read: watch, and everything kept")
        MANAGE = "manage", _("manage: read, and change cameras")

    user = models.ForeignKey(User, models.CASCADE, related_name="tokens", verbose_name=_("user"))
    name = models.CharField(_("name"), max_length=80, help_text=_("Which program it is for."))
    scope = models.CharField(_("scope"), max_length=10, choices=Scope, default=Scope.WATCH)
    cameras = models.ManyToManyField(
        Camera, blank=True, related_name="+", verbose_name=_("cameras"), help_text=_("None: all that its user may see.")
    )
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True, help_text=_("Empty: never."))
    last_used_at = models.DateTimeField(_("last used"), null=True, editable=False)
    revoked_at = models.DateTimeField(_("revoked"), null=True, editable=False)

    class Meta:
        verbose_name = _("access token")
        verbose_name_plural = _("access tokens")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.name


class CoverageMinute(models.Model):
    """What happened to the frames of one camera in one minute (UTC, by capture time); written by cameras/coverage.

    received = invalid + busy + no_motion + no_person + admitted, and admitted = analysed + waiting + failed.
    In the masks bit i stands for the minute's second i.
    """

    camera = models.ForeignKey(Camera, models.CASCADE, related_name="coverage", verbose_name=_("camera"))
    minute = models.DateTimeField()
    received = models.PositiveIntegerField(default=0)
    invalid = models.PositiveIntegerField(default=0)
    busy = models.PositiveIntegerField(default=0)
    no_motion = models.PositiveIntegerField(default=0)
    no_person = models.PositiveIntegerField(default=0)
    admitted = models.PositiveIntegerField(default=0)
    analysed = models.PositiveIntegerField(default=0)
    waiting = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    samples = models.PositiveIntegerField(default=0)  # Admitted although the gate would have refused.
    misses = models.PositiveIntegerField(default=0)  # Samples in which there was a person.
    max_people = models.PositiveIntegerField(default=0)
    judged_mask = models.BigIntegerField(default=0)
    people_mask = models.BigIntegerField(default=0)
    frozen_mask = models.BigIntegerField(default=0)

    class Meta:
        verbose_name = _("coverage of a minute")
        verbose_name_plural = _("coverage by minute")
        ordering = ["camera", "minute"]
        constraints = [models.UniqueConstraint(fields=["camera", "minute"], name="cameras_coverage_once_per_minute")]
        indexes = [models.Index(fields=["minute"], name="cameras_coverage_minute")]

    def __str__(self) -> str:
        return f"{self.camera_id} {self.minute:%Y-%m-%d %H:%M}"
