"""Who is let in, and that every answer which is no success is a problem document."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from pytest_django import Settings

from accounts.models import User
from api.site import api
from cameras import tokens
from cameras.models import Camera, Token
from omil.urls import urlpatterns as site
from tests.api.conftest import program

pytestmark = pytest.mark.django_db
COUNTED: Counter[str] = api.throttle._counts  # type: ignore[union-attr]


def _broken(_request: HttpRequest) -> HttpResponse:
    raise RuntimeError("a secret of the server")


urlpatterns = [*site, path("api/broken", _broken)]


def _problem(answer: Any) -> dict[str, Any]:
    assert answer["Content-Type"] == "application/problem+json", answer
    assert "no-store" in answer["Cache-Control"]
    told: dict[str, Any] = json.loads(answer.content)
    assert told["status"] == answer.status_code
    assert told["title"]
    assert told["detail"]
    return told


def test_nobody_is_let_in_without_a_session_or_a_token(camera_x: Camera) -> None:
    answer = Client().get("/api/cameras")
    assert _problem(answer)["status"] == 401
    assert answer["WWW-Authenticate"] == "Bearer"
    assert _problem(Client().post("/api/cameras", {}, "application/json"))["status"] == 401


@pytest.mark.parametrize(
    "header", ["Bearer nonsense", "Bearer ", "Bearer omil_" + "x" * 43, "bearer \u00fc", "Basic eDp5"]
)
def test_a_wrong_token_is_refused(db: None, header: str) -> None:
    assert _problem(Client(headers={"Authorization": header}).get("/api/cameras"))["status"] == 401


def test_a_wrong_token_does_not_fall_back_to_the_session(bob: User) -> None:
    client = Client(headers={"Authorization": "Bearer omil_wrong"})
    client.force_login(bob)
    assert client.get("/api/cameras").status_code == 401


def test_a_token_ends_when_it_is_revoked_or_its_user_goes(bob: User, camera_x: Camera) -> None:
    token, secret = tokens.issue(bob, "a program", Token.Scope.WATCH)
    client = Client(headers={"Authorization": f"Bearer {secret}"})
    assert client.get("/api/cameras").status_code == 200
    tokens.revoke(token)
    assert client.get("/api/cameras").status_code == 401
    client = program(bob)
    bob.is_active = False
    bob.save()
    assert client.get("/api/cameras").status_code == 401


@pytest.mark.parametrize(
    ("scope", "statuses"),
    [("watch", [200, 403, 403]), ("read", [200, 200, 403]), ("manage", [200, 200, 201])],
)
def test_a_scope_goes_so_far(alice: User, camera_x: Camera, scope: str, statuses: list[int]) -> None:
    client = program(alice, scope)
    answers = [client.get("/api/cameras"), client.get("/api/visits")]
    answers.append(client.post("/api/cameras", {"name": "A", "unit": "unit-x"}, "application/json"))
    assert [answer.status_code for answer in answers] == statuses


def test_a_session_needs_its_csrf_token_to_change_anything(alice: User, camera_x: Camera, settings: Settings) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    place, body = f"/api/cameras/{camera_x.slug}", {"name": "A"}
    assert client.get(place).status_code == 200
    assert _problem(client.patch(place, body, "application/json"))["status"] == 403
    client.get("/docs")
    token = client.cookies[settings.CSRF_COOKIE_NAME].value
    changed = client.patch(place, body, "application/json", headers={"X-CSRFToken": token})
    assert (changed.status_code, changed.json()["name"]) == (200, "A")


def test_a_guard_post_sees_nothing(gina: User, camera_x: Camera, valkey: str) -> None:
    client = program(gina)
    assert client.get("/api/cameras").json()["items"] == []
    assert client.get("/api/state").json()["cameras"] == []
    assert client.get(f"/api/cameras/{camera_x.slug}").status_code == 404


@pytest.mark.urls("tests.api.test_access")
@pytest.mark.parametrize(
    ("method", "place", "status"),
    [
        ("GET", "/api/", 404),
        ("GET", "/api/nowhere", 404),
        ("GET", "/api/cameras/", 404),
        ("GET", "/api/visits/no-uuid", 404),
        ("PUT", "/api/cameras", 405),
        ("DELETE", "/api/state", 405),
        ("GET", "/api/broken", 500),
    ],
)
def test_whatever_goes_wrong_is_a_problem_document(alice: User, method: str, place: str, status: int) -> None:
    client = program(alice)
    client.raise_request_exception = False
    answer = client.generic(method, place)
    told = _problem(answer)
    assert told["status"] == status
    assert "secret" not in answer.content.decode()
    if status == 405:
        assert "GET" in answer["Allow"]


@pytest.mark.parametrize(("body", "status"), [(b"{", 400), (b"\xff", 400), (b"[]", 422), (b"null", 422), (b"", 422)])
def test_a_body_that_is_none_is_refused(manager: Client, unit_x: object, body: bytes, status: int) -> None:
    assert _problem(manager.post("/api/cameras", body, "application/json"))["status"] == status


def test_a_body_that_is_too_large_is_refused(manager: Client) -> None:
    answer = manager.post("/api/cameras", b'"' + b"x" * 3_000_000 + b'"', "application/json")
    assert _problem(answer)["status"] in {400, 413}


def test_too_many_requests_are_told_when_to_go_on(bob: User, alice: User, settings: Settings) -> None:
    settings.API_PER_MINUTE = 3
    COUNTED.clear()  # Of tests before, whose tokens had the same numbers.
    client = program(bob)
    answers = [client.get("/api/cameras") for _ in range(8)]  # A minute may end between them, once.
    assert _problem(answers[-1])["status"] == 429
    assert 0 < int(answers[-1]["Retry-After"]) <= 60
    assert program(alice).get("/api/cameras").status_code == 200


def test_the_page_of_the_api_needs_nobody_elses_files(client: Client) -> None:
    page = client.get("/docs")
    assert page.status_code == 200
    assert b"https://" not in page.content
    assert b"http://" not in page.content
    assert b"ninja/swagger-ui-bundle" in page.content
    assert b'name="viewport"' in page.content  # It is laid out for the width of a phone.
    document = client.get("/api/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert {"/api/cameras", "/api/visits", "/api/recordings", "/api/state"} <= set(document["paths"])
