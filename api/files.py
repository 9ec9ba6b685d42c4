"""How the OpenAPI document describes an answer that is a file."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any


def file_of(kind: str, *statuses: int) -> dict[str, Any]:
    """For an operation's openapi_extra: with these statuses it answers with a file of this kind, or with nothing."""
    content = {kind: {"schema": {"type": "string", "format": "binary"}}}
    bodies = {200, 206}
    return {
        "responses": {
            status: {"description": HTTPStatus(status).phrase, **({"content": content} if status in bodies else {})}
            for status in statuses
        }
    }
