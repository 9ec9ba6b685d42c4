"""What operators are told while no clip can be stored: on every page, and to those that stay open."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from detections.views import for_watchers
from recordings import storage

WORDS = {
    "missing": _("No recording can be stored: the storage of recordings is missing."),
    "full": _("No recording can be stored: the storage of recordings is full."),
    "read_only": _("No recording can be stored: the storage of recordings cannot be written to."),
}


def text() -> str:
    """Empty while all is well."""
    problem = storage.state().problem
    if not problem:
        return ""
    return f"{WORDS[problem]} {gettext('New ones wait for a while; live view and visits carry on.')}"


@for_watchers
def alarm(_request: HttpRequest) -> HttpResponse:
    return JsonResponse({"text": text()})
