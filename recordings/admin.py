"""Clips in the admin: rules of each camera, clips to look at, keep and delete, their seals, and the audit log."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User, Viewer
from accounts.scoped import LookOnly, ManagedUnitFilter, ScopedAdmin, ScopedInline
from cameras.admin import CameraAdmin
from cameras.models import Camera
from detections.templatetags.durations import duration
from recordings import forecast, keeping
from recordings.models import AuditEntry, Recording, RecordingRules, Seal


class RulesInline(ScopedInline, admin.StackedInline):
    """How this camera is recorded; without a row, as the site's settings say."""

    model = RecordingRules
    max_num = 1
    can_delete = False  # Emptied fields say the same.
    extra = 1
    verbose_name = verbose_name_plural = _("recording")


admin.site.unregister(Camera)


@admin.register(Camera)
class RecordedCameraAdmin(CameraAdmin):
    """Cameras with their recording rules; one with kept clips cannot be deleted."""

    def get_inlines(self, request: HttpRequest, obj: Camera | None = None) -> Any:
        return [RulesInline, *super().get_inlines(request, obj)] if obj else []

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        names, counts, needed, protected = super().get_deleted_objects(objs, request)
        if kept := Recording.objects.filter(camera__in=objs, is_kept=True).count():
            protected = [*protected, gettext("recordings that are kept: %d") % kept]
        return names, counts, needed, protected


class CameraUnitFilter(ManagedUnitFilter):
    """By the unit of the camera."""

    path = "camera__unit"


@admin.register(Recording)
class RecordingAdmin(ScopedAdmin):
    """The clips of the cameras a user manages, and how long the space for them suffices."""

    list_display = ["start", "camera", "state", "reason", "length", "max_people", "bytes", "is_kept", "page"]
    list_filter = ["state", "reason", "is_kept", "is_unanalysed", CameraUnitFilter]
    list_select_related = ["camera"]
    list_per_page = 50
    view_on_site = False
    show_full_result_count = False
    date_hierarchy = "start"
    search_fields = ["camera__name", "camera__slug"]
    readonly_fields = [field.name for field in Recording._meta.fields] + ["length", "bytes", "page"]
    fieldsets = (
        (None, {"fields": ("camera", "state", "reason", "is_unanalysed", "is_kept", "start", "end", "length", "page")}),
        (_("Facts"), {"fields": ("end_reason", "max_people", "frames", "width", "height", "bytes", "path")}),
        (_("Seal"), {"fields": ("id", "number", "sha256", "created_at")}),
    )
    actions = ["keep", "release"]
    change_list_template = "admin/recordings/recording/change_list.html"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    @admin.display(description=_("duration"))
    def length(self, recording: Recording) -> str:
        return duration(recording.duration_s)

    @admin.display(description=_("size"), ordering="size")
    def bytes(self, recording: Recording) -> str:
        return filesizeformat(recording.size)

    @admin.display(description=_("page"))
    def page(self, recording: Recording) -> str:
        return format_html('<a href="{}">{}</a>', recording.get_absolute_url(), _("Open"))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        context = {"forecast": forecast.current(), **(extra_context or {})}
        return super().changelist_view(request, context)

    # --- Keeping and deleting

    @admin.action(description=_("Keep"), permissions=["change"])
    def keep(self, request: HttpRequest, queryset: models.QuerySet[Recording]) -> None:
        changed = sum(keeping.keep(recording, _user(request)) for recording in queryset)
        self.message_user(request, ngettext("%d recording is kept.", "%d recordings are kept.", changed) % changed)

    @admin.action(description=_("Keep no longer"), permissions=["change"])
    def release(self, request: HttpRequest, queryset: models.QuerySet[Recording]) -> None:
        changed = sum(keeping.release(recording, _user(request)) for recording in queryset)
        text = ngettext("%d recording is no longer kept.", "%d recordings are no longer kept.", changed)
        self.message_user(request, text % changed)

    def has_delete_permission(self, request: HttpRequest, obj: Recording | None = None) -> bool:
        may_go = obj is None or (not obj.is_kept and obj.state in keeping.SETTLED)
        return may_go and super().has_delete_permission(request, obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Nothing hangs on a clip but its files; what is kept or still open stays."""
        protected = [str(clip) for clip in objs if not self.has_delete_permission(request, clip)]
        return [str(clip) for clip in objs], {str(Recording._meta.verbose_name_plural): len(objs)}, set(), protected

    def delete_model(self, request: HttpRequest, obj: Recording) -> None:
        self._delete(request, [obj])

    def delete_queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> None:
        self._delete(request, list(queryset))

    def _delete(self, request: HttpRequest, clips: list[Recording]) -> None:
        stayed = [clip for clip in clips if not keeping.delete(clip, _user(request))]
        if stayed:
            text = ngettext(
                "%d recording is kept or open and stays.", "%d recordings are kept or open and stay.", len(stayed)
            )
            self.message_user(request, text % len(stayed), messages.WARNING)


def _user(request: HttpRequest) -> User:
    user = request.user
    assert isinstance(user, User)  # The admin lets nobody else in.
    return user


@admin.register(Seal)
class SealAdmin(LookOnly):
    """The chains of the cameras a user manages."""

    list_display = ["camera_key", "number", "path", "sealed_at", "removed_at", "removed_because"]
    list_per_page = 50
    show_full_result_count = False
    search_fields = ["path", "sha256", "recording_id"]

    def seen_by(self, user: Viewer) -> models.QuerySet[Seal]:
        seals = Seal.objects.all()
        return (
            seals if user.is_superuser else seals.filter(camera_key__in=Camera.objects.manageable_by(user).values("pk"))
        )


@admin.register(AuditEntry)
class AuditEntryAdmin(LookOnly):
    """Who did what with the clips of the cameras a user manages; nobody changes or removes a line."""

    list_display = ["at", "user_name", "action", "camera_name", "recording_id", "detail"]
    list_filter = ["action", CameraUnitFilter]
    list_per_page = 50
    show_full_result_count = False
    date_hierarchy = "at"
    search_fields = ["user_name", "camera_name", "recording_id", "detail"]

    def seen_by(self, user: Viewer) -> models.QuerySet[AuditEntry]:
        entries = AuditEntry.objects.all()
        return entries if user.is_superuser else entries.filter(camera__in=Camera.objects.manageable_by(user))
