"""Django's entry for the profiles app."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import pre_delete
from django.utils.translation import gettext_lazy as _


class ProfilesConfig(AppConfig):
    name = "profiles"
    verbose_name = _("Profiles")

    def ready(self) -> None:
        pre_delete.connect(_camera_goes, sender="cameras.Camera")


def _camera_goes(instance: Any, **kwargs: Any) -> None:
    from profiles import erase

    erase.camera(instance.pk)
