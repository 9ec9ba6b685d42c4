"""Times are shown in the zone the browser names, whatever it sends."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.utils import timezone

from accounts.middleware import TimezoneMiddleware

ZONES = pytest.mark.parametrize(
    ("cookie", "zone"),
    [
        ("Asia/Seoul", "Asia/Seoul"),
        ("Asia%2FSeoul", "Asia/Seoul"),
        ("America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
        ("", "UTC"),
        ("Mars/Phobos", "UTC"),
        ("../../etc/passwd", "UTC"),
        ("/etc/localtime", "UTC"),
        ("\x00", "UTC"),
    ],
)


def request_with(cookie: str) -> HttpRequest:
    request = RequestFactory().get("/")
    request.COOKIES["tz"] = cookie
    return request


def answer(request: HttpRequest) -> HttpResponse:
    return HttpResponse(timezone.get_current_timezone_name())


async def aanswer(request: HttpRequest) -> HttpResponse:
    return answer(request)


@ZONES
def test_the_zone_holds_for_the_request_alone(cookie: str, zone: str) -> None:
    response: Any = TimezoneMiddleware(answer)(request_with(cookie))
    assert response.content.decode() == zone
    assert timezone.get_current_timezone_name() == "UTC"


@ZONES
async def test_it_is_the_same_under_asgi(cookie: str, zone: str) -> None:
    response: Any = await TimezoneMiddleware(aanswer)(request_with(cookie))  # type: ignore[misc]
    assert response.content.decode() == zone
    assert timezone.get_current_timezone_name() == "UTC"


def test_a_request_without_the_cookie_is_in_utc() -> None:
    response: Any = TimezoneMiddleware(answer)(RequestFactory().get("/"))
    assert response.content == b"UTC"
