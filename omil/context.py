"""What every page's template knows of the site."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from detections import weights
from recordings import alarm


def site(request: HttpRequest) -> dict[str, Any]:
    return {
        "version": settings.VERSION,
        "detector": SimpleLazyObject(weights.status),
        "alarm": SimpleLazyObject(alarm.text),
    }
