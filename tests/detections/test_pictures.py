"""Snapshot and stream as addresses: who gets in, by session or token, which sizes there are, what is refused how."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from urllib.parse import quote

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from cameras import images, live, tokens
from cameras.frames import Frame
from cameras.models import Camera, Token
from detections import stream
from tests.flow.post import picture

pytestmark = pytest.mark.django_db
ROLES = ["alice", "bob", "gina", "charlie", "root", "pending", "anonymous"]
SIGN_IN = 302
TABLE = {
    #       alice bob gina charlie root pending anonymous
    "gate-x": (200, 200, 404, 404, 200, SIGN_IN, SIGN_IN),
    "gate-y": (404, 404, 404, 200, 200, SIGN_IN, SIGN_IN),
    "nobody": (404, 404, 404, 404, 404, SIGN_IN, SIGN_IN),
}  # fmt: skip
PAGES = ["snapshot", "stream"]
LogIn = Callable[[str], Client]


def address(page: str, slug: str = "gate-x", query: str = "") -> str:
    return reverse(f"detections:{page}", args=[slug]) + query


def publish(camera: Camera, *, age_s: float = 0.0, size_wh: tuple[int, int] = (640, 480)) -> None:
    at = time.time() - age_s
    live.publish(Frame(camera.pk, "ab" * 16, 1, 1_700_000_000.25, at, picture(size_wh=size_wh)), admitted=False)


@pytest.fixture(autouse=True)
def pictures(camera_x: Camera, camera_y: Camera, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Both cameras sent a picture just now, and none follows."""
    monkeypatch.setattr(stream, "GLIMPSE_S", 0.05)
    for camera in (camera_x, camera_y):
        publish(camera)
    yield
    live._cameras.clear()


@pytest.fixture
def as_user(client: Client, alice: User, bob: User, gina: User, charlie: User, root: User, pending: User) -> LogIn:
    def log_in(name: str) -> Client:
        if name != "anonymous":
            client.force_login(User.objects.get(username=name))
        return client

    return log_in


@pytest.fixture
def as_bob(client: Client, bob: User) -> Client:
    client.force_login(bob)
    return client


def size_of(jpeg: bytes) -> tuple[int, int]:
    height, width = images.decode_bgr(jpeg).shape[:2]
    return width, height


# --- Sessions


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("slug", TABLE)
@pytest.mark.parametrize("page", PAGES)
def test_each_picture_opens_to_whom_it_should(as_user: LogIn, page: str, slug: str, role: str) -> None:
    response = as_user(role).get(address(page, slug))
    assert response.status_code == TABLE[slug][ROLES.index(role)]
    if response.status_code == SIGN_IN:
        # The same answer whether there is such a camera or not.
        assert response["Location"] == f"/login/?next={quote(address(page, slug))}"


@pytest.mark.parametrize("page", PAGES)
def test_a_picture_cannot_be_posted_to(as_user: LogIn, page: str) -> None:
    assert as_user("root").post(address(page)).status_code == 405


# --- Tokens


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(("holder", "status"), [("bob", 200), ("root", 200), ("charlie", 404), ("gina", 404)])
def test_a_token_opens_what_its_user_may_see(as_user: LogIn, page: str, holder: str, status: int) -> None:
    secret = tokens.issue(User.objects.get(username=holder), "Wall")[1]
    client = as_user("anonymous")
    assert client.get(address(page, query=f"?token={secret}")).status_code == status
    assert client.get(address(page), headers={"Authorization": f"Bearer {secret}"}).status_code == status


@pytest.mark.parametrize("page", PAGES)
def test_a_token_for_another_camera_does_not_open_this_one(
    client: Client, root: User, camera_y: Camera, page: str
) -> None:
    secret = tokens.issue(root, "Wall", cameras=[camera_y])[1]
    assert client.get(address(page, query=f"?token={secret}")).status_code == 404
    assert client.get(address(page, "gate-y", f"?token={secret}")).status_code == 200


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("how", ["revoked", "expired", "blocked", "unapproved", "wrong", "empty", "surrogate"])
def test_a_token_that_does_not_hold_is_told_so_whoever_is_logged_in(
    as_user: LogIn, alice: User, bob: User, page: str, how: str
) -> None:
    token, secret = tokens.issue(bob, "Wall", expires_at=timezone.now() + timedelta(hours=1))
    wrong = {"wrong": secret[:-1] + "x", "empty": "", "surrogate": "%ED%A0%80"}
    if how == "revoked":
        tokens.revoke(token)
    elif how == "expired":
        Token.objects.update(expires_at=timezone.now())
    elif how not in wrong:
        User.objects.filter(pk=bob.pk).update(**{"blocked": {"is_active": False}}.get(how, {"is_approved": False}))
    client = as_user("alice")
    response = client.get(address(page, query=f"?token={wrong.get(how, secret)}"))
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Bearer"
    assert b"does not hold" in response.content
    assert secret.encode() not in response.content


# --- Sizes


@pytest.mark.parametrize(
    "query",
    ["width=100&height=640", "width=32", "height=1952", "width=-64", "width=64.0", "width=", "height=%D9%A6%D9%A4",
     "width=999999999999999999999", "width=64%00", "height=%3Cb%3E"],
)  # fmt: skip
@pytest.mark.parametrize("page", PAGES)
def test_a_size_that_is_not_served_is_refused_with_a_reason(as_bob: Client, page: str, query: str) -> None:
    response = as_bob.get(address(page, query=f"?{query}"))
    assert response.status_code == 400
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert f"{query.split('=')[0]} must be a multiple of 32 from 64 to 1920, not “" in response.content.decode()


@pytest.mark.parametrize(
    ("query", "size"),
    [
        ("", (640, 480)),  # Its own.
        ("?width=320&height=224", (320, 224)),
        ("?width=1920&height=1920", (1920, 1920)),
        ("?width=64&height=64", (64, 64)),
        ("?width=640", (640, 416)),  # The other side follows, as near as it may.
        ("?height=416", (640, 416)),
    ],
)
def test_a_snapshot_has_the_size_asked_for(as_bob: Client, query: str, size: tuple[int, int]) -> None:
    assert size_of(as_bob.get(address("snapshot", query=query)).content) == size


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("slug", ["gate-x", "nobody"])
def test_a_program_without_a_proof_is_told_so_and_gets_no_page(
    client: Client, camera_x: Camera, page: str, slug: str
) -> None:
    response = client.get(address(page, slug), headers={"Accept": "*/*"})
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Bearer"
    assert b"access token" in response.content


# --- Snapshot


def test_a_snapshot_is_the_newest_picture_and_is_not_kept(as_bob: Client) -> None:
    response = as_bob.get(address("snapshot"))
    assert response["Content-Type"] == "image/jpeg"
    assert response["Cache-Control"] == "private, no-store"
    assert response["X-Captured-At"] == "1700000000.250"


@pytest.mark.parametrize("age_s", [None, 60.0])
def test_an_old_picture_is_not_passed_off_as_new(as_bob: Client, camera_x: Camera, age_s: float | None) -> None:
    live._cameras.clear()
    if age_s is not None:
        publish(camera_x, age_s=age_s)
    response = as_bob.get(address("snapshot"))
    assert response.status_code == 404
    assert b"no picture of this camera now" in response.content
    assert response["Cache-Control"] == "private, no-store"


def test_a_damaged_picture_is_no_picture(as_bob: Client, camera_x: Camera) -> None:
    frame = Frame(camera_x.pk, "ab" * 16, 2, time.time(), time.time(), b"\xff\xd8\xff but nothing more")
    live.publish(frame, admitted=False)
    assert as_bob.get(address("snapshot")).status_code == 404


def test_asking_for_the_heads_alone_opens_no_stream(as_bob: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "hub", None)
    response = as_bob.head(address("stream"))
    assert response.status_code == 200
    assert response["Content-Type"] == "multipart/x-mixed-replace; boundary=omil-picture"
