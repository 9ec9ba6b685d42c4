"""The api app: what programs use instead of pages, and what they are told of by themselves."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import pre_delete
from django.utils.translation import gettext_lazy as _


class ApiConfig(AppConfig):
    """A webhook of one camera must not become one of all cameras because that one goes."""

    name = "api"
    verbose_name = _("Programs")

    def ready(self) -> None:
        pre_delete.connect(_camera_goes, sender="cameras.Camera")


def _camera_goes(instance: Any, **kwargs: Any) -> None:
    from api.models import Webhook

    Webhook.objects.end_with(instance)
