"""Cameras in the admin: list with live status, limits, links, devices; and nothing of other units."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation
from pytest_django.asserts import assertContains, assertNotContains, assertRedirects

from accounts.models import User
from cameras import bell, enrolment, lamps
from cameras.lamps import LOOKS, lamp_of
from cameras.models import Camera, CoverageMinute, Device, Enrolment
from cameras.status import CameraStatus

pytestmark = pytest.mark.django_db
LIST, ADD = reverse("admin:cameras_camera_changelist"), reverse("admin:cameras_camera_add")
SECRET = "rtsp://user:hunter2@10.0.0.9/1"


@pytest.fixture
def as_alice(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


@pytest.fixture
def device_x(camera_x: Camera) -> Device:
    return Device.objects.create(camera=camera_x, token_hash=enrolment.hash_of("token"), user_agent="Browser/1")


def address(camera: Camera, verb: str = "change", *more: object) -> str:
    return reverse(f"admin:cameras_camera_{verb}", args=[camera.pk, *more])


def form(camera: Camera | None = None, *, devices: list[Device] | None = None, **fields: Any) -> dict[str, Any]:
    values = {"name": "Gate X", "is_enabled": "on", "source": "", **fields}
    if camera:
        values.setdefault("unit", camera.unit_id)
    rows = devices or []
    values |= {"devices-TOTAL_FORMS": len(rows), "devices-INITIAL_FORMS": len(rows)}
    values |= {"recording_rules-TOTAL_FORMS": 0, "recording_rules-INITIAL_FORMS": 0}
    values |= {"face_rules-TOTAL_FORMS": 0, "face_rules-INITIAL_FORMS": 0}
    for n, device in enumerate(rows):
        values |= {
            f"devices-{n}-id": device.pk,
            f"devices-{n}-camera": device.camera_id,
            f"devices-{n}-label": f"PC {n}",
        }
    return values


# --- The list


def test_the_list_shows_ones_own_cameras_with_their_status(
    as_alice: Client, camera_x: Camera, camera_y: Camera
) -> None:
    Camera.objects.create(name="Off", unit=camera_x.unit, is_enabled=False)
    response = as_alice.get(LIST)
    assertContains(response, "Gate X")
    assertContains(response, 'data-lamp="bad" title="">silent<')
    assertContains(response, 'data-lamp="off" title="">switched off<')
    assertNotContains(response, "Gate Y")
    assertNotContains(response, "Unit Y")


@pytest.mark.parametrize("state", LOOKS)
def test_every_state_has_a_word_and_a_tone(state: Any) -> None:
    lamp = lamp_of(CameraStatus(state, time.time() - 3 * 3_600 - 5, 0, 0, 0, None))
    assert lamp.hint == "3\xa0hours ago"
    assert lamp.word
    assert lamp.tone in {"good", "calm", "warn", "ice", "bad", "violet", "off"}


def test_the_list_stands_when_valkey_is_gone(
    as_alice: Client, camera_x: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bell, "connection", lambda: redis.Redis.from_url("unix:///nowhere/valkey.sock"))
    assertContains(as_alice.get(LIST), "Gate X")


def test_the_list_takes_few_queries_however_long_it_is(
    as_alice: Client, camera_x: Camera, django_assert_max_num_queries: Any
) -> None:
    for n in range(40):
        Camera.objects.create(name=f"Gate {n}", unit=camera_x.unit)
    with django_assert_max_num_queries(16):
        assertContains(as_alice.get(LIST), "Gate 39")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "gate-x"}, {"Gate X"}),
        ({"q": "unit y"}, set()),
        ({"is_enabled__exact": "0"}, {"Off"}),
        ({"kind__exact": "pull"}, {"Pulled"}),
        ({"unit": "unit-x"}, {"Gate X", "Off", "Pulled"}),
        ({"unit": "unit-y"}, set()),
        ({"q": "hunter2"}, set()),
    ],
)
def test_search_and_filters_find_among_ones_own(
    as_alice: Client, camera_x: Camera, camera_y: Camera, query: dict[str, str], found: set[str]
) -> None:
    Camera.objects.create(name="Off", unit=camera_x.unit, is_enabled=False)
    Camera.objects.create(name="Pulled", unit=camera_x.unit, source=SECRET)
    cameras = as_alice.get(LIST, query).context["cl"].result_list
    assert {camera.name for camera in cameras} == found


@pytest.mark.parametrize("lookup", ["source__startswith", "unit__memberships__user__username", "devices__token_hash"])
def test_nothing_is_found_out_by_filtering(as_alice: Client, camera_x: Camera, lookup: str) -> None:
    assert as_alice.get(LIST, {lookup: "x"}).status_code == 400


def test_cameras_are_switched_off_and_on_from_the_list(as_alice: Client, camera_x: Camera, camera_y: Camera) -> None:
    chosen = [camera_x.pk, camera_y.pk]
    for action, is_enabled in [("disable", False), ("enable", True)]:
        answer = as_alice.post(LIST, {"action": action, "_selected_action": chosen}, follow=True)
        assertContains(answer, "1 camera changed.")
        camera_x.refresh_from_db()
        assert camera_x.is_enabled is is_enabled
    camera_y.refresh_from_db()
    assert camera_y.is_enabled
    assert LogEntry.objects.filter(object_id=str(camera_x.pk)).count() == 2


# --- One camera


def test_a_camera_is_added_to_ones_own_unit(as_alice: Client, camera_x: Camera, camera_y: Camera) -> None:
    assertNotContains(as_alice.get(ADD), "Unit Y")
    assertContains(as_alice.post(ADD, form(unit=camera_y.unit_id, name="New")), "errorlist")
    response = as_alice.post(ADD, form(unit=camera_x.unit_id, name="새 문", target_fps="2"))
    camera = Camera.objects.get(name="새 문")
    assertRedirects(response, address(camera))  # Where the enrolment link is made.
    assert (camera.slug, camera.kind, camera.target_fps, camera.unit) == ("sae-mun", "browser", 2, camera_x.unit)
    assertContains(as_alice.post(ADD, form(unit=camera_x.unit_id, name="새 문")), "already has a camera of this name")


def test_limits_and_labels_are_changed_and_nothing_else_can_be(
    as_alice: Client, camera_x: Camera, device_x: Device
) -> None:
    fields = {"confidence": "0.5", "visit_gap_s": "20", "slug": "forged", "kind": "pull"}
    fields |= {"devices-0-revoked_at": "2020-01-01", "devices-0-token_hash": "0" * 64}
    assertRedirects(as_alice.post(address(camera_x), form(camera_x, devices=[device_x], **fields)), LIST)
    camera_x.refresh_from_db()
    device_x.refresh_from_db()
    assert (camera_x.confidence, camera_x.visit_gap_s) == (0.5, 20)
    assert (camera_x.slug, camera_x.kind) == ("gate-x", "browser")
    assert (device_x.label, device_x.revoked_at) == ("PC 0", None)
    assert device_x.token_hash == enrolment.hash_of("token")


def test_a_camera_cannot_be_given_to_another_unit(as_alice: Client, camera_x: Camera, camera_y: Camera) -> None:
    assertContains(as_alice.post(address(camera_x), form(camera_x, unit=camera_y.unit_id)), "errorlist")
    camera_x.refresh_from_db()
    assert camera_x.unit.name == "Unit X"


@pytest.mark.parametrize("verb", ["change", "history", "delete"])
def test_another_units_camera_is_not_there(as_alice: Client, camera_y: Camera, verb: str) -> None:
    assertRedirects(as_alice.get(address(camera_y, verb)), reverse("admin:index"))
    as_alice.post(address(camera_y, verb), form(camera_y, name="Mine") | {"post": "yes"})
    camera_y.refresh_from_db()
    assert camera_y.name == "Gate Y"


def test_bulk_delete_leaves_other_units_cameras(as_alice: Client, camera_x: Camera, camera_y: Camera) -> None:
    chosen = {"action": "delete_selected", "_selected_action": [camera_x.pk, camera_y.pk], "post": "yes"}
    as_alice.post(LIST, chosen)
    assert list(Camera.objects.all()) == [camera_y]


@pytest.mark.parametrize("role", ["bob", "gina", "charlie"])
def test_only_admins_reach_any_of_it(
    client: Client, bob: User, gina: User, charlie: User, camera_x: Camera, device_x: Device, role: str
) -> None:
    client.force_login(User.objects.get(username=role))
    for page in [LIST, ADD, address(camera_x), address(camera_x, "delete")]:
        assertRedirects(client.get(page), f"{reverse('admin:login')}?next={page}", target_status_code=404)
    client.post(address(camera_x, "enrol"))
    client.post(address(camera_x, "revoke", device_x.pk))
    assert not Enrolment.objects.exists()
    assert not Device.objects.exclude(revoked_at=None).exists()


def test_deleting_says_how_much_goes_without_listing_it(as_alice: Client, camera_x: Camera, device_x: Device) -> None:
    now = timezone.now()
    CoverageMinute.objects.bulk_create(
        CoverageMinute(camera=camera_x, minute=now + timedelta(minutes=n)) for n in range(300)
    )
    response = as_alice.get(address(camera_x, "delete"))
    assertContains(response, "Coverage by minute: 300")
    assertContains(response, "Devices: 1")
    assert len(response.content) < 20_000
    assertRedirects(as_alice.post(address(camera_x, "delete"), {"post": "yes"}), LIST)
    assert not CoverageMinute.objects.exists()


# --- Addresses with passwords


@pytest.fixture
def pulled(camera_x: Camera) -> Camera:
    return Camera.objects.create(name="Pulled", unit=camera_x.unit, source=SECRET)


def test_a_stored_password_never_comes_back(as_alice: Client, pulled: Camera) -> None:
    for page in [LIST, address(pulled), address(pulled, "history"), address(pulled, "delete")]:
        assertNotContains(as_alice.get(page), "hunter2")
    assertContains(as_alice.get(address(pulled)), "rtsp://user:•••@10.0.0.9/1")


@pytest.mark.parametrize(
    ("entered", "stored"),
    [
        ("rtsp://user:•••@10.0.0.9/1", SECRET),  # Left as it is.
        ("rtsp://user:new@10.0.0.9/1", "rtsp://user:new@10.0.0.9/1"),
        ("rtsp://user:•••@elsewhere.example/1", None),  # The password is not sent to another host.
        ("file:///etc/passwd", None),
        ("", ""),
    ],
)
def test_an_address_is_kept_replaced_or_refused(
    as_alice: Client, pulled: Camera, entered: str, stored: str | None
) -> None:
    response = as_alice.post(address(pulled), form(pulled, name="Pulled", source=entered))
    assert (response.status_code == 302) is (stored is not None)
    pulled.refresh_from_db()
    assert pulled.source == (SECRET if stored is None else stored)
    assert pulled.kind == ("pull" if pulled.source else "browser")
    assert "hunter2" not in str(list(LogEntry.objects.values()))


# --- Enrolment


def test_a_link_is_made_by_post_shown_once_with_its_code_and_logged(
    as_alice: Client, alice: User, camera_x: Camera
) -> None:
    assertContains(as_alice.get(address(camera_x)), address(camera_x, "enrol"))
    assert as_alice.get(address(camera_x, "enrol")).status_code == 405
    response = as_alice.post(address(camera_x, "enrol"))
    found = re.search(r'value="(http://localhost:8000/enrol/([\w-]{43})/)"', response.content.decode())
    assert found
    assertContains(response, "<svg")
    assert "no-store" in response["Cache-Control"]
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id, entry.get_change_message()) == (
        alice,
        str(camera_x.pk),
        "Made an enrolment link.",
    )
    assert Enrolment.objects.get().created_by == alice
    assertContains(as_alice.get(address(camera_x)), "one unused, until")
    for page in [address(camera_x), address(camera_x, "history")]:
        assertNotContains(as_alice.get(page), found[2])
    guard_post = Client()
    assert guard_post.post(f"/enrol/{found[2]}/").status_code == 302
    assert Device.objects.get().camera == camera_x
    assertContains(as_alice.get(address(camera_x)), "none that is unused")


def test_links_come_from_the_admins_own_form_only(alice: User, camera_x: Camera) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    assert client.post(address(camera_x, "enrol")).status_code == 403
    assert not Enrolment.objects.exists()


def test_there_is_no_link_for_a_pulled_or_a_foreign_camera(as_alice: Client, pulled: Camera, camera_y: Camera) -> None:
    assertNotContains(as_alice.get(address(pulled)), address(pulled, "enrol"))
    for camera in (pulled, camera_y):
        assert as_alice.post(address(camera, "enrol")).status_code == 404
    assert not Enrolment.objects.exists()


def test_a_device_is_revoked_with_one_button_and_logged(
    as_alice: Client, alice: User, camera_x: Camera, device_x: Device
) -> None:
    revoke = address(camera_x, "revoke", device_x.pk)
    page = as_alice.get(address(camera_x))
    assertContains(page, f'formaction="{revoke}"')
    assertContains(page, "Browser/1")
    assert as_alice.get(revoke).status_code == 405
    # The button sends the whole form of the page; nothing of it is taken.
    answer = as_alice.post(revoke, form(camera_x, devices=[device_x], name="Not saved"), follow=True)
    assertContains(answer, "is no longer enrolled")
    assertNotContains(answer, revoke)
    device_x.refresh_from_db()
    camera_x.refresh_from_db()
    assert device_x.revoked_at is not None
    assert (device_x.label, camera_x.name) == ("", "Gate X")
    assert enrolment.enrolled_device(camera_x.pk, "token") is None
    assert LogEntry.objects.get().get_change_message().startswith("Revoked the device")


def test_another_units_device_cannot_be_revoked(as_alice: Client, camera_x: Camera, camera_y: Camera) -> None:
    device = Device.objects.create(camera=camera_y, token_hash="0" * 64)
    for camera in (camera_x, camera_y):
        assert as_alice.post(address(camera, "revoke", device.pk)).status_code == 404
    device.refresh_from_db()
    assert device.revoked_at is None


def test_names_cannot_bring_markup_into_the_admin(as_alice: Client, camera_x: Camera, device_x: Device) -> None:
    Camera.objects.update(name="<script>alert(1)</script>")
    Device.objects.update(label="<script>alert(2)</script>", user_agent="<script>alert(3)</script>")
    for response in [
        as_alice.get(LIST),
        as_alice.get(address(camera_x)),
        as_alice.post(address(camera_x, "enrol")),
        as_alice.post(address(camera_x, "revoke", device_x.pk), follow=True),
        as_alice.get(address(camera_x, "history")),
        as_alice.get(address(camera_x, "delete")),
    ]:
        assertNotContains(response, "<script>alert(")


def test_the_pages_hold_to_the_content_security_policy(as_alice: Client, camera_x: Camera, device_x: Device) -> None:
    pages = [as_alice.get(LIST), as_alice.get(address(camera_x)), as_alice.post(address(camera_x, "enrol"))]
    for response in pages:
        assert "unsafe-inline" not in response["Content-Security-Policy"]
        html = response.content.decode()
        assert not re.search(r"<script(?![^>]*\b(?:src|type=\"application/json\"))|<style|\sstyle=|\son\w+=\"", html)


def test_the_lamp_speaks_the_readers_language() -> None:
    assert set(LOOKS) == set(lamps.State.__args__)  # type: ignore[attr-defined]
    with translation.override("en"):
        assert str(LOOKS["off"][0]) == "switched off"
