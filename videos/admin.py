"""Who looked at which video, for those who manage its unit."""

from __future__ import annotations

from django.contrib import admin

from accounts.scoped import LookOnly, ManagedUnitFilter
from videos.models import VideoLook


@admin.register(VideoLook)
class VideoLookAdmin(LookOnly):
    """Who looked at which video, took something of it or deleted it; only to be read."""

    list_display = ["at", "user_name", "action", "title", "unit", "detail"]
    list_filter = ["action", ManagedUnitFilter]
    list_select_related = ["unit"]
    list_per_page = 50
    search_fields = ["user_name", "title", "video_id"]
