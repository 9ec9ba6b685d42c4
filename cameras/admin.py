"""Cameras in the admin: live status, limits, the enrolment link with its QR code, and the browsers enrolled."""

from __future__ import annotations

from typing import Any

import segno
from django.contrib import admin, messages
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.formats import localize
from django.utils.html import format_html
from django.utils.safestring import mark_safe
from django.utils.text import capfirst
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import User
from accounts.scoped import ManagedUnitFilter, ScopedAdmin, ScopedInline
from cameras import enrolment, lamps, source_admin, zones_admin
from cameras import token_admin as token_admin  # Registers its own.
from cameras.forms import CameraForm
from cameras.models import Camera, Device, Kind
from cameras.pull import problems


class DeviceInline(ScopedInline, admin.TabularInline):
    """The browsers enrolled as this camera; they come by their link and go by being revoked."""

    model = Device
    extra = 0
    fields = ["label", "created_at", "user_agent", "last_seen_at", "revoked_at", "revoke"]
    readonly_fields = ["created_at", "user_agent", "last_seen_at", "revoked_at", "revoke"]
    can_delete = False
    verbose_name_plural = _("enrolled browsers")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="")
    def revoke(self, device: Device) -> str:
        if device.pk is None or device.revoked_at:
            return ""
        # A button of the page's own form: forms cannot be nested, and a link must not change anything.
        return format_html(
            '<button class="button" formaction="{}" formnovalidate>{}</button>',
            reverse("admin:cameras_camera_revoke", args=[quote(device.camera_id), device.pk]),
            _("Revoke"),
        )


@admin.register(Camera)
class CameraAdmin(ScopedAdmin):
    """The cameras of the units a user manages."""

    form = CameraForm
    list_display = ["name", "lamp", "unit", "kind", "is_enabled", "rate", "address"]
    list_filter = ["is_enabled", "kind", ManagedUnitFilter]
    list_select_related = ["unit"]
    list_per_page = 50
    search_fields = ["name", "slug", "unit__name"]
    readonly_fields = ["kind", "state", "page", "open_link", "created_at"]
    fieldsets = (
        (None, {"fields": ("name", "unit", "is_enabled", "source")}),
        (_("Limits"), {"fields": ("target_fps", "confidence", "visit_gap_s")}),
        (_("Facts"), {"fields": ("kind", "state", "page", "open_link", "created_at")}),
    )
    inlines = [DeviceInline]
    actions = ["enable", "disable"]
    change_form_template = "admin/cameras/camera/change_form.html"

    def get_fieldsets(self, request: HttpRequest, obj: Camera | None = None) -> Any:
        return self.fieldsets if obj else self.fieldsets[:2]

    def get_inlines(self, request: HttpRequest, obj: Camera | None = None) -> Any:
        return self.inlines if obj and obj.kind == Kind.BROWSER else []

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """An address cannot be guessed letter by letter through the list's filters."""
        return not lookup.startswith("source") and super().lookup_allowed(lookup, value, request)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Says how much goes with a camera instead of listing it: a month of one camera is 43,200 minutes."""
        counts: dict[str, int] = {str(Camera._meta.verbose_name_plural): len(objs)}
        protected = []
        for relation in Camera._meta.related_objects:
            rows = relation.related_model._base_manager.filter(**{f"{relation.field.name}__in": objs}).count()
            name = str(relation.related_model._meta.verbose_name_plural)
            if rows and relation.on_delete is models.PROTECT:
                protected.append(f"{name}: {rows}")
            elif rows:
                counts[name] = rows
        return [str(camera) for camera in objs], counts, set(), protected

    def response_post_save_add(self, request: HttpRequest, obj: Camera) -> HttpResponseRedirect:
        """A new camera's own page comes next: the enrolment link is made there."""
        return redirect("admin:cameras_camera_change", obj.pk)

    # --- Columns and fields

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changelist: Any = super().get_changelist_instance(request)
        changelist.result_list = lamps.lit(changelist.result_list)
        return changelist

    @admin.display(description=_("status"))
    def lamp(self, camera: Any) -> str:
        status: lamps.Lamp = camera.lamp
        return format_html(
            '<span class="lamp" data-lamp="{}" title="{}">{}</span>', status.tone, status.hint, status.word
        )

    @admin.display(description=_("rate"), ordering="target_fps")
    def rate(self, camera: Camera) -> str:
        return f"{camera.target_fps_used:g}"

    @admin.display(description=_("address"))
    def address(self, camera: Camera) -> str:
        return camera.source_redacted

    @admin.display(description=_("status"))
    def state(self, camera: Camera) -> str:
        """The lamp with what is wrong beside it, in words."""
        [lit] = lamps.lit([camera])
        standing = problems.read(camera.pk) if camera.kind == Kind.PULL else None
        return format_html("{} {}", self.lamp(lit), standing.sentence if standing else "")

    @admin.display(description=_("page"))
    def page(self, camera: Camera) -> str:
        name = "cameras:capture" if camera.kind == Kind.BROWSER else "detections:camera"
        return format_html('<a href="{0}">{0}</a>', reverse(name, args=[camera.slug]))

    @admin.display(description=_("enrolment link"))
    def open_link(self, camera: Camera) -> str:
        opened = camera.enrolments.filter(used_at=None, revoked_at=None, expires_at__gt=timezone.now()).first()
        if opened is None:
            return gettext("none that is unused")
        return gettext("one unused, until %(until)s; a new one ends it") % {
            "until": localize(timezone.localtime(opened.expires_at))
        }

    # --- Actions on the list

    @admin.action(description=_("Switch on"), permissions=["change"])
    def enable(self, request: HttpRequest, queryset: models.QuerySet[Camera]) -> None:
        self._switch(request, queryset, is_enabled=True)

    @admin.action(description=_("Switch off"), permissions=["change"])
    def disable(self, request: HttpRequest, queryset: models.QuerySet[Camera]) -> None:
        self._switch(request, queryset, is_enabled=False)

    def _switch(self, request: HttpRequest, queryset: models.QuerySet[Camera], *, is_enabled: bool) -> None:
        changed = 0
        for camera in queryset.exclude(is_enabled=is_enabled):
            camera.is_enabled = is_enabled
            camera.save(update_fields=["is_enabled"])
            self.log_change(request, camera, "Switched on." if is_enabled else "Switched off.")
            changed += 1
        self.message_user(request, ngettext("%d camera changed.", "%d cameras changed.", changed) % changed)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("test-source/", view(self.test_source_view), name="cameras_camera_test_source"),
            path("<path:object_id>/zones/", view(self.zones_view), name="cameras_camera_zones"),
            path("<path:object_id>/zones/picture.jpg", view(self.zones_picture_view), name="cameras_camera_picture"),
            path("<path:object_id>/enrol/", view(self.enrol_view), name="cameras_camera_enrol"),
            path("<path:object_id>/revoke/<int:device_id>/", view(self.revoke_view), name="cameras_camera_revoke"),
            *super().get_urls(),
        ]

    def _managed(self, request: HttpRequest, object_id: str) -> Camera:
        camera: Camera | None = self.get_object(request, unquote(object_id))
        if camera is None:
            raise Http404
        if not self.has_change_permission(request, camera):
            raise PermissionDenied
        return camera

    # --- The source

    @method_decorator([require_POST, never_cache])
    def test_source_view(self, request: HttpRequest) -> HttpResponse:
        return source_admin.test_view(self, request)

    # --- Zones

    @method_decorator([require_http_methods(["GET", "HEAD", "POST"]), never_cache])
    def zones_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return zones_admin.zones_view(self, request, self._managed(request, object_id))

    @method_decorator([require_safe, never_cache])
    def zones_picture_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return zones_admin.picture_view(self._managed(request, object_id))

    # --- Enrolment

    @method_decorator([require_POST, never_cache])
    def enrol_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Makes a link and shows it this one time."""
        camera = self._managed(request, object_id)
        if camera.kind != Kind.BROWSER:
            raise Http404
        link = enrolment.create(camera, by=request.user if isinstance(request.user, User) else None)
        self.log_change(request, camera, "Made an enrolment link.")
        context = {
            **self.admin_site.each_context(request),
            "title": _("Enrolment link"),
            "opts": self.opts,
            "camera": camera,
            "link": link,
            # Black on white also in the dark theme: many readers do not take it the other way round.
            "qr": mark_safe(segno.make(link.url, error="m").svg_inline(scale=6, border=4, light="#fff")),  # noqa: S308
        }
        return TemplateResponse(request, "admin/cameras/camera/enrolment.html", context)

    @method_decorator([require_POST, never_cache])
    def revoke_view(self, request: HttpRequest, object_id: str, device_id: int) -> HttpResponse:
        """Ends a browser's enrolment at once, its open page included."""
        camera = self._managed(request, object_id)
        device = camera.devices.filter(pk=device_id).first()
        if device is None:
            raise Http404
        if enrolment.revoke(device):
            self.log_change(request, camera, f"Revoked the device {device}.")
        self.message_user(request, _("%s is no longer enrolled.") % capfirst(str(device)), messages.SUCCESS)
        return redirect("admin:cameras_camera_change", quote(camera.pk))
