"""Where admins switch the recognition of faces on, by camera and for a unit's uploads, and who looked at profiles."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.admin import UnitAdmin
from accounts.models import Unit
from accounts.scoped import LookOnly, ManagedUnitFilter, ScopedInline
from cameras.models import Camera
from profiles.models import FaceRules, ProfileLook, UnitFaces
from recordings.admin import RecordedCameraAdmin


class FaceRulesInline(ScopedInline, admin.StackedInline):
    """Whether faces before this camera are recognised; without a row they are not."""

    model = FaceRules
    max_num = 1
    can_delete = False  # Not ticked says the same.
    extra = 1
    verbose_name = verbose_name_plural = _("recognition of faces")


class UnitFacesInline(ScopedInline, admin.StackedInline):
    """Whether faces may be recognised in what the unit's users upload."""

    model = UnitFaces
    max_num = 1
    can_delete = False
    extra = 1
    verbose_name = verbose_name_plural = _("recognition of faces")


admin.site.unregister(Camera)
admin.site.unregister(Unit)


@admin.register(Camera)
class FacedCameraAdmin(RecordedCameraAdmin):
    """Cameras, with the recognition of faces."""

    def get_inlines(self, request: HttpRequest, obj: Camera | None = None) -> Any:
        return [FaceRulesInline, *super().get_inlines(request, obj)] if obj else super().get_inlines(request, obj)


@admin.register(Unit)
class FacedUnitAdmin(UnitAdmin):
    """Units, with the recognition of faces in their uploads."""

    def get_inlines(self, request: HttpRequest, obj: Unit | None = None) -> Any:
        return [UnitFacesInline, *super().get_inlines(request, obj)] if obj else super().get_inlines(request, obj)


@admin.register(ProfileLook)
class ProfileLookAdmin(LookOnly):
    """Who looked at which profile; only to be read."""

    list_display = ["at", "user_name", "action", "profile_id", "unit", "detail"]
    list_filter = ["action", ManagedUnitFilter]
    list_select_related = ["unit"]
    list_per_page = 50
    search_fields = ["user_name", "profile_id"]
