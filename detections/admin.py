"""Visits in the admin: to look at and, with their pictures, to delete; what analysis wrote is never edited by hand."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models, transaction
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from accounts.scoped import ManagedUnitFilter, ScopedAdmin
from detections.models import Visit
from detections.retention import remove_pictures


class CameraUnitFilter(ManagedUnitFilter):
    """By the unit of the visit's camera."""

    path = "camera__unit"


@admin.register(Visit)
class VisitAdmin(ScopedAdmin):
    """The visits before the cameras a user manages."""

    list_display = ["first_seen", "camera", "state", "length", "is_verified", "page"]
    list_filter = ["state", "is_verified", "end_reason", CameraUnitFilter]
    list_select_related = ["camera"]
    list_per_page = 50
    view_on_site = False
    show_full_result_count = False  # Counting a month of visits for every page is not worth the figure.
    date_hierarchy = "first_seen"
    search_fields = ["camera__name", "camera__slug"]
    readonly_fields = [field.name for field in Visit._meta.fields] + ["length", "page"]
    fieldsets = (
        (None, {"fields": ("camera", "state", "end_reason", "first_seen", "last_seen", "length", "page")}),
        (_("Facts"), {"fields": ("id", "stream", "first_seq", "ended_at", "settled_at", "is_verified", "best_score")}),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    @admin.display(description=_("duration"))
    def length(self, visit: Visit) -> str:
        minutes, seconds = divmod(round(visit.duration_s), 60)
        return f"{minutes}:{seconds:02}"

    @admin.display(description=_("page"))
    def page(self, visit: Visit) -> str:
        return format_html('<a href="{}">{}</a>', reverse("detections:visit", args=[visit.pk]), _("Open"))

    def delete_model(self, request: HttpRequest, obj: Visit) -> None:
        self._delete([obj])

    def delete_queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> None:
        self._delete(list(queryset))

    @staticmethod
    def _delete(visits: list[Visit]) -> None:
        """Rows first; the pictures go when that is certain."""
        Visit.objects.filter(pk__in=[visit.pk for visit in visits]).delete()
        transaction.on_commit(lambda: remove_pictures(visits))
