"""The cameras app: what we watch, and how a frame gets in."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_delete, post_save, pre_delete
from django.utils.translation import gettext_lazy as _


class CamerasConfig(AppConfig):
    """Connects every change of a camera or device to its notice; by signals, as in accounts/apps.py."""

    name = "cameras"
    verbose_name = _("Cameras")

    def ready(self) -> None:
        camera, device = self.get_model("Camera"), self.get_model("Device")
        pre_delete.connect(_camera_goes, sender=camera)
        post_save.connect(_camera_changed, sender=camera)
        post_delete.connect(_camera_changed, sender=camera)
        post_save.connect(_device_changed, sender=device)
        post_delete.connect(_device_changed, sender=device)


def _camera_goes(instance: Any, **kwargs: Any) -> None:
    from cameras import tokens

    tokens.end_with(instance)


def _camera_changed(instance: Any, created: bool = False, **kwargs: Any) -> None:
    from accounts.notices import rights_changed

    if not created:
        rights_changed(camera_id=instance.pk)


def _device_changed(instance: Any, created: bool = False, **kwargs: Any) -> None:
    from accounts.notices import rights_changed

    if not created:
        rights_changed(camera_id=instance.camera_id)
