"""Answers to requests that are no good, before any page is asked for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction
from django.core.exceptions import BadRequest, DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware
from django.utils.translation import gettext as _

Answer = HttpResponseBase | Awaitable[HttpResponseBase]


@sync_and_async_middleware
def without_zeros(get_response: Callable[[HttpRequest], Answer]) -> Callable[[HttpRequest], Answer]:
    """Refuses a query with a zero character, which PostgreSQL would fail at; the API and pictures say themselves what
    they take."""

    def is_bad(request: HttpRequest) -> bool:
        return "%00" in request.META.get("QUERY_STRING", "") and not request.path_info.startswith(
            ("/api/", "/cameras/")
        )

    async def answer_in_time(request: HttpRequest) -> HttpResponseBase:
        if is_bad(request):
            return bad_request(request, BadRequest())
        response = get_response(request)
        assert isinstance(response, Awaitable)
        return await response

    def answer(request: HttpRequest) -> Answer:
        return bad_request(request, BadRequest()) if is_bad(request) else get_response(request)

    return answer_in_time if iscoroutinefunction(get_response) else answer


def bad_request(_request: HttpRequest, exception: Exception) -> HttpResponse:
    """In plain text: a page would ask for the host, which may be what is wrong."""
    text = _("This request cannot be understood.")
    if isinstance(exception, DisallowedHost):
        text = _("This site is not served under this name. Its administrator can add the name to OMIL_HOSTS.")
    return HttpResponse(text + "\n", content_type="text/plain; charset=utf-8", status=400)
