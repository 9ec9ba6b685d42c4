"""Who may send a camera's pictures: an enrolled browser, or a logged-in member of the camera's unit. Blocks."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import close_old_connections

from accounts.gatekeeper import cookies_of, user_of
from cameras import enrolment
from cameras.models import Camera, Device
from cameras.sockets import Refused, Scope
from cameras.zones import NO_MASKS, Masks


@dataclass(frozen=True, slots=True)
class Sender:
    """A source that was let in, with what it needs to know of its camera."""

    camera_id: int
    slug: str
    name: str
    target_fps: float
    user_id: int | None
    masks: Masks = NO_MASKS


def admit(scope: Scope, slug: str) -> Sender:
    """Raises Refused with the reason. Whether a camera exists is told only to those who may know."""
    try:
        return _admit(scope, slug)
    finally:
        close_old_connections()


def _admit(scope: Scope, slug: str) -> Sender:
    cookies, user = cookies_of(scope), user_of(scope)
    camera = Camera.objects.filter(slug=slug).first()
    device = enrolment.enrolled_device(camera.pk, cookies.get(enrolment.cookie_name(camera.pk))) if camera else None
    own = Camera.objects.capturable_by(user) if user else Camera.objects.none()
    if camera is None or not (device or own.filter(pk=camera.pk).exists()):
        raise _stranger(cookies, is_logged_in=user is not None)
    if not camera.is_enabled:
        raise Refused(4403, "camera_off", "This camera is switched off.")
    if device:
        enrolment.touch(device)
    user_id = user.pk if user and not device else None
    return Sender(camera.pk, camera.slug, camera.name, camera.target_fps_used, user_id, camera.masks())


def _stranger(cookies: dict[str, str], *, is_logged_in: bool) -> Refused:
    proofs = [token for name, token in cookies.items() if name.startswith(enrolment.COOKIE_PREFIX)]
    hashes = [enrolment.hash_of(token) for token in proofs]
    devices = list(Device.objects.filter(token_hash__in=hashes))
    if any(device.revoked_at for device in devices):
        return Refused(4403, "revoked", "This browser's enrolment was revoked.")
    if devices or is_logged_in:
        return Refused(4403, "forbidden", "Not your camera, or there is no such camera.")
    return Refused(4401, "not_enrolled", "Open the enrolment link of this camera, or log in.")
