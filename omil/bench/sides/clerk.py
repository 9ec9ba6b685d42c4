"""Makes what a measurement of the whole product needs in its database: enrolled cameras and a logged-in viewer."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore

from accounts.models import Unit, User
from cameras import enrolment
from cameras.models import Camera

BACKEND = "accounts.backends.AccountBackend"


class Measured:
    """Nothing of it is measured: it only has its place in the product's environment."""

    def __init__(self) -> None:
        self.about: dict[str, Any] = {}

    def run(self, *, cameras: int) -> dict[str, Any]:
        unit, _is_new = Unit.objects.get_or_create(name="Bench")
        user = User.objects.create_superuser("bench")
        session = SessionStore()
        session.update(
            {SESSION_KEY: str(user.pk), BACKEND_SESSION_KEY: BACKEND, HASH_SESSION_KEY: user.get_session_auth_hash()}
        )
        session.save()
        return {
            "viewer": f"{settings.SESSION_COOKIE_NAME}={session.session_key}",
            "cameras": [self._camera(unit, number) for number in range(1, cameras + 1)],
        }

    def _camera(self, unit: Unit, number: int) -> dict[str, str]:
        camera = Camera.objects.create(name=f"Bench {number}", unit=unit)
        token = enrolment.create(camera, by=None).url.rstrip("/").rpartition("/")[2]
        return {
            "slug": camera.slug,
            "cookie": f"{enrolment.cookie_name(camera.pk)}={enrolment.redeem(token).token}",
        }
