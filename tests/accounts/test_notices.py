"""Every change of rights is told to the sockets it concerns, after its commit, and fails nothing when it cannot be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from accounts import notices
from accounts.models import Membership, Role, Unit, User
from cameras import enrolment
from cameras.models import Camera, Device

pytestmark = pytest.mark.django_db


class BrokenLayer:
    """A channel layer whose server is gone."""

    def __init__(self, **config: Any) -> None:
        pass

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        raise ConnectionError("nobody there")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The groups that got a notice, in order."""
    groups: list[str] = []

    class Layer:
        async def group_send(self, group: str, message: dict[str, Any]) -> None:
            assert message == {"type": "rights.changed"}
            groups.append(group)

    monkeypatch.setattr(notices, "get_channel_layer", Layer)
    return groups


def change_password(bob: User, unit: Unit) -> None:
    bob.set_password("another")
    bob.save()


def switch_off(row: User | Camera) -> None:
    if isinstance(row, User):
        row.is_active = False
        row.save(update_fields=["is_active"])
    else:
        row.is_enabled = False
        row.save()


CHANGES: dict[str, Callable[[User, Unit], object]] = {
    "password": change_password,
    "switched off": lambda bob, unit: switch_off(bob),
    "membership added": lambda bob, unit: Membership.objects.create(user=bob, unit=unit),
    "membership changed": lambda bob, unit: bob.memberships.get().save(),
    "membership deleted": lambda bob, unit: bob.memberships.get().delete(),
    "memberships deleted in bulk": lambda bob, unit: bob.memberships.all().delete(),
    "unit deleted": lambda bob, unit: bob.memberships.get().unit.delete(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_a_users_rights_is_told_to_the_user(
    bob: User,
    unit_y: Unit,
    told: list[str],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    change: str,
) -> None:
    told.clear()
    with django_capture_on_commit_callbacks(execute=True):
        CHANGES[change](bob, unit_y)
        assert told == []  # Not before the commit: a socket that looks now would still see the old rights.
    assert set(told) == {f"user.{bob.pk}"}


def test_a_deleted_user_is_told(
    bob: User, told: list[str], django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    key = bob.pk
    with django_capture_on_commit_callbacks(execute=True):
        bob.delete()
    assert set(told) == {f"user.{key}"}


def test_logging_out_is_told(
    client: Client, bob: User, told: list[str], django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    client.force_login(bob)
    with django_capture_on_commit_callbacks(execute=True):
        client.post(reverse("accounts:log-out"))
    assert told == [f"user.{bob.pk}"]


def test_logging_in_is_nobodys_news(
    client: Client,
    bob: User,
    password: str,
    told: list[str],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    told.clear()
    with django_capture_on_commit_callbacks(execute=True):
        client.post(reverse("accounts:log-in"), {"username": "bob", "password": password})
    assert told == []


CAMERA_CHANGES: dict[str, Callable[[Camera, Device], object]] = {
    "switched off": lambda camera, device: switch_off(camera),
    "deleted": lambda camera, device: camera.delete(),
    "deleted in bulk": lambda camera, device: Camera.objects.filter(pk=camera.pk).delete(),
    "device revoked": lambda camera, device: enrolment.revoke(device),
    "device deleted": lambda camera, device: device.delete(),
}


@pytest.mark.parametrize("change", CAMERA_CHANGES)
def test_a_change_of_a_camera_or_its_device_is_told_to_the_camera(
    camera_x: Camera,
    told: list[str],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    change: str,
) -> None:
    key = camera_x.pk
    device = Device.objects.create(camera=camera_x, token_hash="0" * 64)
    with django_capture_on_commit_callbacks(execute=True):
        CAMERA_CHANGES[change](camera_x, device)
    assert set(told) == {f"camera.{key}"}


def test_what_is_new_has_no_sockets_to_tell(
    unit_x: Unit, told: list[str], django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        camera = Camera.objects.create(name="New", unit=unit_x)
        device = Device.objects.create(camera=camera, token_hash="0" * 64)
        enrolment.touch(device)
        User.objects.create_user("new")
    assert told == []


def test_a_broken_channel_layer_fails_nothing_and_is_logged(
    bob: User,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": f"{__name__}.BrokenLayer"}}
    with django_capture_on_commit_callbacks(execute=True):
        bob.memberships.update(role=Role.GUARD_POST)
        bob.memberships.get().save()
    assert bob.memberships.get().role == Role.GUARD_POST
    assert f"No notice to user.{bob.pk} (nobody there)" in caplog.text


def test_a_notice_reaches_the_groups_that_sockets_join() -> None:
    assert (notices.user_group(3), notices.camera_group(4)) == ("user.3", "camera.4")


@pytest.mark.parametrize("from_thread", [True, False])
async def test_a_notice_goes_through_a_real_channel_layer(valkey: str, settings: Settings, from_thread: bool) -> None:
    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [{"address": valkey, "socket_timeout": None}]},
        }
    }
    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add("user.7", channel)
    if from_thread:  # As from a view that the server runs in a thread of its event loop.
        await sync_to_async(notices._tell)("user.7")
    else:  # As from a command, which has no loop.
        await asyncio.get_running_loop().run_in_executor(None, notices._tell, "user.7")
    assert await asyncio.wait_for(layer.receive(channel), timeout=5) == {"type": "rights.changed"}
    await layer.flush()
