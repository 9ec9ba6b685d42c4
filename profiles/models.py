"""People that were recognised by their faces: profiles, where they appeared, their faces, and who looked at them.

Everything belongs to a unit. A profile's faces are those of its appearances; an appearance without a profile waits for
somebody to say whose it is.
"""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.looks import UnitLook, UnitLookQuerySet
from accounts.models import Unit, Viewer, may_log_in
from cameras.models import Camera
from detections.models import Visit


class ProfileQuerySet(models.QuerySet["Profile"]):
    def visible_to(self, user: Viewer) -> ProfileQuerySet:
        """Profiles of units the user watches: operators and unit admins, not guard posts."""
        return self._in(Unit.objects.watchable_by(user), user)

    def manageable_by(self, user: Viewer) -> ProfileQuerySet:
        """Who may erase a profile and put it on a list."""
        return self._in(Unit.objects.manageable_by(user), user)

    def _in(self, units: models.QuerySet[Unit], user: Viewer) -> ProfileQuerySet:
        """The units by number: behind a subquery a database sorts all profiles rather than read the newest first."""
        if may_log_in(user) and user.is_superuser:
            return self.all()
        ids = list(units.values_list("pk", flat=True))
        return self.filter(unit=ids[0]) if len(ids) == 1 else self.filter(unit__in=ids)


class Profile(models.Model):
    """One person, known by face and perhaps by name."""

    class Sex(models.TextChoices):
        FEMALE = "female", _("female")
        MALE = "male", _("male")

    class Listing(models.TextChoices):
        NONE = "none", _("on no list")
        WANTED = "wanted", _("wanted")
        ALLOWED = "allowed", _("allowed")

    id = models.UUIDField(_("id"), primary_key=True, default=uuid.uuid4, editable=False)
    unit = models.ForeignKey(Unit, models.CASCADE, related_name="profiles", verbose_name=_("unit"))
    surname = models.CharField(_("surname"), max_length=80, blank=True, default="")
    name = models.CharField(_("name"), max_length=80, blank=True, default="")
    middle_name = models.CharField(_("middle name"), max_length=80, blank=True, default="")
    sex = models.CharField(_("sex"), max_length=6, choices=Sex, blank=True, default="")
    birth_date = models.DateField(_("date of birth"), null=True, blank=True)
    notes = models.TextField(_("notes"), max_length=4_000, blank=True, default="")
    listing = models.CharField(_("list"), max_length=7, choices=Listing, default=Listing.NONE)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    seen_at = models.DateTimeField(_("last seen"), default=timezone.now, editable=False)

    objects: ClassVar[ProfileQuerySet] = ProfileQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("profile")
        verbose_name_plural = _("profiles")
        ordering = ["-seen_at", "-id"]
        indexes = [
            models.Index(fields=["unit", "-seen_at", "-id"], name="profile_unit_seen"),
            models.Index(fields=["-seen_at", "-id"], name="profile_seen"),
        ]

    def __str__(self) -> str:
        return self.full_name or f"#{str(self.pk)[:8]}"

    def get_absolute_url(self) -> str:
        return reverse("profiles:profile", args=[self.pk])

    @property
    def full_name(self) -> str:
        return " ".join(part for part in (self.surname, self.name, self.middle_name) if part)

    @property
    def is_anonymous(self) -> bool:
        """Whether nobody has written anything about this person."""
        return not (self.full_name or self.sex or self.birth_date or self.notes) and self.listing == self.Listing.NONE


class AppearanceQuerySet(models.QuerySet["Appearance"]):
    def visible_to(self, user: Viewer) -> AppearanceQuerySet:
        return self.filter(unit__in=Unit.objects.watchable_by(user))


class Appearance(models.Model):
    """Somebody in one video, or before one camera on one day. Without a profile it waits to be confirmed."""

    id = models.UUIDField(_("id"), primary_key=True, editable=False)  # From its source: the same when it is made again.
    unit = models.ForeignKey(Unit, models.CASCADE, related_name="+", verbose_name=_("unit"))
    profile = models.ForeignKey(
        Profile, models.CASCADE, null=True, related_name="appearances", verbose_name=_("profile")
    )
    video = models.ForeignKey(
        "videos.Video", models.CASCADE, null=True, related_name="appearances", verbose_name=_("video")
    )
    camera = models.ForeignKey(Camera, models.CASCADE, null=True, related_name="+", verbose_name=_("camera"))
    day = models.DateField(_("day"), null=True)  # In the site's zone; with a camera.
    first_s = models.FloatField(_("first seen"), default=0.0)  # Of a video's own clock.
    last_s = models.FloatField(_("last seen"), default=0.0)
    first_at = models.DateTimeField(_("first seen"), default=timezone.now)  # Of a video: when it was uploaded.
    last_at = models.DateTimeField(_("last seen"), default=timezone.now)
    tracks = models.JSONField(default=list)  # Tracks of people in the video.
    parts = models.JSONField(default=list)  # Ids of what was found to be one: tracks of a video, visits of a day.
    crop = models.CharField(_("picture"), max_length=120)  # In the storage of profiles.
    quality = models.FloatField(_("quality"), default=0.0)
    similarity = models.FloatField(_("similarity"), null=True)  # To the profile when it was recognised.

    objects: ClassVar[AppearanceQuerySet] = AppearanceQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("appearance")
        verbose_name_plural = _("appearances")
        ordering = ["-last_at", "-id"]
        indexes = [models.Index(fields=["profile", "-last_at", "-id"], name="appearance_profile_last")]
        constraints = [
            models.UniqueConstraint(fields=["profile", "video"], name="appearance_once_per_video"),
            models.UniqueConstraint(fields=["profile", "camera", "day"], name="appearance_once_per_camera_day"),
            models.CheckConstraint(
                condition=models.Q(video__isnull=False, camera__isnull=True, day__isnull=True)
                | models.Q(video__isnull=True, camera__isnull=False, day__isnull=False),
                name="appearance_has_one_source",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.profile or '?'} · {self.video or self.camera}"


class Face(models.Model):
    """What an appearance's face looks like to one embedder. Never shown, never logged."""

    appearance = models.ForeignKey(Appearance, models.CASCADE, related_name="faces", verbose_name=_("appearance"))
    embedder = models.CharField(_("embedder"), max_length=80)
    vector = models.BinaryField()  # float32, of length 1.
    quality = models.FloatField(_("quality"), default=0.0)

    class Meta:
        verbose_name = _("face")
        verbose_name_plural = _("faces")
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.embedder} {self.pk}"


class Negative(models.Model):
    """Somebody said of a face: this is not that person."""

    profile = models.ForeignKey(Profile, models.CASCADE, related_name="negatives", verbose_name=_("profile"))
    # It goes with the appearance whose face it is.
    appearance = models.ForeignKey(Appearance, models.CASCADE, related_name="+", verbose_name=_("appearance"))
    embedder = models.CharField(_("embedder"), max_length=80)
    vector = models.BinaryField()

    class Meta:
        verbose_name = _("negative example")
        verbose_name_plural = _("negative examples")
        constraints = [
            models.UniqueConstraint(fields=["profile", "appearance", "embedder"], name="negative_once_per_appearance")
        ]

    def __str__(self) -> str:
        return f"{self.profile_id} {self.embedder}"


class Confirmation(models.Model):
    """A question to people: is this appearance that profile's?"""

    appearance = models.OneToOneField(
        Appearance, models.CASCADE, related_name="confirmation", primary_key=True, verbose_name=_("appearance")
    )
    candidate = models.ForeignKey(Profile, models.CASCADE, related_name="confirmations", verbose_name=_("profile"))
    similarity = models.FloatField(_("similarity"))
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("question")
        verbose_name_plural = _("questions")
        ordering = ["-similarity", "-created_at", "appearance"]

    def __str__(self) -> str:
        return f"{self.appearance_id} = {self.candidate_id}?"


class Gallery(models.Model):
    """A unit's lock: whoever changes what faces are known holds its row. `version` grows when one is moved or goes."""

    unit = models.OneToOneField(Unit, models.CASCADE, related_name="+", primary_key=True, verbose_name=_("unit"))
    version = models.PositiveBigIntegerField(default=0)

    class Meta:
        verbose_name = _("gallery")
        verbose_name_plural = _("galleries")

    def __str__(self) -> str:
        return f"{self.unit_id}: {self.version}"


class FaceRules(models.Model):
    """Whether faces before one camera are recognised; without a row they are not."""

    camera = models.OneToOneField(
        Camera, models.CASCADE, related_name="face_rules", primary_key=True, verbose_name=_("camera")
    )
    is_on = models.BooleanField(_("recognise faces"), default=False)

    class Meta:
        verbose_name = _("recognition of faces")
        verbose_name_plural = _("recognition of faces")

    def __str__(self) -> str:
        return str(self.camera)


class AllowedManager(models.Manager["UnitFaces"]):
    """Only rows that allow it."""

    def get_queryset(self) -> models.QuerySet[UnitFaces]:
        return super().get_queryset().filter(is_allowed=True)


class UnitFaces(models.Model):
    """An admin allows the unit's users to have faces recognised in what they upload; without a row they may not.

    `objects` are those that allow it; what the admin switched off again is among `every` only.
    """

    unit = models.OneToOneField(Unit, models.CASCADE, related_name="faces", primary_key=True, verbose_name=_("unit"))
    is_allowed = models.BooleanField(_("faces may be recognised in uploaded videos"), default=False)

    objects = AllowedManager()
    every = models.Manager["UnitFaces"]()

    class Meta:
        default_manager_name = "every"
        verbose_name = _("recognition of faces")
        verbose_name_plural = _("recognition of faces")

    def __str__(self) -> str:
        return str(self.unit)


class LiveLook(models.Model):
    """A visit whose picture was searched for a face, and what came of it."""

    class Outcome(models.TextChoices):
        NO_FACE = "no_face", _("no clear face")
        FOUND = "found", _("recognised")
        ASKED = "asked", _("to be confirmed")
        NEW = "new", _("new profile")

    visit = models.OneToOneField(
        Visit, models.CASCADE, related_name="face_look", primary_key=True, verbose_name=_("visit")
    )
    outcome = models.CharField(_("outcome"), max_length=8, choices=Outcome)
    was_over = models.BooleanField(default=False)  # The visit had ended: no better picture comes.
    appearance = models.ForeignKey(
        Appearance, models.SET_NULL, null=True, related_name="looks", verbose_name=_("appearance")
    )

    class Meta:
        verbose_name = _("look for a face")
        verbose_name_plural = _("looks for faces")

    def __str__(self) -> str:
        return f"{self.visit_id}: {self.outcome}"


class ProfileLook(UnitLook):
    """Who looked at a profile or changed it. It names no person."""

    class Action(models.TextChoices):
        VIEWED = "viewed", _("viewed")
        LISTED = "listed", _("looked at the list")
        EXPORTED = "exported", _("exported")
        EDITED = "edited", _("edited")
        MERGED = "merged", _("merged")
        SPLIT = "split", _("split")
        MOVED = "moved", _("appearance moved")
        DENIED = "denied", _("not this person")
        CONFIRMED = "confirmed", _("confirmed")
        ERASED = "erased", _("erased")

    # Empty where the product itself did it.
    user_name = models.CharField(_("user name"), max_length=150, editable=False, blank=True)
    action = models.CharField(_("action"), max_length=10, choices=Action, editable=False)
    profile_id = models.UUIDField(_("profile"), null=True, editable=False)

    objects: ClassVar[UnitLookQuerySet[ProfileLook]] = UnitLookQuerySet.as_manager()  # type: ignore[assignment]

    class Meta(UnitLook.Meta):
        verbose_name = _("look at a profile")
        verbose_name_plural = _("looks at profiles")
        indexes = [
            models.Index(fields=["-at"], name="profile_look_at"),
            models.Index(fields=["profile_id", "-at"], name="profile_look_profile"),
        ]
