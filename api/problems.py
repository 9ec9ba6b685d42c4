"""Answers that are no success, each a problem document (RFC 9457), wherever below /api/ they arise."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.core.exceptions import ValidationError as RowInvalid
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_cache_control
from ninja import Schema
from ninja.errors import HttpError, Throttled, ValidationError
from pydantic import Field

if TYPE_CHECKING:
    from ninja import NinjaAPI

KIND = "application/problem+json"
PLACE = "/api/"

DETAILS = {
    400: "The request cannot be read.",
    401: "Log in, or send an access token that holds: Authorization: Bearer omil_…",
    403: "This may not be done with these rights.",
    404: "There is nothing here, or nothing that these rights show. /docs lists what there is.",
    405: "This method is not offered here; the header Allow names those that are.",
    413: "The request is too large.",
    429: "Too many requests; the header Retry-After says when to go on.",
    500: "Something failed here; the server's log says what.",
    503: "Not now; try again a little later.",
}


class Fault(Schema):
    """What is wrong with one part of the request."""

    where: str = Field(description="The place in the request, such as query.limit or body.name.")
    what: str


class Problem(Schema):
    """A problem document (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[Fault] = []


class Refusal(Exception):
    """Raised by an operation that cannot do what it was asked; becomes a problem document."""

    def __init__(self, status: int, detail: str = "", faults: Sequence[Fault] = ()) -> None:
        super().__init__(detail)
        self.status, self.detail, self.faults = status, detail, list(faults)


def fault(where: str, what: str) -> Refusal:
    """One part of the request cannot be taken."""
    return Refusal(422, "The request does not fit.", [Fault(where=where, what=what)])


def of_row(error: RowInvalid, names: dict[str, str] | None = None) -> Refusal:
    """A row that may not be stored like this; what is taken already is a conflict."""
    faults = [
        Fault(where=f"body.{(names or {}).get(field, field)}" if field != "__all__" else "body", what=message)
        for field, messages in error.message_dict.items()
        for message in messages
    ]
    is_taken = any(each.code in {"unique", "unique_together"} for found in error.error_dict.values() for each in found)
    constrained = "__all__" in error.error_dict
    return Refusal(409 if is_taken or constrained else 422, "It cannot be stored like this.", faults)


def respond(status: int, detail: str = "", faults: Sequence[Fault] = ()) -> HttpResponse:
    body = Problem(
        title=HTTPStatus(status).phrase, status=status, detail=detail or DETAILS.get(status, ""), errors=list(faults)
    )
    response = HttpResponse(json.dumps(body.model_dump(), ensure_ascii=False), content_type=KIND, status=status)
    if status == HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = "Bearer"
    return response


def handle_with(api: NinjaAPI) -> None:
    """What ninja raises, and what operations do, become problem documents; the rest is the middleware's."""

    @api.exception_handler(Refusal)
    def refused(_request: HttpRequest, error: Any) -> HttpResponse:
        return respond(error.status, error.detail, error.faults)

    @api.exception_handler(Http404)
    def missing(_request: HttpRequest, _error: Any) -> HttpResponse:
        return respond(404)

    @api.exception_handler(Throttled)
    @api.exception_handler(HttpError)
    def failed(_request: HttpRequest, error: Any) -> HttpResponse:
        return respond(error.status_code)

    @api.exception_handler(ValidationError)
    def invalid(_request: HttpRequest, error: Any) -> HttpResponse:
        """What was sent is not repeated: it may hold a password."""
        faults = [Fault(where=_place(each["loc"]), what=each["msg"]) for each in error.errors]
        return respond(422, "The request does not fit.", faults)


def _place(loc: Sequence[str | int]) -> str:
    """Without the name of the function's own argument, which nobody outside knows."""
    words = [str(word) for word in loc]
    return ".".join([words[0], *words[2:]] if words[0] == "body" and len(words) > 2 else words)


class ProblemMiddleware:
    """Turns whatever other page says below /api/ that something is wrong into a problem document, and keeps it all out
    of caches. Runs in either world, so that it costs no change of thread."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        response = self.get_response(request)
        if isinstance(response, HttpResponseBase):
            return dressed(request, response)
        return self._later(request, response)

    async def _later(self, request: HttpRequest, coming: Awaitable[HttpResponseBase]) -> HttpResponseBase:
        return dressed(request, await coming)


def dressed(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    if not request.path_info.startswith(PLACE):
        return response
    if response.status_code >= 400 and isinstance(response, HttpResponse) and response.get("Content-Type") != KIND:
        problem = respond(response.status_code)
        response.content = problem.content
        response["Content-Type"] = KIND
        response.headers.pop("Content-Length", None)
    if not response.has_header("Cache-Control"):
        patch_cache_control(response, private=True, no_store=True)
    return response
