"""Addresses of the operators' pages."""

from __future__ import annotations

from django.urls import path

from detections import views

app_name = "detections"
urlpatterns = [
    path("", views.dashboard, name="dashboard"),
    path("cameras/<slug:slug>/", views.camera, name="camera"),
    path("visits/", views.visit_list, name="visit-list"),
    path("visits/<uuid:visit_id>/", views.visit, name="visit"),
    path("visits/<uuid:visit_id>/picture.jpg", views.visit_picture, name="visit-picture"),
]
