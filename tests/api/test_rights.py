"""Every operation of the API, for everybody, by session and by token of every scope."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from accounts.models import User
from api.site import api
from cameras import tokens
from cameras.models import Camera, Token
from tests.flow.roles import OUTSIDERS, ROLES, World, fingerprint, make_world

pytestmark = pytest.mark.django_db
BODIES: dict[str, dict[str, Any]] = {
    "createCamera": {"name": "changed", "unit": "harbour"},
    "changeCamera": {"name": "changed"},
    "createVideo": {"title": "changed", "unit": "harbour", "size": 100},
    "changeProfile": {"name": "changed"},
}

# What those get who have a session: by role, as in tests/flow/routes. A star: something was changed.
EVERYBODY = "401 401 401 200 200 200 200 200 200 200"
WATCHERS = "401 401 401 404 200 200 200 200 404 404"
MANAGERS = "401 401 401 404 403 200* 403 200* 404 404"
OPERATIONS: dict[str, tuple[str, str, str]] = {
    # operation: the least scope, the method with its address, what each role gets.
    "listCameras": ("watch", "GET cameras", EVERYBODY),
    "createCamera": ("manage", "POST cameras", "401 401 401 404 404 201* 404 201* 404 404"),
    "getCamera": ("watch", "GET cameras/{slug}", WATCHERS),
    "changeCamera": ("manage", "PATCH cameras/{slug}", MANAGERS),
    "deleteCamera": ("manage", "DELETE cameras/{slug}", MANAGERS.replace("200*", "204*")),
    "enrolCamera": ("manage", "POST cameras/{slug}/enrolment", MANAGERS.replace("200*", "201*")),
    "getCoverage": ("read", "GET cameras/{slug}/coverage", WATCHERS),
    "getCameraState": ("watch", "GET cameras/{slug}/state", WATCHERS),
    "getState": ("watch", "GET state", EVERYBODY),
    "listVisits": ("read", "GET visits", EVERYBODY),
    "getVisit": ("read", "GET visits/{visit}", WATCHERS),
    "getVisitPicture": ("read", "GET visits/{visit}/picture.jpg", WATCHERS),
    "listRecordings": ("read", "GET recordings", EVERYBODY),
    "getRecording": ("read", "GET recordings/{clip}", WATCHERS),
    "deleteRecording": ("manage", "DELETE recordings/{clip}", MANAGERS.replace("200*", "204*")),
    "keepRecording": ("manage", "POST recordings/{clip}/keep", WATCHERS.replace("200", "200*")),
    "releaseRecording": ("manage", "POST recordings/{clip}/release", MANAGERS.replace("200*", "200")),
    "getRecordingVideo": ("read", "GET recordings/{clip}/video.mp4", WATCHERS),
    "getRecordingPoster": ("read", "GET recordings/{clip}/poster.jpg", WATCHERS),
    "listVideos": ("read", "GET videos", EVERYBODY),
    "createVideo": ("manage", "POST videos", "401 401 401 404 201* 201* 201* 201* 404 404"),
    "getVideo": ("read", "GET videos/{video}", WATCHERS),
    "getVideoStatus": ("read", "GET videos/{video}/status", WATCHERS),
    "deleteVideo": ("manage", "DELETE videos/{video}", "401 401 401 404 204* 204* 403 204* 404 404"),
    "cancelVideo": ("manage", "POST videos/{video}/cancel", "401 401 401 404 409 409 403 409 404 404"),
    "getVideoOriginal": ("read", "GET videos/{video}/original", WATCHERS),
    "getVideoFilm": ("read", "GET videos/{video}/film", WATCHERS),
    "getVideoPoster": ("read", "GET videos/{video}/poster.jpg", WATCHERS),
    "listVideoPeople": ("read", "GET videos/{video}/people", WATCHERS),
    "getVideoPersonPicture": ("read", "GET videos/people/{person}/picture.jpg", WATCHERS),
    "listVideoProfiles": ("read", "GET videos/{video}/profiles", WATCHERS),
    "getVideoFrames": ("read", "GET videos/{video}/frames", WATCHERS),
    "getVideoKeyPointsTable": ("read", "GET videos/{video}/keypoints.csv", WATCHERS),
    "getVideoKeyPoints": ("read", "GET videos/{video}/keypoints.json", WATCHERS),
    "listProfiles": ("read", "GET profiles", EVERYBODY),
    "getProfile": ("read", "GET profiles/{profile}", WATCHERS),
    "changeProfile": ("manage", "PATCH profiles/{profile}", WATCHERS.replace("200", "200*")),
    "eraseProfile": ("manage", "DELETE profiles/{profile}", MANAGERS),
    "listAppearances": ("read", "GET profiles/{profile}/appearances", WATCHERS),
    "listProfileVideos": ("read", "GET profiles/{profile}/videos", WATCHERS),
    "getFace": ("read", "GET appearances/{appearance}/face.jpg", WATCHERS),
    "streamEvents": ("read", "GET events", EVERYBODY),
}
SCOPES = ("watch", "read", "manage")


@pytest.fixture
def world(db: None, valkey: str) -> World:
    return make_world()


def test_every_operation_is_in_the_table() -> None:
    document = api.get_openapi_schema()
    found = {
        each["operationId"]: f"{method.upper()} {path.removeprefix('/api/')}"
        for path, operations in document["paths"].items()
        for method, each in operations.items()
    }
    named = re.compile(r"{(visit|clip|video|person|profile|appearance)}")
    wanted = {name: named.sub("{id}", call) for name, (_scope, call, _roles) in OPERATIONS.items()}
    assert found == wanted


def call(client: Client, operation: str, world: World, before: object) -> tuple[str, bytes]:
    """The status, with a star where anything was changed, and what was told; all is as before afterwards."""
    method, place = OPERATIONS[operation][1].split()
    rows = {name: world.rows[name].pk for name in ("video", "profile", "appearance")}
    rows |= {"clip": world.rows["recording"].pk, "person": world.rows["videovisit"].pk}
    place = place.format(slug=world.camera.slug, visit=world.visit.pk, **rows)
    body: dict[str, Any] = BODIES.get(operation, {})
    with transaction.atomic():
        response = client.generic(method, f"/api/{place}", json.dumps(body), "application/json")
        content: bytes = response.getvalue()
        star = "*" if method != "GET" and fingerprint() != before else ""
        transaction.set_rollback(True)
    return f"{response.status_code}{star}", content


def _program(user: User, scope: str, *cameras: Camera) -> Client:
    """With a token that has been used just now, which is noted once a minute."""
    _token, secret = tokens.issue(user, "a program", Token.Scope(scope), cameras)
    tokens.find(secret)
    return Client(headers={"Authorization": f"Bearer {secret}"}, raise_request_exception=False)


def told(content: bytes, world: World) -> set[bytes]:
    return {mark for mark in world.marks if mark in content}


def test_each_role_gets_what_it_may_and_no_more(world: World) -> None:
    before, found, leaks = fingerprint(), {}, []
    for operation in OPERATIONS:
        answers = {role: call(world.client(role), operation, world, before) for role in ROLES}
        found[operation] = " ".join(status for status, _content in answers.values())
        leaks += [(operation, role) for role in OUTSIDERS if told(answers[role][1], world)]
    assert found == {operation: row for operation, (_scope, _call, row) in OPERATIONS.items()}
    assert leaks == []
    assert fingerprint() == before


def test_a_token_does_what_its_user_may_as_far_as_its_scope_goes(world: World) -> None:
    programs = {
        (role, scope): _program(world.users[role], scope)
        for role in ("operator", "admin", "admin_y", "pending")
        for scope in SCOPES
    }
    before, found, wanted = fingerprint(), {}, {}
    for (role, scope), client in programs.items():
        for operation, (least, _call, row) in OPERATIONS.items():
            status, content = call(client, operation, world, before)
            is_enough = role == "pending" or SCOPES.index(scope) >= SCOPES.index(least)
            found[role, scope, operation] = status
            wanted[role, scope, operation] = dict(zip(ROLES, row.split(), strict=True))[role] if is_enough else "403"
            assert not (role == "admin_y" and told(content, world))
    assert found == wanted


def test_a_token_of_another_camera_shows_nothing_of_this_one(world: World) -> None:
    client = _program(world.users["root"], "manage", world.camera_y)
    before = fingerprint()
    for operation in OPERATIONS:
        status, content = call(client, operation, world, before)
        assert status in {"200", "404"}, operation
        assert not told(content, world), operation
