"""Answers to requests that are no good, before any page is asked for."""

from __future__ import annotations

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _


def bad_request(_request: HttpRequest, exception: Exception) -> HttpResponse:
    """In plain text: a page would ask for the host, which may be what is wrong."""
    text = _("This request cannot be understood.")
    if isinstance(exception, DisallowedHost):
        text = _("This site is not served under this name. Its administrator can add the name to OMIL_HOSTS.")
    return HttpResponse(text + "\n", content_type="text/plain; charset=utf-8", status=400)
