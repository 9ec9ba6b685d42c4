"""The page that describes the API, made by Swagger UI from the OpenAPI document."""

from __future__ import annotations

import json

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from api.site import api


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """All its files are this site's own. With a session its "Try it out" works as the user."""
    wanted = {"url": reverse("api:openapi-json"), "layout": "BaseLayout", "deepLinking": True, "validatorUrl": None}
    context = {"api": api, "swagger_settings": json.dumps(wanted), "add_csrf": request.user.is_authenticated}
    return render(request, "api/docs.html", context)
