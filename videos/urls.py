"""Addresses of the pages of videos."""

from __future__ import annotations

from django.urls import path

from videos import files, keypoint_views, upload_views, views

app_name = "videos"
urlpatterns = [
    path("videos/", views.video_list, name="list"),
    path("videos/upload/", upload_views.creation, name="uploads"),
    path("videos/upload/<uuid:id_>/", upload_views.upload, name="upload"),
    path("videos/<uuid:id_>/", views.video, name="video"),
    path("videos/<uuid:id_>/frames.json", views.frames, name="frames"),
    path("videos/<uuid:id_>/status.json", views.status, name="status"),
    path("videos/<uuid:id_>/film", files.film, name="film"),
    path("videos/<uuid:id_>/original", files.original, name="original"),
    path("videos/<uuid:id_>/keypoints.csv", keypoint_views.as_csv, name="keypoints-csv"),
    path("videos/<uuid:id_>/keypoints.json", keypoint_views.as_json, name="keypoints-json"),
    path("videos/<uuid:id_>/poster.jpg", files.poster, name="poster"),
    path("videos/<uuid:id_>/delete/", views.delete, name="delete"),
    path("videos/people/<uuid:id_>/picture.jpg", files.person, name="person"),
]
