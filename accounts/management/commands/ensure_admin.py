"""Makes the superuser `admin` at the first start and says, once, how to log in; `make run` calls it at every start."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand

from accounts.models import User

NAME = "admin"


class Command(BaseCommand):
    """OMIL_ADMIN_PASSWORD, where it is set, is the admin's password at every start; else one is made and kept."""

    help = "Makes the superuser 'admin' where there is none and says where its password is."

    def handle(self, *args: Any, **options: Any) -> None:
        kept_in = settings.SECRETS_DIR / "admin-password"
        user = User.objects.filter(username=NAME).first()
        if settings.ADMIN_PASSWORD:
            self._warn_if_weak(settings.ADMIN_PASSWORD)
            self._set(user, settings.ADMIN_PASSWORD)
            kept_in.unlink(missing_ok=True)
            self.stdout.write(f"{NAME} / the password in OMIL_ADMIN_PASSWORD")
        elif user is None:
            password = secrets.token_urlsafe(12)
            keep(kept_in, password)
            self._set(None, password)
            self.stdout.write(f"{NAME} / {password}")
        elif kept_in.is_file() and user.check_password(kept_in.read_text(encoding="utf-8").strip()):
            self.stdout.write(f"{NAME} / the password in {kept_in}")
        else:
            self.stdout.write(f"{NAME} / the password you gave it (forgotten: start once with OMIL_ADMIN_PASSWORD)")

    def _warn_if_weak(self, password: str) -> None:
        try:
            validate_password(password)
        except ValidationError as weakness:
            self.stderr.write(f"OMIL_ADMIN_PASSWORD is weak: {' '.join(weakness.messages)}")

    def _set(self, user: User | None, password: str) -> None:
        if user is None:
            User.objects.create_superuser(NAME, password=password)
        elif not user.check_password(password):
            user.set_password(password)
            user.save(update_fields=["password"])


def keep(path: Path, password: str) -> None:
    """Writes a file that its owner alone can read, from its first moment."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
        file.write(f"{password}\n")
