"""Whether a unit's videos may be searched for faces: an admin has to switch that on first."""

from __future__ import annotations

from django.apps import apps
from django.utils.module_loading import import_string

from accounts.models import Unit

RULE = "profiles.rules.allows_faces"


def allows(unit: Unit) -> bool:
    """Without the application of profiles nobody looks at faces."""
    return apps.is_installed("profiles") and bool(import_string(RULE)(unit.pk))
