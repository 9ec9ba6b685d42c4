"""Events as a stream, through the real ASGI application: resumed, bounded, and ended with the rights."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest
import redis
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.models import Membership, User
from api import collect, interest, stream
from api.access import Caller
from api.collect import Draft
from api.models import Event, EventType
from cameras import tokens
from cameras.models import Camera, Token
from omil.asgi import application
from tests.api.conftest import make_visit

pytestmark = pytest.mark.django_db(transaction=True)
T = TypeVar("T")
Line: Any = ApplicationCommunicator  # It is not typed.


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch, settings: Settings, valkey: str) -> None:
    monkeypatch.setattr(stream, "LOOK_S", 0.02)
    settings.SOCKET_RECHECK_S = 0.1


async def outside(function: Callable[[], T]) -> T:
    return await sync_to_async(function)()


def happen(camera: Camera, number: int, type_: EventType = EventType.VISIT_STARTED) -> Event:
    visit = make_visit(camera, number)
    collect.store([Draft(type_, camera.pk, visit.pk, visit.first_seen, {"number": number})], timezone.now())
    return Event.objects.get(subject=visit.pk)


class Stream:
    """An open stream, as a program reads it."""

    def __init__(self, headers: dict[str, str], query: str = "") -> None:
        self._scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/api/events",
            "raw_path": b"/api/events",
            "query_string": query.encode(),
            "headers": [(b"host", b"localhost"), *((name.encode(), text.encode()) for name, text in headers.items())],
            "client": ("127.0.0.1", 1),
            "server": ("localhost", 80),
        }
        self._text = ""

    async def open(self) -> int:
        self._line = Line(application, self._scope)
        await self._line.send_input({"type": "http.request", "body": b""})
        started = await self._line.receive_output(5)
        self.headers = {name.decode().lower(): text.decode() for name, text in started["headers"]}
        if started["status"] != 200:
            await self._line.wait(5)
        return int(started["status"])

    async def block(self) -> dict[str, str]:
        """The next block of fields; the end of the stream has none."""
        while "\n\n" not in self._text:
            part = await self._line.receive_output(5)
            self._text += part.get("body", b"").decode()
            if not part.get("more_body"):
                break
        block, _, self._text = self._text.partition("\n\n")
        return dict(line.partition(": ")[::2] for line in block.splitlines())

    async def number(self) -> int:
        """What the next event is about."""
        block = await self.block()
        number: int = json.loads(block["data"])["data"]["number"]
        return number

    async def is_quiet(self, for_s: float) -> bool:
        return bool(await self._line.receive_nothing(for_s))

    async def close(self) -> None:
        await self._line.send_input({"type": "http.disconnect"})
        await self._line.wait(5)


@asynccontextmanager
async def reading(headers: dict[str, str], query: str = "") -> AsyncIterator[Stream]:
    opened = Stream(headers, query)
    assert await opened.open() == 200
    assert (await opened.block()) == {"retry": "3000"}
    yield opened
    await opened.close()


def bearer(user: User, scope: Token.Scope = Token.Scope.READ, *cameras: Camera) -> dict[str, str]:
    _token, secret = tokens.issue(user, "a program", scope, cameras)
    return {"authorization": f"Bearer {secret}"}


def cookie(user: User) -> dict[str, str]:
    client = Client()
    client.force_login(user)
    return {"cookie": "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())}


async def test_events_come_as_they_happen(bob: User, camera_x: Camera) -> None:
    headers = await outside(lambda: bearer(bob))
    await outside(lambda: happen(camera_x, 1))  # Before anybody listened.
    async with reading(headers) as opened:
        assert opened.headers["content-type"] == "text/event-stream"
        assert "no-store" in opened.headers["cache-control"]
        event = await outside(lambda: happen(camera_x, 2))
        block = await opened.block()
        assert (block["event"], block["id"]) == ("visit.started", str(event.key))
        assert json.loads(block["data"])["camera"] == camera_x.slug
    assert not stream.feed().open


async def test_whoever_comes_back_goes_on_where_it_was(bob: User, camera_x: Camera) -> None:
    headers = await outside(lambda: cookie(bob))
    events = [await outside(lambda number=number: happen(camera_x, number)) for number in range(250)]  # type: ignore[misc]
    async with reading({**headers, "last-event-id": str(events[9].key)}) as opened:
        assert [await opened.number() for _ in range(240)] == list(range(10, 250))
        await outside(lambda: happen(camera_x, 250))
        assert await opened.number() == 250


async def test_whoever_cannot_wait_is_told_what_there_is(bob: User, camera_x: Camera) -> None:
    headers = await outside(lambda: bearer(bob))
    events = [await outside(lambda number=number: happen(camera_x, number)) for number in range(120)]  # type: ignore[misc]
    opened = Stream({**headers, "last-event-id": str(events[0].key)}, "follow=false")
    assert await opened.open() == 200
    await opened.block()
    assert [await opened.number() for _ in range(119)] == list(range(1, 120))
    assert await opened.block() == {}
    await opened.close()


async def test_whoever_takes_slowly_what_there_is_proves_their_rights_meanwhile(bob: User, camera_x: Camera) -> None:
    headers = await outside(lambda: bearer(bob))
    events = [await outside(lambda number=number: happen(camera_x, number)) for number in range(250)]  # type: ignore[misc]
    opened = Stream({**headers, "last-event-id": str(events[0].key)}, "follow=false")
    assert await opened.open() == 200
    await opened.block()
    await outside(lambda: tokens.revoke(Token.objects.get()))
    told = [await opened.block() for _ in range(stream.BATCH + 1)]
    assert [block["event"] for block in told].count("end") == 1
    await opened.close()


@pytest.mark.parametrize("place", ["6f6d696c-0000-5000-8000-6576656e7474", "nonsense"])
async def test_whoever_comes_back_too_late_is_told_so(bob: User, camera_x: Camera, place: str) -> None:
    headers = await outside(lambda: bearer(bob))
    await outside(lambda: happen(camera_x, 1))
    async with reading({**headers, "last-event-id": place}) as opened:
        assert (await opened.block())["event"] == "reset"
        await outside(lambda: happen(camera_x, 2))
        assert await opened.number() == 2


async def test_each_sees_its_own_cameras_and_types(
    bob: User, charlie: User, root: User, camera_x: Camera, camera_y: Camera
) -> None:
    ways = {
        "bob": (await outside(lambda: bearer(bob)), ""),
        "charlie": (await outside(lambda: cookie(charlie)), ""),
        "token of Y": (await outside(lambda: bearer(root, Token.Scope.READ, camera_y)), ""),
        "only Y": (await outside(lambda: bearer(root)), "camera=gate-y"),
        "only ends": (await outside(lambda: bearer(root)), "type=visit.ended&type=zone.crossed"),
        "all": (await outside(lambda: bearer(root)), ""),
    }
    streams = {}
    for name, (headers, query) in ways.items():
        streams[name] = Stream(headers, query)
        assert await streams[name].open() == 200
        await streams[name].block()
    await outside(lambda: happen(camera_x, 1))
    await outside(lambda: happen(camera_y, 2))
    await outside(lambda: happen(camera_x, 3, EventType.VISIT_ENDED))
    await outside(lambda: happen(camera_y, 4))
    wanted = {
        "bob": [1, 3],
        "charlie": [2, 4],
        "token of Y": [2, 4],
        "only Y": [2, 4],
        "only ends": [3],
        "all": [1, 2, 3, 4],
    }
    for name, opened in streams.items():
        assert [await opened.number() for _ in wanted[name]] == wanted[name]
        await opened.close()


@pytest.mark.parametrize("way", ["revoked", "logged out", "approval"])
async def test_a_stream_ends_with_its_token_its_session_or_its_user(bob: User, camera_x: Camera, way: str) -> None:
    from django.contrib.sessions.models import Session

    def end() -> None:
        if way == "revoked":
            tokens.revoke(Token.objects.get())
        elif way == "logged out":
            Session.objects.all().delete()
        else:
            User.objects.filter(pk=bob.pk).update(is_approved=False)

    headers = await outside(lambda: cookie(bob) if way == "logged out" else bearer(bob))
    async with reading(headers) as opened:
        await outside(end)
        assert (await opened.block())["event"] == "end"
        assert await opened.block() == {}


async def test_a_camera_that_is_no_longer_ones_own_is_told_of_no_more(bob: User, camera_x: Camera) -> None:
    headers = await outside(lambda: bearer(bob))
    async with reading(headers) as opened:
        await outside(lambda: Membership.objects.filter(user=bob).delete())
        await outside(lambda: happen(camera_x, 1))
        assert await opened.is_quiet(0.3)


async def test_a_quiet_stream_shows_that_it_lives(bob: User, camera_x: Camera, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_S", 0.05)
    async with reading(await outside(lambda: bearer(bob))) as opened:
        assert await opened.block() == {"": ""}  # A comment.
        assert await opened.block() == {"": ""}


async def test_a_reader_that_takes_nothing_is_read_for_no_further(
    bob: User, camera_x: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As omil/server makes it wait: what it has not taken stays in the outbox."""
    monkeypatch.setattr(stream, "CHUNK_BYTES", 1)
    caller = Caller(bob)
    reader = await outside(lambda: stream.Reader({}, caller, frozenset(), frozenset(), 0))
    for number in range(30):
        await outside(lambda number=number: happen(camera_x, number))  # type: ignore[misc]
    chunks = stream.told(reader)
    for _ in range(4):
        await anext(chunks)
    third = await outside(lambda: Event.objects.order_by("seq")[2].seq)
    assert reader.seq == third
    monkeypatch.setattr(stream.Reader, "prove", lambda self: self.user_id == bob.pk)
    await asyncio.sleep(0.15)  # Longer than rights hold: they are proved before it goes on.
    rest = [await anext(chunks) for _ in range(27)]
    assert [json.loads(chunk.split(b"data: ")[1])["data"]["number"] for chunk in rest] == list(range(3, 30))
    await chunks.aclose()


async def test_the_number_of_streams_is_bounded(
    bob: User, alice: User, camera_x: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.routes.events.MOST_OF_ONE", 1)
    monkeypatch.setattr("api.routes.events.MOST_STREAMS", 1)
    async with reading(await outside(lambda: bearer(bob))):
        for user, status in ((bob, 429), (alice, 503)):
            headers = await outside(lambda user=user: bearer(user))  # type: ignore[misc]
            refused = Stream(headers)
            assert await refused.open() == status
            assert refused.headers["content-type"] == "application/problem+json"
    async with reading(await outside(lambda: bearer(alice))):
        pass


async def test_an_open_stream_makes_events_be_looked_for(bob: User, camera_x: Camera, empty_valkey: str) -> None:
    assert not await outside(interest.is_there)
    async with reading(await outside(lambda: bearer(bob))):
        with redis.Redis.from_url(empty_valkey) as connection:
            for _ in range(100):
                if connection.keys("omil:*:events-wanted"):
                    break
                await asyncio.sleep(0.02)
        assert await outside(interest.is_there)


@pytest.mark.parametrize(("scope", "status"), [("watch", 403), (None, 401)])
async def test_who_may_not_read_gets_no_stream(bob: User, scope: str | None, status: int) -> None:
    headers = await outside(lambda: bearer(bob, Token.Scope(scope))) if scope else {}
    assert await Stream(headers).open() == status


@pytest.mark.parametrize("query", ["type=nothing", "camera=a%00b"])
async def test_a_filter_that_is_none_is_refused(bob: User, query: str) -> None:
    assert await Stream(await outside(lambda: bearer(bob)), query).open() == 422
