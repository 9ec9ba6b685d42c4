"""Addresses of the pages of motion lessons."""

from __future__ import annotations

from django.urls import path

from videos import lesson_views

app_name = "lessons"
urlpatterns = [
    path("lessons/", lesson_views.lesson_list, name="list"),
    path("lessons/new/", lesson_views.new, name="new"),
    path("lessons/runs/<uuid:id_>/", lesson_views.run, name="run"),
    path("lessons/<uuid:id_>/", lesson_views.lesson, name="lesson"),
    path("lessons/<uuid:id_>/delete/", lesson_views.delete, name="delete"),
]
