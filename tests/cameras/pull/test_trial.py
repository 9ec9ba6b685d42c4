""" "Test this source": its first picture or the exact reason, for whoever may change the camera and nobody else."""

from __future__ import annotations

import base64
import time

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import Unit, User
from cameras.models import Camera, Zone
from cameras.pull import trial
from cameras.pull.feed import Wanted
from tests.cameras.pull.server import Connection, camera
from tests.fakes import numbered_picture

URL = "/admin/cameras/camera/test-source/"
PICTURE = numbered_picture(1)


@pytest.fixture(autouse=True)
def here(settings: Settings) -> None:
    settings.PULL_ALLOW = ["127.0.0.1"]


@pytest.fixture
def admin(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def locked(it: Connection) -> None:
    if it.header("authorization"):
        it.play([PICTURE])
    else:
        it.answer("401 Unauthorized", WWW_Authenticate='Basic realm="x"')


def test_the_first_picture_is_shown(admin: Client) -> None:
    with camera(lambda it: it.play([PICTURE])) as server:
        answer = admin.post(URL, {"source": server.url()})
    assert answer.json() == {"picture": f"data:image/jpeg;base64,{base64.b64encode(PICTURE).decode()}", "problem": ""}
    assert "no-store" in answer["Cache-Control"]


def test_the_exact_reason_is_shown(admin: Client) -> None:
    with camera(lambda it: it.answer("404 Not Found")) as server:
        assert admin.post(URL, {"source": server.url()}).json() == {
            "problem": "It knows no such path. (HTTP 404 Not Found)"
        }
    assert "connection is refused" in admin.post(URL, {"source": server.url()}).json()["problem"]


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("", "A camera's address begins with"),
        ("gopher://10.0.0.9/", "A camera's address begins with"),
        ("http://169.254.169.254/latest/", "not allowed"),
        ("http://[::1]/", "not allowed"),
        ("http://camera/live.m3u8", "HLS"),
    ],
)
def test_an_address_is_checked_like_any_other(admin: Client, source: str, problem: str) -> None:
    assert problem in admin.post(URL, {"source": source}).json()["problem"]


def test_a_stored_password_is_used_and_never_shown(admin: Client, unit_x: Unit) -> None:
    with camera(locked) as server:
        stored = Camera.objects.create(name="Locked", unit=unit_x, source=server.url(user="user:hunter2@"))
        page = admin.get(f"/admin/cameras/camera/{stored.pk}/change/").content.decode()
        assert "hunter2" not in page
        assert f'data-camera="{stored.pk}"' in page
        answer = admin.post(URL, {"source": stored.source_redacted, "tested": stored.pk})
        assert answer.json()["picture"]
        assert "write it out again" in admin.post(URL, {"source": stored.source_redacted}).json()["problem"]


def test_a_private_part_is_not_shown_in_a_test_either(admin: Client, unit_x: Unit) -> None:
    from cameras import images

    with camera(lambda it: it.play([PICTURE])) as server:
        stored = Camera.objects.create(name="Masked", unit=unit_x, source=server.url())
        everything = [[0, 0], [1, 0], [1, 1], [0, 1]]
        Zone.objects.create(camera=stored, name="All", kind=Zone.Kind.MASK, points=everything)
        stored.refresh_from_db()
        if not stored.mask_version:
            Camera.objects.filter(pk=stored.pk).update(mask_version=1)
        answer = admin.post(URL, {"source": server.url(), "tested": stored.pk}).json()
    shown = images.decode_bgr(base64.b64decode(answer["picture"].partition(",")[2]))
    assert shown.max() < 16


def test_it_is_for_those_who_may_change_the_camera(client: Client, bob: User, charlie: User, camera_x: Camera) -> None:
    for user in (None, bob, charlie):
        if user:
            client.force_login(user)
        assert client.post(URL, {"source": "http://10.0.0.9/"}).status_code in (302, 403, 404)
        assert client.post(URL, {"source": "http://10.0.0.9/", "tested": camera_x.pk}).status_code in (302, 403, 404)


def test_another_units_camera_is_not_there(admin: Client, camera_y: Camera) -> None:
    assert admin.post(URL, {"source": "http://10.0.0.9/", "tested": camera_y.pk}).status_code == 404


def test_it_takes_no_longer_than_it_may(settings: Settings) -> None:
    with camera(lambda it: it.be_silent()) as server:
        began_at = time.monotonic()
        outcome = trial.first_picture(Wanted(0, "", server.url(), 5), timeout_s=1.5)
    assert outcome.code in ("silent", "timeout")
    assert time.monotonic() - began_at < 4


def test_only_a_few_are_tried_at_once() -> None:
    held = [trial._places.acquire(blocking=False) for _each in range(trial.AT_ONCE)]
    assert all(held)
    try:
        with pytest.raises(trial.Busy):
            trial.first_picture(Wanted(0, "", "http://127.0.0.1:1/", 5))
    finally:
        for _each in held:
            trial._places.release()


def test_the_address_is_one_line_in_the_form(admin: Client) -> None:
    page = admin.get("/admin/cameras/camera/add/").content.decode()
    assert '<input type="text" name="source"' in page
    assert 'maxlength="500"' in page
    assert "<textarea" not in page
