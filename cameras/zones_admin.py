"""The admin's page on which a camera's zones are drawn, and the picture that they are drawn on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.contrib.admin.utils import construct_change_message, quote
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from cameras import drawing, live
from cameras.forms import zone_forms
from cameras.models import Camera, Kind

if TYPE_CHECKING:
    from cameras.admin import CameraAdmin

PREFIX = "zones"


def zones_view(admin: CameraAdmin, request: HttpRequest, camera: Camera) -> HttpResponse:
    """Shows and changes the zones of a camera that the user manages."""
    if request.method == "POST":
        with drawing.changing(camera.pk) as locked:
            rows = zone_forms(request.POST, instance=locked, prefix=PREFIX)
            is_valid = rows.is_valid()
            if is_valid:
                rows.save()
                if what := construct_change_message(forms.Form(), [rows], False):
                    admin.log_change(request, locked, what)
        if is_valid:
            admin.message_user(request, _("The zones are saved."), messages.SUCCESS)
            return redirect("admin:cameras_camera_zones", quote(camera.pk))
    else:
        rows = zone_forms(instance=camera, prefix=PREFIX)
    return TemplateResponse(request, "admin/cameras/camera/zones.html", _context(admin, request, camera, rows))


def _context(admin: CameraAdmin, request: HttpRequest, camera: Camera, rows: Any) -> dict[str, Any]:
    frame = live.newest(camera.pk)
    if frame is None:
        rows.extra = 1  # To be written by hand.
    return {
        **admin.admin_site.each_context(request),
        "title": _("Zones of %s") % camera,
        "opts": admin.opts,
        "camera": camera,
        "rows": rows,
        "captured_at": timezone.localtime(datetime.fromtimestamp(frame.captured_at, UTC)) if frame else None,
        "is_browser": camera.kind == Kind.BROWSER,
    }


def picture_view(camera: Camera) -> HttpResponse:
    """The newest picture, however old; masked, as everything is that this server keeps."""
    frame = live.newest(camera.pk)
    if frame is None:
        return HttpResponse(_("There is no picture of this camera now."), "text/plain; charset=utf-8", status=404)
    return HttpResponse(frame.jpeg, "image/jpeg")
