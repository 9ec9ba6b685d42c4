"""Makes a browser a camera: a link that works once puts a device cookie into it, until the device is revoked.

Only SHA-256 hashes of the tokens are stored. Each camera has a cookie of its own, so that one browser can serve
several; its path is the whole site because capture page and socket lie on different paths.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from cameras.models import Camera, Device, Enrolment, Kind

COOKIE_PREFIX = "omil_device_"
SEEN_EVERY = timedelta(minutes=1)


class Standing(Enum):
    """Whether a link can be used, and if not, why."""

    READY = "ready"
    USED = "used"
    EXPIRED = "expired"
    REVOKED = "revoked"
    SWITCHED_OFF = "switched_off"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Link:
    """A fresh enrolment link; the only place where its token can be read."""

    url: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Redeemed:
    """A new device and the token its cookie is to hold."""

    device: Device
    token: str


class LinkRefused(Exception):
    """The link cannot be used."""

    def __init__(self, standing: Standing) -> None:
        super().__init__(f"The enrolment link is {standing.value}.")
        self.standing = standing


def hash_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def create(camera: Camera, *, by: User | None) -> Link:
    """Makes the camera's one open link: those made earlier and not used end with it."""
    now, token = timezone.now(), secrets.token_urlsafe(32)
    expires_at = now + timedelta(seconds=settings.ENROLMENT_S)
    with transaction.atomic():
        camera.enrolments.filter(used_at=None, revoked_at=None).update(revoked_at=now)
        camera.enrolments.create(token_hash=hash_of(token), created_at=now, expires_at=expires_at, created_by=by)
    return Link(settings.SITE_URL + reverse("cameras:enrol", args=[token]), expires_at)


def find(token: str) -> tuple[Enrolment | None, Standing]:
    enrolment = Enrolment.objects.select_related("camera__unit").filter(token_hash=hash_of(token)).first()
    return enrolment, _standing(enrolment)


def _standing(enrolment: Enrolment | None) -> Standing:
    if enrolment is None:
        return Standing.UNKNOWN
    if enrolment.used_at:
        return Standing.USED
    if enrolment.revoked_at or enrolment.camera.kind != Kind.BROWSER:
        return Standing.REVOKED
    if enrolment.expires_at <= timezone.now():
        return Standing.EXPIRED
    return Standing.READY if enrolment.camera.is_enabled else Standing.SWITCHED_OFF


def redeem(token: str, *, user_agent: str = "") -> Redeemed:
    """Uses the link up and enrols a device; of two at once one is refused."""
    enrolment, standing = find(token)
    if enrolment is None or standing is not Standing.READY:
        raise LinkRefused(standing)
    device_token = secrets.token_urlsafe(32)
    with transaction.atomic():
        open_links = Enrolment.objects.filter(pk=enrolment.pk, used_at=None, revoked_at=None)
        if not open_links.update(used_at=timezone.now()):
            raise LinkRefused(Standing.USED)
        device = Device.objects.create(
            camera=enrolment.camera, token_hash=hash_of(device_token), user_agent=user_agent[:300]
        )
    return Redeemed(device, device_token)


def cookie_name(camera_id: int) -> str:
    return f"{COOKIE_PREFIX}{camera_id}"


def remember(response: HttpResponseBase, camera_id: int, token: str) -> None:
    """Sets the device cookie, or renews it for another year."""
    response.set_cookie(
        cookie_name(camera_id),
        token,
        max_age=settings.DEVICE_COOKIE_S,
        httponly=True,
        secure=settings.SESSION_COOKIE_SECURE,
        samesite="Lax",
    )


def devices_of(cookies: Mapping[str, str]) -> list[Device]:
    """Every device that a browser's cookies prove; their cameras may be switched off, but not have an address."""
    tokens = {name: token for name, token in cookies.items() if name.startswith(COOKIE_PREFIX)}
    hashes = [hash_of(token) for token in tokens.values()]
    devices = _standing_devices().select_related("camera__unit").filter(token_hash__in=hashes)
    return [device for device in devices if cookie_name(device.camera_id) in tokens]


def enrolled_device(camera_id: int, token: str | None) -> Device | None:
    """The device this cookie proves, read afresh, unless it is revoked or its camera has an address by now; the camera
    may be switched off."""
    if not token:
        return None
    devices = _standing_devices().select_related("camera").filter(camera_id=camera_id)
    return devices.filter(token_hash=hash_of(token)).first()


def _standing_devices() -> QuerySet[Device]:
    """A camera whose pictures are pulled takes none from browsers that were enrolled before."""
    return Device.objects.filter(revoked_at=None, camera__kind=Kind.BROWSER)


def touch(device: Device) -> None:
    """Notes that the device was here, at most once a minute and without a notice to its sockets."""
    now = timezone.now()
    if device.last_seen_at is None or now - device.last_seen_at >= SEEN_EVERY:
        Device.objects.filter(pk=device.pk).update(last_seen_at=now)


def revoke(device: Device) -> bool:
    """Ends the device's rights, open sockets included; False when they had ended before."""
    if device.revoked_at is not None:
        return False
    device.revoked_at = timezone.now()
    device.save(update_fields=["revoked_at"])
    return True
