"""Both sockets, for everybody: what may be asked, what is heard, and when rights that are taken away end it."""

from __future__ import annotations

import asyncio
import inspect
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, closing
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.contrib.sessions.models import Session
from django.db import connections
from pytest_django import Settings

from accounts.models import Membership, Role, User
from accounts.notices import camera_group
from cameras import consumers, enrolment, live
from cameras.frames import Frame
from cameras.models import Camera, Device
from detections import consumers as live_consumers
from omil.routing import websocket_urlpatterns
from tests.flow.conftest import RECHECK_S
from tests.flow.post import Site, frame, picture
from tests.flow.roles import PICTURE, ROLES, STREAM, World, make_world
from tests.flow.wire import QuietReceiver, Wire

pytestmark = pytest.mark.django_db(transaction=True)

HELLO = {"type": "hello", "protocol": 1, "stream": STREAM}
WATCHERS = ("operator", "admin", "staff", "root")
AT_ONCE_S, SILENCE_S = 3.0, 1.0


@pytest.fixture
def world(db: None, settings: Settings) -> World:
    settings.SOCKET_RECHECK_S = 60.0  # What ends sooner has ended by its notice.
    return make_world()


@pytest.fixture(autouse=True)
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[QuietReceiver]:
    quiet = QuietReceiver()
    monkeypatch.setattr(consumers, "receiver", lambda: quiet)
    yield quiet
    quiet.threads.shutdown()


@pytest.fixture(autouse=True)
async def _leave_no_connection() -> AsyncIterator[None]:
    """The application's thread keeps its connection between requests, which would hold the test's database."""
    yield
    await sync_to_async(connections.close_all)()


async def live_socket(stack: AsyncExitStack, world: World, role: str) -> Wire:
    return await stack.enter_async_context(Wire("/ws/live/", world.cookies[role]))


def said(heard: list[Any]) -> str:
    """What a socket that was refused has said."""
    error, code = heard
    assert error["type"] == "error"
    assert len(error["detail"].split()) >= 3
    return f"closed {code} {error['code']}"


def test_there_are_these_sockets_and_no_other() -> None:
    """What the last two ask is in tests/videos/test_socket.py and tests/lessons/test_socket.py."""
    known = {"ws/capture/<slug:slug>/", "ws/live/", "ws/videos/", "ws/lesson/<uuid:id>/"}
    assert {str(found.pattern) for found in websocket_urlpatterns} == known


# --- What may be asked -----------------------------------------------------------------------------------------------


CAPTURE = {
    **dict.fromkeys(ROLES, "welcome"),
    **dict.fromkeys(("anonymous", "pending"), "closed 4401 not_enrolled"),
    **dict.fromkeys(("operator_y", "admin_y"), "closed 4403 forbidden"),
}


async def test_only_the_cameras_own_people_and_devices_feed_it(world: World) -> None:
    found = {}
    for role in ROLES:
        async with Wire(f"/ws/capture/{world.camera.slug}/", world.cookies[role]) as wire:
            wire.send(HELLO)
            answer = await wire.hear()
            if answer["type"] == "welcome":
                ack = await wire.ask(frame(1, picture(size_wh=(64, 48))))
                assert (ack["type"], ack["verdict"]) in {("ack", "admitted"), ("ack", "no_motion")}
                found[role] = "welcome"
            else:
                assert world.camera.name not in str(answer)
                found[role] = said([answer, *(await wire.rest(SILENCE_S))])
    assert found == CAPTURE


LOGGED_IN = ROLES[3:]
LIVE: dict[str, tuple[dict[str, Any] | str | bytes, dict[str, str]]] = {
    "watch": (
        {"type": "watch", "cameras": ["quay-gate"], "pictures": True},
        {**dict.fromkeys(WATCHERS, "camera visit"), **dict.fromkeys(("guard", "operator_y", "admin_y"), "not_found")},
    ),
    "ack": ({"type": "ack", "camera": "quay-gate", "seq": 1}, dict.fromkeys(LOGGED_IN, "nothing")),
    "anything else": ({"type": "delete", "camera": "quay-gate"}, dict.fromkeys(LOGGED_IN, "bad_message")),
    "no type": ({"cameras": ["quay-gate"]}, dict.fromkeys(LOGGED_IN, "bad_message")),
    "not a list": ({"type": "watch", "cameras": "quay-gate"}, dict.fromkeys(LOGGED_IN, "bad_message")),
    "half a surrogate": ('{"type": "watch", "cameras": ["\\ud800"]}', dict.fromkeys(LOGGED_IN, "bad_message")),
    "a zero": ({"type": "watch", "cameras": ["quay\0gate"]}, dict.fromkeys(LOGGED_IN, "bad_message")),
    "too many": (
        {"type": "watch", "cameras": [f"gate-{n}" for n in range(201)]},
        dict.fromkeys(LOGGED_IN, "too_many_cameras"),
    ),
    "JSON without end": ("[" * 10_000, dict.fromkeys(LOGGED_IN, "not_json")),
    "a long text": ('"' + "x" * 20_000 + '"', dict.fromkeys(LOGGED_IN, "not_text")),
    "bytes": (b"\x01", dict.fromkeys(LOGGED_IN, "not_text")),
}


def test_every_message_of_the_live_socket_is_in_the_table() -> None:
    understood = re.findall(r'case \{"type": "(\w+)"', inspect.getsource(live_consumers))
    assert understood
    assert set(understood) <= set(LIVE)


async def test_every_message_of_the_live_socket_asks_for_the_users_own_cameras_only(world: World) -> None:
    async def answers_to(role: str) -> dict[str, str]:
        found = {}
        async with Wire("/ws/live/", world.cookies[role]) as wire:
            for name, (message, _expected) in LIVE.items():
                wire.send(message)
                heard = await wire.rest(SILENCE_S)
                if 4401 in heard:
                    return dict.fromkeys(LIVE, said(heard))
                assert role in WATCHERS or world.camera.name not in str(heard)
                found[name] = " ".join(answer.get("code", answer["type"]) for answer in heard) or "nothing"
        return found

    found = dict(zip(ROLES, await asyncio.gather(*(answers_to(role) for role in ROLES)), strict=True))
    closed = dict.fromkeys(ROLES[:3], "closed 4401 not_logged_in")
    for name, (_message, expected) in LIVE.items():
        assert (name, {role: found[role][name] for role in ROLES}) == (name, closed | expected)


# --- What is heard ---------------------------------------------------------------------------------------------------


async def happen(camera: Camera, seq: int) -> None:
    """All that a camera's viewers are ever told: a picture, its boxes, a visit, the camera's state and a clip."""
    now = time.time()
    live.publish(Frame(camera.pk, STREAM, seq, now, now, PICTURE), admitted=False)
    layer, about = get_channel_layer(), {"camera": camera.slug}
    tracks = {"type": "tracks", **about, "stream": STREAM, "seq": seq, "captured_at": now, "people": 1, "boxes": []}
    visit = {"type": "visit", "event": "changed", **about, "visit": {"id": "1"}}
    for message in (
        {"type": "camera.frame", **about, "stream": STREAM, "tracks": tracks, "visits": []},
        {"type": "camera.visit", **about, "visit": visit},
        {"type": "camera.status", **about, "status": {"type": "camera", **about, "name": camera.name}},
        {"type": "camera.recording", **about, "recording": {"type": "recording", **about, "event": "started"}},
    ):
        await layer.group_send(camera_group(camera.pk), message)


def kinds(heard: list[Any]) -> list[str]:
    return sorted("picture" if isinstance(message, bytes) else message["type"] for message in heard)


async def test_what_happens_before_a_camera_is_heard_by_those_who_may_watch_it(world: World) -> None:
    both = {"type": "watch", "cameras": [world.camera.slug, world.camera_y.slug], "pictures": True}
    own: dict[str, set[Camera]] = {"guard": set(), "root": {world.camera, world.camera_y}}
    own |= {role: {world.camera} for role in WATCHERS if role != "root"}
    own |= {role: {world.camera_y} for role in ("operator_y", "admin_y")}
    async with AsyncExitStack() as stack:
        wires = {role: await live_socket(stack, world, role) for role in own}
        for wire in wires.values():
            wire.send(both)
        await asyncio.gather(*(wire.rest(SILENCE_S) for wire in wires.values()))
        for camera in (world.camera, world.camera_y):
            await happen(camera, 7)
            every = await asyncio.gather(*(wire.rest(SILENCE_S) for wire in wires.values()))
            for role, heard in zip(wires, every, strict=True):
                expected = ["camera", "picture", "recording", "tracks", "visit"] if camera in own[role] else []
                assert (role, camera.slug, kinds(heard)) == (role, camera.slug, expected)


async def test_only_the_source_itself_is_told_the_results_of_its_frames(world: World) -> None:
    """Also not the source of another camera of the same unit, nor another stream of the same camera."""
    other = await sync_to_async(Camera.objects.create)(name="Second quay", unit=world.unit)
    async with (
        Wire(f"/ws/capture/{world.camera.slug}/", world.cookies["guard"]) as own,
        Wire(f"/ws/capture/{other.slug}/", world.cookies["guard"]) as neighbour,
    ):
        for wire in (own, neighbour):
            assert (await wire.ask(HELLO))["type"] == "welcome"
        await asyncio.sleep(SILENCE_S)
        await happen(world.camera, 3)
        assert kinds(await own.rest(SILENCE_S)) == ["result"]
        assert await neighbour.rest(SILENCE_S) == []
    async with Wire(f"/ws/capture/{world.camera.slug}/", world.cookies["guard"]) as reloaded:
        assert (await reloaded.ask(HELLO | {"stream": "cd" * 16}))["type"] == "welcome"
        await asyncio.sleep(SILENCE_S)
        await happen(world.camera, 4)
        assert await reloaded.rest(SILENCE_S) == []


# --- Rights that end -------------------------------------------------------------------------------------------------


def log_out(world: World) -> None:
    world.client("operator").post("/logout/")


def change_password(world: World) -> None:
    form = {"old_password": "x", "new_password1": "a new and long secret", "new_password2": "a new and long secret"}
    assert world.client("operator").post("/password/", form).status_code == 302


def become(role: Role) -> Callable[[World], None]:
    def change(world: World) -> None:
        membership = world.users["operator"].memberships.get()
        membership.role = role
        membership.save()

    return change


def save(**changes: object) -> Callable[[World], None]:
    def change(world: World) -> None:
        user = User.objects.get(pk=world.users["operator"].pk)
        for name, value in changes.items():
            setattr(user, name, value)
        user.save()

    return change


def move(world: World) -> None:
    camera = Camera.objects.get(pk=world.camera.pk)
    camera.unit = world.camera_y.unit
    camera.save()


LEAVE = lambda world: world.users["operator"].memberships.all().delete()  # noqa: E731
ENDS: dict[str, tuple[Callable[[World], object], str]] = {
    "no member any more": (LEAVE, "not_found"),
    "a guard post now": (become(Role.GUARD_POST), "not_found"),
    "the camera moved to another unit": (move, "not_found"),
    "logged out": (log_out, "closed 4401 session_ended"),
    "another password": (change_password, "closed 4401 session_ended"),
    "approval withdrawn": (save(is_approved=False), "closed 4401 session_ended"),
    "switched off": (save(is_active=False), "closed 4401 session_ended"),
    "deleted": (lambda world: User.objects.get(pk=world.users["operator"].pk).delete(), "closed 4401 session_ended"),
}
UNNOTICED: dict[str, tuple[Callable[[World], object], str]] = {
    "no member any more": (lambda _world: Membership.objects.all()._raw_delete("default"), "not_found"),
    "the camera moved to another unit": (
        lambda world: Camera.objects.filter(pk=world.camera.pk).update(unit=world.camera_y.unit),
        "not_found",
    ),
    "the session gone": (lambda _world: Session.objects.all()._raw_delete("default"), "closed 4401 session_ended"),
    "switched off": (lambda _world: User.objects.update(is_active=False), "closed 4401 session_ended"),
}


async def elsewhere(change: Callable[[World], object], world: World) -> None:
    """Makes the change in a thread of its own, as another process would: the sockets' thread is free meanwhile."""

    def make() -> None:
        try:
            change(world)
        finally:
            connections.close_all()

    await sync_to_async(make, thread_sensitive=False)()


async def end_of(wire: Wire) -> list[Any]:
    """What a socket says once its rights have ended; nothing at all if that does not happen at once."""
    try:
        return [await wire.hear(AT_ONCE_S), *(await wire.rest(SILENCE_S))]
    except TimeoutError:
        return []


async def watch_until(world: World, end: Callable[[World], object]) -> str:
    """The operator watches; then the rights end, and the camera goes on."""
    async with AsyncExitStack() as stack:
        wire = await live_socket(stack, world, "operator")
        wire.send({"type": "watch", "cameras": [world.camera.slug], "pictures": True})
        assert kinds(await wire.rest(SILENCE_S)) == ["camera", "visit"]
        await happen(world.camera, 1)
        assert kinds(await wire.rest(SILENCE_S)) == ["camera", "picture", "recording", "tracks", "visit"]
        wire.send({"type": "ack", "camera": world.camera.slug, "seq": 1})
        await elsewhere(end, world)
        heard = await end_of(wire)
        await happen(world.camera, 2)
        after = await wire.rest(SILENCE_S)
    if len(heard) == 2:
        assert after in ([], [heard[1]])
        return said(heard)
    assert after == []
    return str(heard[0]["code"]) if heard else "goes on"


@pytest.mark.parametrize("change", ENDS)
async def test_a_viewer_whose_rights_end_hears_nothing_more_at_once(world: World, change: str) -> None:
    end, outcome = ENDS[change]
    assert await watch_until(world, end) == outcome


@pytest.mark.parametrize("change", UNNOTICED)
async def test_a_viewer_whose_notice_was_lost_hears_nothing_after_the_next_look(
    world: World, settings: Settings, change: str
) -> None:
    settings.SOCKET_RECHECK_S = 0.5
    end, outcome = UNNOTICED[change]
    assert await watch_until(world, end) == outcome


@pytest.mark.realtime
@pytest.mark.timeout(300)
@pytest.mark.parametrize("path", ["/logout/", "/password/"])
async def test_a_log_out_and_a_new_password_close_the_running_products_sockets_at_once(site: Site, path: str) -> None:
    name, password, new = f"user of {path}", "a long password", "another long password"
    code = f"from accounts.models import User; User.objects.create_superuser({name!r}, password={password!r})"
    await asyncio.to_thread(site.product.manage, "shell", "-v", "0", "-c", code)
    with closing(await asyncio.to_thread(site.product.logged_in, name, password)) as browser:
        form = {"old_password": password, "new_password1": new, "new_password2": new}
        form["csrfmiddlewaretoken"] = browser.cookies[f"omil_csrf_{site.product.port}"]
        async with site.dial(None, path="/ws/live/", cookies=dict(browser.cookies)) as line:
            assert (await line.ask('{"type": "watch", "cameras": ["nothing-there"]}'))["code"] == "not_found"
            began = time.monotonic()
            (await asyncio.to_thread(browser.post, path, data=form)).raise_for_status()
            close, said_at_last = await line.end()
            assert time.monotonic() - began < RECHECK_S * 0.9  # The timer would not have looked yet.
            assert (close, said_at_last[-1]["code"]) == (4401, "session_ended")


FED_BY_A_MEMBER = {
    "no member any more": (lambda world: world.users["guard"].memberships.all().delete(), "closed 4403 forbidden"),
    "logged out": (lambda world: world.client("guard").post("/logout/"), "closed 4401 not_enrolled"),
    "deleted": (lambda world: User.objects.get(pk=world.users["guard"].pk).delete(), "closed 4401 not_enrolled"),
    "the camera moved to another unit": (move, "closed 4403 forbidden"),
}


@pytest.mark.parametrize("change", FED_BY_A_MEMBER)
async def test_a_source_that_is_a_member_no_more_is_closed_at_once(world: World, change: str) -> None:
    end, outcome = FED_BY_A_MEMBER[change]
    async with Wire(f"/ws/capture/{world.camera.slug}/", world.cookies["guard"]) as wire:
        assert (await wire.ask(HELLO))["type"] == "welcome"
        await asyncio.sleep(SILENCE_S)
        await elsewhere(end, world)
        assert said(await end_of(wire)) == outcome


async def test_a_device_feeds_its_camera_whatever_becomes_of_the_user_before_it(world: World) -> None:
    """An enrolled browser in which somebody also logs in and out."""
    cookies = world.cookies["device"] | world.cookies["operator_y"]
    async with Wire(f"/ws/capture/{world.camera.slug}/", cookies) as wire:
        assert (await wire.ask(HELLO))["type"] == "welcome"
        await elsewhere(lambda world: world.client("operator_y").post("/logout/"), world)
        assert await wire.rest(SILENCE_S) == []
        assert (await wire.ask(frame(1, picture(size_wh=(64, 48)))))["type"] == "ack"
        await elsewhere(lambda world: enrolment.revoke(Device.objects.get(pk=world.device.pk)), world)
        assert said(await end_of(wire)) == "closed 4403 revoked"
