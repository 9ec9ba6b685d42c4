"""The addresses of the whole site."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from django.views.i18n import set_language

from omil import health

handler400 = "omil.refusals.bad_request"
admin.autodiscover()
urlpatterns = [
    path("", include("accounts.urls")),
    path("", include("cameras.urls")),
    path("", include("detections.urls")),
    path("", include("recordings.urls")),
    path("", include("profiles.urls")),
    path("", include("videos.urls")),
    path("", include("videos.lesson_urls")),
    path("", include("api.urls")),
    path("admin/", admin.site.urls),
    path("healthz", health.healthz, name="healthz"),
    path("metrics", health.metrics, name="metrics"),
    path("language/", set_language, name="set_language"),
]
