"""The outbox: what has happened, who wants to be told of it, and how far each of them has been told."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import User, Viewer, may_log_in
from cameras.models import Camera, CameraQuerySet


class EventType(models.TextChoices):
    """What programs are told of; the names are part of the interface."""

    VISIT_STARTED = "visit.started", _("somebody came")
    VISIT_ENDED = "visit.ended", _("somebody left")
    RECORDING_READY = "recording.ready", _("a recording can be played")
    CAMERA_SILENT = "camera.silent", _("a camera fell silent")
    CAMERA_BACK = "camera.back", _("a camera is back")
    CAMERA_PROBLEM = "camera.problem", _("a camera's address has a problem")
    ZONE_ENTERED = "zone.entered", _("somebody came into an area")
    ZONE_LOITERED = "zone.loitered", _("somebody loiters in an area")
    ZONE_CROSSED = "zone.crossed", _("somebody crossed a line")


class EventQuerySet(models.QuerySet["Event"]):
    def visible_to(self, user: Viewer) -> EventQuerySet:
        """Events of cameras the user may watch."""
        return self.of(Camera.objects.watchable_by(user))

    def of(self, cameras: CameraQuerySet) -> EventQuerySet:
        return self.filter(camera__in=cameras)


class Event(models.Model):
    """Something that happened, once: `key` derives from what it happened to. `seq` is the order in which it is told."""

    seq = models.BigAutoField(primary_key=True)
    key = models.UUIDField(unique=True, editable=False)
    type = models.CharField(_("type"), max_length=20, choices=EventType)
    camera = models.ForeignKey(Camera, models.CASCADE, related_name="+", verbose_name=_("camera"))
    subject = models.UUIDField(editable=False)  # The visit's, the recording's or the silence's own id.
    at = models.DateTimeField(_("time"))  # When it happened, by capture time where there is one.
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    data = models.JSONField()

    objects: ClassVar[EventQuerySet] = EventQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ["seq"]
        constraints = [models.UniqueConstraint(fields=["subject", "type"], name="api_event_once_per_subject")]
        indexes = [
            models.Index(fields=["camera", "seq"], name="api_event_camera_seq"),
            models.Index(fields=["created_at"], name="api_event_created"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.seq}"


class WebhookQuerySet(models.QuerySet["Webhook"]):
    def manageable_by(self, user: Viewer) -> WebhookQuerySet:
        """One's own; a superuser's are all."""
        if not may_log_in(user):
            return self.none()
        return self.all() if user.is_superuser else self.filter(user=user)

    def end_with(self, camera: Camera) -> None:
        """Takes a camera that is about to go from its webhooks; one left with none would tell of all: it is ended."""
        for webhook in self.filter(cameras=camera):
            webhook.cameras.remove(camera)
            if not webhook.cameras.exists():
                self.filter(pk=webhook.pk).update(is_enabled=False)


class Webhook(models.Model):
    """An address that is told of events, as far as its user may watch their cameras."""

    user = models.ForeignKey(User, models.CASCADE, related_name="webhooks", editable=False, verbose_name=_("user"))
    name = models.CharField(_("name"), max_length=80, help_text=_("Which program it is for."))
    url = models.CharField(_("address"), max_length=500, help_text=_("https:// or http://; told by POST."))
    events = models.JSONField(_("events"), default=list, blank=True)  # Their types; none: all.
    cameras = models.ManyToManyField(
        Camera, blank=True, related_name="+", verbose_name=_("cameras"), help_text=_("None: all that its user may see.")
    )
    is_enabled = models.BooleanField(_("enabled"), default=True)
    key = models.UUIDField(default=uuid.uuid4, editable=False)  # The secret derives from it: api/signing.
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    objects: ClassVar[WebhookQuerySet] = WebhookQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.name

    def watched(self) -> CameraQuerySet:
        """The cameras it tells of: its own, as far as its user may watch them now."""
        allowed = Camera.objects.watchable_by(self.user)
        own = list(self.cameras.values_list("pk", flat=True))
        return allowed.filter(pk__in=own) if own else allowed


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def manageable_by(self, user: Viewer) -> DeliveryQuerySet:
        return self.filter(webhook__in=Webhook.objects.manageable_by(user))

    def waiting(self) -> DeliveryQuerySet:
        return self.filter(state=Delivery.State.WAITING)


class Delivery(models.Model):
    """One event on its way to one webhook."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        DELIVERED = "delivered", _("delivered")
        GIVEN_UP = "given_up", _("given up")

    webhook = models.ForeignKey(Webhook, models.CASCADE, related_name="deliveries", verbose_name=_("webhook"))
    event = models.ForeignKey(Event, models.CASCADE, related_name="deliveries", verbose_name=_("event"))
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.WAITING)
    tries = models.PositiveIntegerField(_("tries"), default=0)
    next_try_at = models.DateTimeField(_("next try"), default=timezone.now)
    answer = models.CharField(_("last answer"), max_length=200, blank=True, default="")
    done_at = models.DateTimeField(_("done"), null=True)

    objects: ClassVar[DeliveryQuerySet] = DeliveryQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        ordering = ["-pk"]
        constraints = [models.UniqueConstraint(fields=["webhook", "event"], name="api_delivery_once_per_webhook")]
        indexes = [models.Index(fields=["state", "webhook"], name="api_delivery_state")]

    def __str__(self) -> str:
        return f"{self.webhook} ← {self.event}"


class Watermark(models.Model):
    """Since when events are collected, so that the first start does not tell of a month that has passed. One row."""

    since = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.since:%Y-%m-%d %H:%M:%S}"
