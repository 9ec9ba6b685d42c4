"""Django's entry for the detections app."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DetectionsConfig(AppConfig):
    name = "detections"
    verbose_name = _("Detections")
