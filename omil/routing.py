"""The WebSocket addresses."""

from __future__ import annotations

from django.urls import path

from cameras.consumers import capture
from detections.consumers import live
from videos.consumers import videos
from videos.lesson_socket import lesson

# ASGI applications, which Channels routes with Django's patterns for views.
websocket_urlpatterns = [
    path("ws/capture/<slug:slug>/", capture),  # type: ignore[arg-type]
    path("ws/live/", live),  # type: ignore[arg-type]
    path("ws/lesson/<uuid:id>/", lesson),  # type: ignore[arg-type]
    path("ws/videos/", videos),  # type: ignore[arg-type]
]
