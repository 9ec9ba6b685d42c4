"""Every address and every socket message, for everybody: a user of one unit sees nothing of another unit's camera."""

from __future__ import annotations

import time

import pytest
from django.db import transaction

from cameras import live
from cameras.frames import Frame
from tests.flow.post import picture
from tests.flow.roles import OUTSIDERS, PICTURE, ROLES, STREAM, World, fingerprint, make_world
from tests.flow.routes import ROUTES, address, expected, form_of, outcome, patterns

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(db: None, valkey: str) -> World:
    """Unit X's camera has just sent a picture."""
    world = make_world()
    send_picture(world)
    return world


def send_picture(world: World) -> None:
    live.publish(Frame(world.camera.pk, STREAM, 1, time.time(), time.time(), picture()), admitted=False)


def test_every_route_is_in_the_table() -> None:
    found = list(patterns())
    assert sorted(set(found)) == sorted(ROUTES)
    assert len(found) == len(set(found))


def test_every_page_is_seen_by_those_who_may_and_by_nobody_else(world: World) -> None:
    found: dict[str, dict[str, str]] = {}
    before, leaks, seen = fingerprint(), [], set()
    for pattern in ROUTES:
        path = address(pattern, world)
        found[pattern] = {}
        send_picture(world)  # An old one is not shown as new, and all these pages take their time.
        for role in ROLES:
            response = world.client(role).get(path)
            found[pattern][role] = outcome(response)
            content = response.getvalue()  # Of films, too.
            told = {mark for mark in world.marks if mark in content and mark.decode("latin-1") not in path}
            seen |= told if role == "operator" else set()
            # Whoever holds an enrolment link is told which camera it is for.
            if told and role in OUTSIDERS and not pattern.startswith("enrol/"):
                leaks.append((pattern, role, told))
    assert found == {pattern: expected(pattern, get) for pattern, (get, _post) in ROUTES.items()}
    assert leaks == []
    assert {world.camera.name.encode(), world.camera.slug.encode(), PICTURE} <= seen  # They can be found at all.
    assert fingerprint() == before, "looking has changed something"


def test_everything_is_changed_by_those_who_may_and_by_nobody_else(world: World) -> None:
    found: dict[str, dict[str, str]] = {}
    before, leaks = fingerprint(), []
    for pattern in ROUTES:
        path = address(pattern, world)
        found[pattern] = {}
        for role in ROLES:
            with transaction.atomic():
                response = world.client(role).post(path, form_of(world))
                is_changed = response.status_code != 405 and fingerprint() != before
                found[pattern][role] = outcome(response) + ("*" if is_changed else "")
                transaction.set_rollback(True)
            content = response.getvalue()  # Of films, too.
            told = {mark for mark in world.marks if mark in content and mark.decode("latin-1") not in path}
            if told and role in OUTSIDERS and not pattern.startswith("enrol/"):
                leaks.append((pattern, role, told))
    assert found == {pattern: expected(pattern, post) for pattern, (_get, post) in ROUTES.items()}
    assert leaks == []


@pytest.mark.parametrize("path", ["/media/{}", "/static/{}", "/{}", "/var/media/{}"])
def test_media_lie_in_no_static_folder(world: World, path: str) -> None:
    assert world.client("root").get(path.format(world.visit.picture)).status_code == 404
