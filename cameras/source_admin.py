"""The button "Test this source" of a camera's form in the admin: shows the first picture, or says what is wrong."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, JsonResponse
from django.utils.translation import gettext as _

from cameras.models import Camera
from cameras.pull import trial
from cameras.pull.feed import Wanted
from cameras.pull.problems import Standing
from cameras.sources import HIDDEN, validate_source
from cameras.zones import NO_MASKS

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin


def test_view(admin: ModelAdmin[Camera], request: HttpRequest) -> JsonResponse:
    """For whoever may make a camera, or may change the one of which `tested` is the number."""
    camera = _camera(admin, request)
    source = request.POST.get("source", "").strip()
    if camera and source == camera.source_redacted:
        source = camera.source  # As in the form itself: left as it is, the stored address is meant.
    elif HIDDEN in source:
        return _answer({"problem": _("To change this address, write it out again with its password.")})
    try:
        validate_source(source)
    except ValidationError as refusal:
        return _answer({"problem": " ".join(refusal.messages)})
    try:
        outcome = trial.first_picture(Wanted(0, "", source, 5, camera.masks() if camera else NO_MASKS))
    except trial.Busy:
        return _answer({"problem": _("Other sources are being tested. Try again in a few seconds.")}, status=429)
    problem = Standing("", outcome.code, outcome.detail, 0).sentence
    if outcome.jpeg is None:
        return _answer({"problem": problem})
    picture = base64.b64encode(outcome.jpeg).decode()
    return _answer({"picture": f"data:image/jpeg;base64,{picture}", "problem": problem})


def _camera(admin: ModelAdmin[Camera], request: HttpRequest) -> Camera | None:
    number = request.POST.get("tested", "")
    if not number:
        if not admin.has_add_permission(request):
            raise PermissionDenied
        return None
    camera: Camera | None = admin.get_object(request, number)
    if camera is None:
        raise Http404
    if not admin.has_change_permission(request, camera):
        raise PermissionDenied
    return camera


def _answer(body: dict[str, str], status: int = 200) -> JsonResponse:
    response = JsonResponse(body, status=status)
    response["Cache-Control"] = "private, no-store"
    return response
