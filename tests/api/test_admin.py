"""Webhooks in the admin: made, shown their secret once, tested, and their deliveries read."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from api import collect, signing
from api.collect import Draft
from api.models import Delivery, EventType, Webhook
from cameras.models import Camera
from tests.api.conftest import make_visit
from tests.api.receiver import Receiver

pytestmark = pytest.mark.django_db
SECRET = re.compile(rb"whsec_[A-Za-z0-9+/=]{44}")


@pytest.fixture
def admin(alice: User, client: Client) -> Client:
    client.force_login(alice)
    return client


def form(**changes: object) -> dict[str, object]:
    return {"name": "Office", "url": "https://hooks.example/x", "is_enabled": "on", **changes}


def test_one_is_made_and_its_secret_shown_once(admin: Client, alice: User, camera_x: Camera) -> None:
    sent = form(events=["visit.started", "zone.crossed"], cameras=[camera_x.pk])
    page = admin.post("/admin/api/webhook/add/", sent)
    hook = Webhook.objects.get()
    assert page.status_code == 200
    assert b"A secret made earlier has ended." not in page.content
    assert "no-store" in page["Cache-Control"]
    assert SECRET.findall(page.content) == [signing.secret_of(hook).encode()]
    assert (hook.user, hook.events, list(hook.cameras.all())) == (alice, ["visit.started", "zone.crossed"], [camera_x])
    for place in ("", f"{hook.pk}/change/", f"{hook.pk}/history/"):
        shown = admin.get(f"/admin/api/webhook/{place}")
        assert shown.status_code == 200
        assert not SECRET.search(shown.content)
    # The list names the host only: in a path services put their secrets.
    assert b"hooks.example/x" not in admin.get("/admin/api/webhook/").content


def test_a_new_secret_ends_the_one_before(admin: Client, alice: User) -> None:
    hook = Webhook.objects.create(user=alice, name="Office", url="https://hooks.example/x")
    before = signing.secret_of(hook)
    page = admin.post(f"/admin/api/webhook/{hook.pk}/secret/")
    hook.refresh_from_db()
    assert b"A secret made earlier has ended." in page.content
    assert SECRET.findall(page.content) == [signing.secret_of(hook).encode()] != [before.encode()]


@pytest.mark.parametrize(
    "url", ["ftp://hooks.example/", "https://a:b@hooks.example/", "https://hooks.example/a b", "x"]
)
def test_an_address_that_is_none_is_refused(admin: Client, url: str) -> None:
    assert admin.post("/admin/api/webhook/add/", form(url=url)).status_code == 200
    assert not Webhook.objects.exists()


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://127.0.0.2:9620/x", b"127.0.0.2 (loopback)"),
        ("https://[::1]/x", b"::1 (loopback)"),
        ("https://169.254.169.254/x", b"169.254.169.254 (link-local)"),
        ("https://localhost/x", b"(loopback)"),
    ],
)
def test_an_address_that_nothing_is_sent_to_is_refused_with_the_reason(
    admin: Client, settings: Settings, url: str, address: bytes
) -> None:
    settings.PULL_ALLOW = []
    page = admin.post("/admin/api/webhook/add/", form(url=url))
    assert b"Nothing is sent to this address: " in page.content
    assert address in page.content
    assert not Webhook.objects.exists()


def test_an_address_is_taken_that_the_server_allows(admin: Client, settings: Settings) -> None:
    settings.PULL_ALLOW = ["127.0.0.2"]
    admin.post("/admin/api/webhook/add/", form(url="http://127.0.0.2:9620/x"))
    assert Webhook.objects.get().url == "http://127.0.0.2:9620/x"


def test_nobody_elses_camera_can_be_chosen(admin: Client, camera_x: Camera, camera_y: Camera) -> None:
    assert camera_y.name.encode() not in admin.get("/admin/api/webhook/add/").content
    admin.post("/admin/api/webhook/add/", form(cameras=[camera_y.pk]))
    assert not Webhook.objects.exists()


def test_a_test_says_what_the_receiver_answered(admin: Client, alice: User, settings: Settings) -> None:
    settings.PULL_ALLOW = ["127.0.0.1"]
    with Receiver() as receiver:
        hook = Webhook.objects.create(user=alice, name="Office", url=receiver.url)
        page = admin.post(f"/admin/api/webhook/{hook.pk}/test/", follow=True)
        assert b"The test was taken. Answer: 204" in page.content
        (got,) = receiver.received
        assert got.verified(signing.secret_of(hook))["type"] == "test"
        receiver.answers.append(401)
        page = admin.post(f"/admin/api/webhook/{hook.pk}/test/", follow=True)
        assert b"The test was not taken: 401" in page.content
    settings.PULL_ALLOW = []
    page = admin.post(f"/admin/api/webhook/{hook.pk}/test/", follow=True)
    assert b"The test was not taken: its address is not allowed" in page.content


def test_deliveries_are_listed_and_counted(admin: Client, alice: User, root: User, camera_x: Camera) -> None:
    own = Webhook.objects.create(user=alice, name="Office", url="https://hooks.example/x")
    Webhook.objects.create(user=root, name="Headquarters", url="https://hooks.example/y")
    visit = make_visit(camera_x)
    collect.store([Draft(EventType.VISIT_ENDED, camera_x.pk, visit.pk, visit.last_seen, {})], timezone.now())
    Delivery.objects.filter(webhook=own).update(state="given_up", tries=10, answer="503", done_at=timezone.now())
    shown = admin.get(f"/admin/api/delivery/?webhook={own.pk}").content.decode()
    assert "503" in shown
    assert "somebody left" in shown
    assert "Headquarters" not in shown
    assert "Headquarters" not in admin.get("/admin/api/webhook/").content.decode()
    assert admin.get("/admin/api/delivery/?webhook=nonsense").status_code == 200
    deleted = admin.post(f"/admin/api/webhook/{own.pk}/delete/", {"post": "yes"})
    assert (deleted.status_code, Delivery.objects.filter(webhook=own.pk).count()) == (302, 0)


def test_a_webhook_does_not_tell_of_more_because_its_user_may_watch_less(
    admin: Client, alice: User, camera_x: Camera, camera_y: Camera
) -> None:
    """Of its cameras none is left to choose, and none chosen means all."""
    hook = Webhook.objects.create(user=alice, name="Partner", url="https://hooks.example/x")
    hook.cameras.set([camera_y])
    assert admin.post(f"/admin/api/webhook/{hook.pk}/change/", form(name="Another name")).status_code == 302
    hook.refresh_from_db()
    assert (hook.name, list(hook.cameras.all())) == ("Another name", [camera_y])
    assert not hook.watched().exists()
