"""What analysis keeps in the database: visits. Boxes of single frames are in the track log."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Case, F, When
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from cameras.models import Camera, Zone
from detections.messages import VisitBody

if TYPE_CHECKING:
    from accounts.models import User


class VisitQuerySet(models.QuerySet["Visit"]):
    def visible_to(self, user: User | AnonymousUser) -> VisitQuerySet:
        """Visits before cameras the user may watch: operators and unit admins, not guard posts."""
        return self.filter(camera__in=Camera.objects.watchable_by(user))

    def manageable_by(self, user: User | AnonymousUser) -> VisitQuerySet:
        return self.filter(camera__in=Camera.objects.manageable_by(user))

    def is_open(self) -> VisitQuerySet:
        return self.exclude(state=Visit.State.ENDED)

    def during(self, start: datetime, end: datetime) -> VisitQuerySet:
        """Visits of which any part lies in [start, end)."""
        return self.since(start).filter(first_seen__lt=end)

    def since(self, start: datetime) -> VisitQuerySet:
        """Visits seen at or after this time; who is present is seen now."""
        seen = models.Q(last_seen__gte=start)
        if start <= timezone.now():
            seen |= models.Q(state=Visit.State.PRESENT)
        return self.filter(seen)

    def lasting(self, least: timedelta | None, most: timedelta | None) -> VisitQuerySet:
        """At least so long, and shorter than that; who is present is so until now."""
        until = Case(When(state=Visit.State.PRESENT, then=models.Value(timezone.now())), default=F("last_seen"))
        visits = self.alias(until=until)
        if least is not None:
            visits = visits.filter(until__gte=F("first_seen") + least)
        if most is not None:
            visits = visits.filter(until__lt=F("first_seen") + most)
        return visits


class Visit(models.Model):
    """One person's stay before one camera; written only when its result changes."""

    class State(models.TextChoices):
        PRESENT = "present", _("present")
        OUT_OF_SIGHT = "out_of_sight", _("out of sight")
        ENDED = "ended", _("ended")

    class EndReason(models.TextChoices):
        LEFT = "left", _("left")
        CAMERA_LOST = "camera_lost", _("camera lost")

    id = models.UUIDField(_("id"), primary_key=True, default=uuid.uuid4, editable=False)
    camera = models.ForeignKey(Camera, on_delete=models.CASCADE, related_name="visits", verbose_name=_("camera"))
    stream = models.CharField(_("stream"), max_length=32)
    first_seq = models.PositiveBigIntegerField(_("first frame"))
    state = models.CharField(_("state"), max_length=16, choices=State.choices)
    end_reason = models.CharField(_("end reason"), max_length=16, choices=EndReason.choices, blank=True, default="")
    first_seen = models.DateTimeField(_("first seen"))
    last_seen = models.DateTimeField(_("last seen"))
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    settled_at = models.DateTimeField(_("settled at"), null=True, blank=True)
    is_verified = models.BooleanField(
        _("verified"),
        default=True,
        help_text=_("Seen by a person model, not only by the simpler detector of earlier versions."),
    )
    best_score = models.FloatField(_("best score"), default=0.0)
    picture = models.CharField(_("picture"), max_length=200, blank=True, default="")  # Below MEDIA_ROOT.

    objects: ClassVar[VisitQuerySet] = VisitQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("visit")
        verbose_name_plural = _("visits")
        ordering = ["-first_seen", "-id"]
        indexes = [
            models.Index(fields=["camera", "-first_seen", "-id"], name="visit_camera_first_seen"),
            models.Index(fields=["-first_seen", "-id"], name="visit_first_seen"),
            models.Index(fields=["last_seen"], name="visit_last_seen"),
            models.Index(fields=["camera", "state"], name="visit_camera_state"),
        ]

    def __str__(self) -> str:
        return f"{self.camera} {timezone.localtime(self.first_seen):%Y-%m-%d %H:%M:%S}"

    def get_absolute_url(self) -> str:
        return reverse("detections:visit", args=[self.id])

    @property
    def duration_s(self) -> float:
        """From the first to the last detection; an open visit's grows."""
        return (self.last_seen - self.first_seen).total_seconds()

    def seen_until(self, now: datetime) -> datetime:
        """Of who is present the row is written when they came, and next as they go."""
        return max(self.last_seen, now) if self.state == Visit.State.PRESENT else self.last_seen

    def body(self) -> VisitBody:
        """The visit as the sockets show it."""
        return {
            "id": str(self.id),
            "state": self.state,
            "first_seen": self.first_seen.timestamp(),
            "last_seen": self.last_seen.timestamp(),
            "ended_at": self.ended_at.timestamp() if self.ended_at else None,
            "end_reason": self.end_reason,
            "settled": self.settled_at is not None,
            "verified": self.is_verified,
            "picture": reverse("detections:visit-picture", args=[self.id]) if self.picture else None,
        }


class ZoneEvent(models.Model):
    """A visit came into an area, stayed there too long, or crossed a line; written once, by capture time."""

    class Kind(models.TextChoices):
        ENTERED = "entered", _("came in")
        LOITERED = "loitered", _("loitered")
        CROSSED = "crossed", _("crossed")

    class Direction(models.TextChoices):
        IN = "in", _("in")
        OUT = "out", _("out")

    camera = models.ForeignKey(Camera, models.CASCADE, related_name="zone_events", verbose_name=_("camera"))
    zone = models.ForeignKey(Zone, models.CASCADE, related_name="events", verbose_name=_("zone"))
    visit = models.ForeignKey(Visit, models.CASCADE, related_name="zone_events", verbose_name=_("visit"))
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    direction = models.CharField(_("direction"), max_length=3, choices=Direction.choices, blank=True, default="")
    at = models.DateTimeField(_("time"))

    class Meta:
        verbose_name = _("event in a zone")
        verbose_name_plural = _("events in zones")
        ordering = ["-at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["zone", "visit", "kind", "at"], name="zone_event_once"),
            # Once per visit and area; a line may be crossed again and again.
            models.UniqueConstraint(
                fields=["zone", "visit", "kind"],
                condition=~models.Q(kind="crossed"),
                name="zone_event_once_per_visit",
            ),
        ]
        indexes = [models.Index(fields=["camera", "-at"], name="zone_event_camera_at")]

    def __str__(self) -> str:
        return f"{self.zone} {self.kind} {timezone.localtime(self.at):%Y-%m-%d %H:%M:%S}"
