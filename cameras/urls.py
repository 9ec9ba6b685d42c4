"""Addresses of the guard post's pages, and of what is wrong with cameras."""

from __future__ import annotations

from django.urls import path

from cameras import views

app_name = "cameras"
urlpatterns = [
    path("capture/", views.capture_list, name="capture-list"),
    path("capture/<slug:slug>/", views.capture, name="capture"),
    path("alarms/", views.alarms_now, name="alarms"),
    path("enrol/<str:token>/", views.enrol, name="enrol"),
]
