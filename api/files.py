"""Answers that are files, and how the OpenAPI document describes them."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from recordings import ranges
from recordings.ranges import Content


def answer(request: HttpRequest, found: Content | HttpResponseBase) -> HttpResponseBase:
    """A file of this machine in ranges; what lies elsewhere has its answer already."""
    return ranges.respond(request, found) if isinstance(found, Content) else found


def file_of(kind: str | Iterable[str], *statuses: int) -> dict[str, Any]:
    """For an operation's openapi_extra: with these statuses it answers with a file of such a kind, or with nothing."""
    kinds = [kind] if isinstance(kind, str) else kind
    content = {each: {"schema": {"type": "string", "format": "binary"}} for each in kinds}
    bodies = {200, 206}
    return {
        "responses": {
            status: {"description": HTTPStatus(status).phrase, **({"content": content} if status in bodies else {})}
            for status in statuses
        }
    }
