"""Addresses of the guard post's pages."""

from __future__ import annotations

from django.urls import path

from cameras import views

app_name = "cameras"
urlpatterns = [
    path("capture/", views.capture_list, name="capture-list"),
    path("capture/<slug:slug>/", views.capture, name="capture"),
    path("enrol/<str:token>/", views.enrol, name="enrol"),
]
