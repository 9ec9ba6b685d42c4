"""Addresses of the operators' pages, and of a camera's pictures for any client."""

from __future__ import annotations

from django.urls import path

from detections import pictures, views

app_name = "detections"
urlpatterns = [
    path("", views.dashboard, name="dashboard"),
    path("cameras/<slug:slug>/", views.camera, name="camera"),
    path("cameras/<slug:slug>/stream.mjpg", pictures.stream, name="stream"),
    path("cameras/<slug:slug>/snapshot.jpg", pictures.snapshot, name="snapshot"),
    path("visits/", views.visit_list, name="visit-list"),
    path("visits/<uuid:visit_id>/", views.visit, name="visit"),
    path("visits/<uuid:visit_id>/picture.jpg", views.visit_picture, name="visit-picture"),
]
