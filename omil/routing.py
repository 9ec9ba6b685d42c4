"""The WebSocket addresses."""

from __future__ import annotations

from django.urls import path

from cameras.consumers import capture
from detections.consumers import live

websocket_urlpatterns = [
    path("ws/capture/<str:slug>/", capture),
    path("ws/live/", live),
]
