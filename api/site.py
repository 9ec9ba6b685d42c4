"""The API as a whole: its operations, its OpenAPI document, and what all its answers have in common."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.urls import URLPattern, URLResolver
from django.views.decorators.http import require_safe
from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema

from api import problems
from api.access import PerMinute
from api.routes import cameras, events, profiles, recordings, state, video_results, videos, visits

DESCRIPTION = """
What the pages show, for programs. Send an access token (`Authorization: Bearer omil_…`), which is made in the admin, or
a session's cookie with the header `X-CSRFToken`.

A token's scope is `watch` (live pictures and state), `read` (also everything kept) or `manage` (also changes); it never
reaches further than its user's own rights. Lists come in pages: pass `next` as `cursor` to go on. Times are RFC 3339 in
UTC. What is no success is a problem document (RFC 9457).
"""
EVERYWHERE = (401, 403, 422, 429)
REFERENCE = {"$ref": "#/components/schemas/Problem"}


class OmilAPI(NinjaAPI):
    """Its document says of each operation what may go wrong, and that this comes as a problem document."""

    def get_openapi_schema(self, **options: Any) -> OpenAPISchema:
        document = super().get_openapi_schema(**options)
        for operations in document["paths"].values():
            for operation in operations.values():
                if operation.pop("x-stream", False):
                    content = operation["responses"][200]["content"]
                    content["text/event-stream"] = content.pop("application/json")
                statuses = {*EVERYWHERE, *(code for code in operation["responses"] if code >= 400)}
                if "requestBody" in operation:
                    statuses.add(400)
                for status in sorted(statuses):
                    operation["responses"][status] = {
                        "description": HTTPStatus(status).phrase,
                        "content": {problems.KIND: {"schema": REFERENCE}},
                    }
        return document

    def _get_urls(self) -> list[URLPattern | URLResolver]:
        """Each address once, where ninja has one for each of its methods."""
        return list({str(each.pattern): each for each in super()._get_urls()}.values())


api = OmilAPI(
    title="Omil",
    version=settings.VERSION,
    description=DESCRIPTION,
    urls_namespace="api",
    docs_url=None,  # The page is at /docs: api/views.
    docs_decorator=require_safe,
    throttle=PerMinute(),
)
problems.handle_with(api)
ROUTES = (cameras, visits, recordings, videos, video_results, profiles, state, events)
for router in (each.router for each in ROUTES):
    api.add_router("", router)
