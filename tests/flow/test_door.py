"""Whoever may not send pictures is told why, by a code and in words, and is counted by that code."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass

import pytest
from websockets.exceptions import ConnectionClosed

from tests.flow.nonsense import JPEG
from tests.flow.post import GOOD, HELLO, Post, Pulse, Site, frame, hello, is_sentence, quiet_then

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(300)]


@dataclass(frozen=True, slots=True)
class Cast:
    """The posts that the door cases speak of; `stranger` is logged in and of another unit."""

    own: Post
    other: Post
    revoked: Post
    off: Post
    stranger: dict[str, str]


@dataclass(frozen=True, slots=True)
class Door:
    """Somebody who is not let in: with whose cookies to whose camera, what is said first, and the answer."""

    code: str
    close: int = 4403
    cookies: Callable[[Cast], dict[str, str]] = lambda cast: cast.own.cookies
    post: Callable[[Cast], Post] = lambda cast: cast.own
    path: str = ""
    origin: str | None = None
    first: str | bytes | None = HELLO


DOORS = {
    # Rights.
    "no enrolment": Door("not_enrolled", 4401, cookies=lambda cast: {}),
    "a made-up device": Door("not_enrolled", 4401, cookies=lambda cast: dict.fromkeys(cast.own.cookies, "x" * 43)),
    "no such camera": Door("not_enrolled", 4401, cookies=lambda cast: {}, path="/ws/capture/nothing-there/"),
    "enrolled for another camera": Door("forbidden", post=lambda cast: cast.other),
    "another camera's token under this one's name": Door(
        "forbidden",
        post=lambda cast: cast.other,
        cookies=lambda cast: dict(zip(cast.other.cookies, cast.own.cookies.values(), strict=True)),
    ),
    "logged in, of another unit": Door("forbidden", cookies=lambda cast: cast.stranger),
    "logged in, no such camera": Door(
        "forbidden", cookies=lambda cast: cast.stranger, path="/ws/capture/nothing-there/"
    ),
    "revoked": Door("revoked", post=lambda cast: cast.revoked, cookies=lambda cast: cast.revoked.cookies),
    "switched off": Door("camera_off", post=lambda cast: cast.off, cookies=lambda cast: cast.off.cookies),
    # Origin.
    "another site": Door("wrong_origin", origin="https://elsewhere.test"),
    "another port": Door("wrong_origin", origin="http://localhost:1"),
    "no site at all": Door("wrong_origin", origin="null"),
    # The first message.
    "a frame first": Door("no_hello", 4400, first=frame(1, JPEG)),
    "silence": Door("no_hello", 4400, first=None),
    "not JSON": Door("no_hello", 4400, first="hello"),
    "JSON without end": Door("no_hello", 4400, first="[" * 100_000),
    "no object": Door("no_hello", 4400, first="[1]"),
    "something else": Door("no_hello", 4400, first='{"type": "watch", "cameras": []}'),
    "another protocol": Door("wrong_protocol", 4400, first=hello(protocol=2)),
    "no protocol": Door("wrong_protocol", 4400, first=hello(protocol=None)),
    "a short stream": Door("bad_stream", 4400, first=hello(stream="abc")),
    "a stream in capitals": Door("bad_stream", 4400, first=hello(stream="ABCDEF01" * 4)),
    "a stream that is none": Door("bad_stream", 4400, first=hello(stream=["0" * 32])),
}


@pytest.fixture(scope="module")
def cast(site: Site) -> Cast:
    own, revoked, off = site.posts("Own gate", "Revoked gate", "Dark gate")
    (other,) = site.posts("Other gate", unit="Elsewhere")
    site.query("UPDATE cameras_device SET revoked_at = '2026-01-01' WHERE id = ?", revoked.device_id)
    site.query("UPDATE cameras_camera SET is_enabled = ? WHERE id = ?", False, off.id)
    code = (
        "from accounts.models import *\n"
        "user = User.objects.create_user('charlie', password='a long password', is_approved=True)\n"
        "Membership.objects.create(user=user, unit=Unit.objects.get(name='Elsewhere'), role='operator')"
    )
    site.product.manage("shell", "-v", "0", "-c", code)
    with closing(site.product.logged_in("charlie", "a long password")) as browser:
        return Cast(own, other, revoked, off, dict(browser.cookies))


async def test_whoever_may_not_send_is_told_why_and_counted(site: Site, cast: Cast, neighbour: Pulse) -> None:
    async def knock(door: Door) -> tuple[int, str]:
        cookies = door.cookies(cast)
        async with site.dial(door.post(cast), cookies=cookies, origin=door.origin, path=door.path) as line:
            if door.first is not None:
                with suppress(ConnectionClosed):  # Whoever has no rights is not listened to.
                    await line.send(door.first)
            close, said = await line.end()
        assert [answer["type"] for answer in said] == ["error"], said
        assert is_sentence(said[0]["detail"])
        return close, said[0]["code"]

    async def all_at_once() -> None:
        before = Counter(site.metric("omil_capture_refused_total"))
        answers = await asyncio.gather(*(knock(door) for door in DOORS.values()))
        assert dict(zip(DOORS, answers, strict=True)) == {name: (door.close, door.code) for name, door in DOORS.items()}
        counted = Counter(site.metric("omil_capture_refused_total")) - before
        assert counted == Counter(door.code for door in DOORS.values())

    await quiet_then(neighbour, all_at_once)
    assert set(neighbour.verdicts) <= GOOD
