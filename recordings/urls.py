"""Addresses of the pages of clips."""

from __future__ import annotations

from django.urls import path

from recordings import acts, alarm, files, views

app_name = "recordings"
urlpatterns = [
    path("recordings/", views.recording_list, name="list"),
    path("recordings/timeline.json", views.timeline_json, name="timeline"),
    path("recordings/alarm.json", alarm.alarm, name="alarm"),
    path("recordings/export/", acts.export, name="export"),
    path("recordings/export/<uuid:id_>/", acts.export_page, name="export-page"),
    path("recordings/export/<uuid:id_>/film.mp4", files.export_file, name="export-file"),
    path("recordings/<uuid:id_>/", views.recording, name="recording"),
    path("recordings/<uuid:id_>/video.mp4", files.video, name="video"),
    path("recordings/<uuid:id_>/download/", files.download, name="download"),
    path("recordings/<uuid:id_>/poster.jpg", files.poster, name="poster"),
    path("recordings/<uuid:id_>/strip.jpg", files.strip, name="strip"),
    path("recordings/<uuid:id_>/frames.json", views.frames, name="frames"),
    path("recordings/<uuid:id_>/keep/", acts.keep, name="keep"),
    path("recordings/<uuid:id_>/delete/", acts.delete, name="delete"),
]
