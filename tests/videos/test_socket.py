"""/ws/videos/: who is told of which unit's videos, and when that ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.db import connections
from django.test import Client
from pytest_django import Settings

from accounts.models import Membership, Unit, User
from detections import broadcast
from omil.asgi import application
from videos import announce
from videos.models import Video

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
async def _leave_no_connection() -> AsyncIterator[None]:
    yield
    await sync_to_async(connections.close_all)()


def cookies_of(user: User) -> bytes:
    client = Client()
    client.force_login(user)
    return "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items()).encode()


async def opened(user: User | None, origin: str = "") -> WebsocketCommunicator:
    headers = [(b"host", b"localhost")]
    if user:
        headers.append((b"cookie", await sync_to_async(cookies_of)(user)))
    if origin:
        headers.append((b"origin", origin.encode()))
    wire = WebsocketCommunicator(application, "/ws/videos/", headers=headers)
    connected, _protocol = await wire.connect()
    assert connected
    return wire


@pytest.fixture
def video(unit_x: Unit, bob: User) -> Video:
    return Video.objects.create(unit=unit_x, uploaded_by=bob, title="film", state="analysing", duration_s=10, rate=2)


def tell(video: Video, layer: Any) -> None:
    """In this event loop, as an in-memory layer wants it."""
    sent: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(broadcast.Sender, "post", lambda _self, name, message: sent.append((name, message)))
        announce.video(video, "progress")
    for name, message in sent:
        layer.append((name, message))


async def send(video: Video) -> None:
    from channels.layers import get_channel_layer

    messages: list[Any] = []
    tell(video, messages)
    for name, message in messages:
        await get_channel_layer().group_send(name, message)


async def test_who_watches_a_unit_is_told_of_its_videos(bob: User, alice: User, video: Video) -> None:
    wires = [await opened(bob), await opened(alice)]
    await asyncio.sleep(0.1)
    video.progress = 0.25
    await send(video)
    for wire in wires:
        told = await wire.receive_json_from(timeout=3)
        assert (told["type"], told["event"]) == ("video", "progress")
        assert told["video"]["id"] == str(video.pk)
        assert told["video"]["left_s"] == pytest.approx(3.75)
        await wire.disconnect()


async def test_who_does_not_is_not(charlie: User, gina: User, video: Video) -> None:
    for user in (charlie, gina):
        wire = await opened(user)
        await asyncio.sleep(0.1)
        await send(video)
        assert await wire.receive_nothing(0.3)
        await wire.disconnect()


async def test_strangers_and_other_sites_are_refused(bob: User) -> None:
    for wire, code in ((await opened(None), 4401), (await opened(bob, "https://elsewhere.example"), 4403)):
        assert (await wire.receive_json_from(timeout=3))["type"] == "error"
        assert (await wire.receive_output(timeout=3)) == {"type": "websocket.close", "code": code}


async def test_rights_that_are_taken_away_end_it(bob: User, video: Video, settings: Settings) -> None:
    settings.SOCKET_RECHECK_S = 0.1
    wire = await opened(bob)
    await asyncio.sleep(0.1)
    await sync_to_async(Membership.objects.filter(user=bob).delete)()
    await asyncio.sleep(0.4)
    await send(video)
    assert await wire.receive_nothing(0.3)
    bob.is_active = False
    await sync_to_async(bob.save)()
    assert (await wire.receive_json_from(timeout=3))["code"] == "not_logged_in"


async def test_who_talks_is_sent_away(bob: User) -> None:
    wire = await opened(bob)
    for _time in range(100):
        await wire.send_to(text_data="x")
    assert (await wire.receive_json_from(timeout=3))["code"] == "too_many_bad_messages"
