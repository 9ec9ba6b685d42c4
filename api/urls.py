"""Addresses of the API and of the page that describes it."""

from __future__ import annotations

from django.urls import path

from api import views
from api.site import api

urlpatterns = [
    path("api/", api.urls),
    path("docs", views.docs, name="api-docs"),
]
