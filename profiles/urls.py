"""Addresses of the pages of profiles."""

from __future__ import annotations

from django.urls import path

from profiles import acts, views

app_name = "profiles"
urlpatterns = [
    path("profiles/", views.profile_list, name="list"),
    path("profiles/confirm/", views.confirm, name="confirm"),
    path("profiles/<uuid:id_>/", views.profile, name="profile"),
    path("profiles/<uuid:id_>/edit/", acts.edit, name="edit"),
    path("profiles/<uuid:id_>/merge/", acts.merge, name="merge"),
    path("profiles/<uuid:id_>/split/", acts.split, name="split"),
    path("profiles/<uuid:id_>/move/", acts.move, name="move"),
    path("profiles/<uuid:id_>/export.zip", views.export, name="export"),
    path("profiles/<uuid:id_>/erase/", acts.erase_profile, name="erase"),
    path("profiles/faces/<uuid:id_>/face.jpg", views.crop, name="crop"),
    path("profiles/faces/<uuid:id_>/deny/", acts.deny, name="deny"),
    path("profiles/faces/<uuid:id_>/answer/", acts.answer, name="answer"),
]
