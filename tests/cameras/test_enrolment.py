"""Links that work once, and the devices they make."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.http import HttpResponse
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from cameras import enrolment
from cameras.enrolment import LinkRefused, Standing
from cameras.models import Camera, Device, Enrolment

pytestmark = pytest.mark.django_db


def token_of(link: enrolment.Link) -> str:
    return urlsplit(link.url).path.split("/")[2]


@pytest.fixture
def token(camera_x: Camera) -> str:
    return token_of(enrolment.create(camera_x, by=None))


def test_a_link_carries_the_sites_address_and_256_random_bits(
    camera_x: Camera, alice: User, settings: Settings
) -> None:
    settings.SITE_URL = "https://gate-server.local:8000"
    link, other = (enrolment.create(camera_x, by=alice) for _ in range(2))
    assert link.url.startswith("https://gate-server.local:8000/enrol/")
    assert len(token_of(link)) == 43
    assert token_of(link) != token_of(other)
    assert link.expires_at - timezone.now() == pytest.approx(timedelta(days=1), abs=timedelta(seconds=10))
    assert Enrolment.objects.filter(created_by=alice).count() == 2


def test_no_token_is_stored(camera_x: Camera, token: str) -> None:
    redeemed = enrolment.redeem(token)
    stored = str([*Enrolment.objects.values(), *Device.objects.values()])
    assert token not in stored
    assert redeemed.token not in stored
    assert enrolment.hash_of(redeemed.token) in stored


def test_a_link_makes_one_device_and_is_used_up(camera_x: Camera, token: str) -> None:
    redeemed = enrolment.redeem(token, user_agent="Browser " + "x" * 500)
    assert redeemed.device.camera == camera_x
    assert redeemed.device.user_agent.startswith("Browser")
    assert enrolment.enrolled_device(camera_x.pk, redeemed.token) == redeemed.device
    with pytest.raises(LinkRefused) as refusal:
        enrolment.redeem(token)
    assert refusal.value.standing is Standing.USED
    assert Device.objects.count() == 1


def test_of_two_who_use_a_link_at_once_one_is_refused(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = enrolment.find(token)
    enrolment.redeem(token)
    monkeypatch.setattr(enrolment, "find", lambda token: found)  # The other looked before the first was done.
    with pytest.raises(LinkRefused) as refusal:
        enrolment.redeem(token)
    assert refusal.value.standing is Standing.USED
    assert Device.objects.count() == 1


@pytest.mark.parametrize(
    ("change", "standing"),
    [
        ({"expires_at": timezone.now()}, Standing.EXPIRED),
        ({"revoked_at": timezone.now()}, Standing.REVOKED),
        ({"used_at": timezone.now()}, Standing.USED),
    ],
)
def test_a_link_past_its_use_enrols_nobody(token: str, change: dict[str, object], standing: Standing) -> None:
    Enrolment.objects.update(**change)
    assert enrolment.find(token)[1] is standing
    with pytest.raises(LinkRefused) as refusal:
        enrolment.redeem(token)
    assert refusal.value.standing is standing
    assert not Device.objects.exists()


def test_an_unknown_link_enrols_nobody(token: str) -> None:
    for wrong in ["", token[:-1], token + "x", enrolment.hash_of(token)]:
        assert enrolment.find(wrong) == (None, Standing.UNKNOWN)


def test_a_link_of_a_camera_that_is_off_waits_for_it(camera_x: Camera, token: str) -> None:
    Camera.objects.update(is_enabled=False)
    with pytest.raises(LinkRefused) as refusal:
        enrolment.redeem(token)
    assert refusal.value.standing is Standing.SWITCHED_OFF
    Camera.objects.update(is_enabled=True)
    assert enrolment.redeem(token).device.camera == camera_x


def test_a_newer_link_ends_the_older_of_the_same_camera_only(camera_x: Camera, camera_y: Camera, token: str) -> None:
    elsewhere = token_of(enrolment.create(camera_y, by=None))
    newer = token_of(enrolment.create(camera_x, by=None))
    assert enrolment.find(token)[1] is Standing.REVOKED
    assert enrolment.find(elsewhere)[1] is Standing.READY
    assert enrolment.find(newer)[1] is Standing.READY


def test_a_newer_link_leaves_devices_alone(camera_x: Camera, token: str) -> None:
    redeemed = enrolment.redeem(token)
    enrolment.create(camera_x, by=None)
    assert enrolment.enrolled_device(camera_x.pk, redeemed.token) == redeemed.device


def test_a_device_opens_its_own_camera_only(camera_x: Camera, camera_y: Camera, token: str) -> None:
    redeemed = enrolment.redeem(token)
    assert enrolment.enrolled_device(camera_y.pk, redeemed.token) is None
    for wrong in [None, "", redeemed.token[:-1], redeemed.device.token_hash]:
        assert enrolment.enrolled_device(camera_x.pk, wrong) is None


def test_a_revoked_device_opens_nothing(camera_x: Camera, token: str) -> None:
    redeemed = enrolment.redeem(token)
    assert enrolment.revoke(redeemed.device)
    assert enrolment.enrolled_device(camera_x.pk, redeemed.token) is None
    assert not enrolment.revoke(redeemed.device)  # Its time stays the first.


@pytest.mark.parametrize("https", [True, False])
def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(settings: Settings, https: bool) -> None:
    settings.SESSION_COOKIE_SECURE = https
    response = HttpResponse()
    enrolment.remember(response, 7, "token")
    cookie = response.cookies["omil_device_7"]
    assert (cookie.value, cookie["path"], cookie["samesite"], cookie["httponly"]) == ("token", "/", "Lax", True)
    assert bool(cookie["secure"]) is https
    assert cookie["max-age"] == 365 * 86_400


def test_one_browser_can_be_several_cameras(camera_x: Camera, camera_y: Camera, token: str) -> None:
    x, y = enrolment.redeem(token), enrolment.redeem(token_of(enrolment.create(camera_y, by=None)))
    cookies = {
        enrolment.cookie_name(camera_x.pk): x.token,
        enrolment.cookie_name(camera_y.pk): y.token,
        "omil_device_": "junk",
        "sessionid": x.token,
    }
    assert set(enrolment.devices_of(cookies)) == {x.device, y.device}
    # A token under another camera's name proves nothing.
    assert enrolment.devices_of({enrolment.cookie_name(camera_y.pk): x.token}) == []
    enrolment.revoke(x.device)
    assert enrolment.devices_of(cookies) == [y.device]


def test_a_device_is_noted_at_most_once_a_minute(camera_x: Camera, token: str) -> None:
    device = enrolment.redeem(token).device
    enrolment.touch(device)
    device.refresh_from_db()
    first = device.last_seen_at
    assert first is not None
    enrolment.touch(device)
    device.refresh_from_db()
    assert device.last_seen_at == first
    device.last_seen_at = first - timedelta(minutes=2)
    enrolment.touch(device)
    device.refresh_from_db()
    assert device.last_seen_at > first


def test_a_camera_with_an_address_takes_no_pictures_from_browsers_enrolled_before(camera_x: Camera, token: str) -> None:
    redeemed = enrolment.redeem(token)
    unused = token_of(enrolment.create(camera_x, by=None))
    camera_x.source = "rtsp://10.0.0.9/stream"
    camera_x.save()
    assert enrolment.enrolled_device(camera_x.pk, redeemed.token) is None
    assert enrolment.devices_of({enrolment.cookie_name(camera_x.pk): redeemed.token}) == []
    with pytest.raises(LinkRefused) as refusal:
        enrolment.redeem(unused)
    assert refusal.value.standing is Standing.REVOKED
