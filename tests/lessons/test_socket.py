"""The lesson socket: a clip as the learner, whom it refuses, and how it ends."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.test import Client
from pytest_django import Settings

from accounts.models import Membership, User
from cameras import images
from tests.flow.wire import Closed, Wire
from videos import lesson_frames, lesson_socket
from videos.lesson_frames import Picture
from videos.lesson_models import Lesson, LessonRun
from videos.sampling import samples

pytestmark = pytest.mark.django_db(transaction=True)

HELLO = {"type": "hello", "protocol": 1}
GREY = images.encode_jpeg(np.full((240, 320, 3), 127, np.uint8))


@pytest.fixture(autouse=True)
async def _leave_no_connection() -> AsyncIterator[None]:
    yield
    await sync_to_async(connections.close_all)()


def cookies(user: User, settings: Any) -> dict[str, str]:
    client = Client()
    client.force_login(user)
    return {settings.SESSION_COOKIE_NAME: client.cookies[settings.SESSION_COOKIE_NAME].value}


@pytest.fixture
def bobs(bob: User, settings: Settings) -> dict[str, str]:
    return cookies(bob, settings)


def path_of(lesson: Lesson) -> str:
    return f"/ws/lesson/{lesson.pk}/"


def picture(run: str, seq: int, at_s: float, jpeg: bytes = GREY) -> bytes:
    return lesson_frames.pack(Picture(seq, uuid.UUID(run), at_s, jpeg))


async def begin(wire: Wire) -> str:
    assert (await wire.ask(HELLO))["type"] == "welcome"
    started = await wire.ask({"type": "start"})
    assert started["type"] == "started"
    return str(started["run"])


def shots(clip: Path, *, late_s: float = 0.1, is_mirrored: bool = False) -> Iterator[tuple[float, bytes]]:
    """The clip as a webcam of 320 pixels sees it, five times a second and a little late, again and again."""
    seen = list(islice(samples(clip, 10.0), 400))
    for k in range(1, 155):
        at_s = k * 0.2 + 0.06
        frame = seen[round((at_s - late_s) * 10) % len(seen)].frame_bgr
        height = round(320 * frame.shape[0] / frame.shape[1])
        small = cv2.resize(frame, (320, height), interpolation=cv2.INTER_AREA).astype(np.uint8)
        yield at_s, images.encode_jpeg(np.ascontiguousarray(small[:, ::-1] if is_mirrored else small), quality=75)


async def take(lesson: Lesson, who: dict[str, str], clip: Path, **how: Any) -> dict[str, int]:
    """The totals of a whole run."""
    async with Wire(path_of(lesson), who) as wire:
        run = await begin(wire)
        for seq, (at_s, jpeg) in enumerate(shots(clip, **how)):
            answer = await wire.ask(picture(run, seq, at_s, jpeg))
            assert (answer["type"], answer["seq"]) == ("result", seq)
        ended = await wire.ask({"type": "end"})
        assert ended["type"] == "ended"
        assert await wire.rest(0.2) == [1000]
    kept = await LessonRun.objects.aget(pk=run)
    assert kept.state == LessonRun.State.ENDED
    assert {name: getattr(kept, name) for name in ended["totals"]} == ended["totals"]
    assert len(kept.moments) == sum(ended["totals"].values())
    assert ended["url"] == kept.get_absolute_url()
    totals: dict[str, int] = ended["totals"]
    return totals


@pytest.mark.parametrize("is_mirrored", [False, True])
async def test_who_does_the_same_is_nearly_always_perfect(
    with_poses: None,
    lesson: Lesson,
    bobs: dict[str, str],
    test_data: Path,
    is_mirrored: bool,
) -> None:
    totals = await take(lesson, bobs, test_data / "videos" / "dancer_dev.mp4", is_mirrored=is_mirrored)
    counted = sum(totals.values()) - totals["rest"]  # At first she stands.
    assert counted >= 0.6 * sum(totals.values())
    assert totals["perfect"] >= 0.9 * counted, totals


@pytest.mark.parametrize("name", ["asl_walk.mkv", "short_hamilton_clip.mp4", "one-by-one-person-detection.mp4"])
async def test_who_does_something_else_is_not(
    with_poses: None,
    lesson: Lesson,
    bobs: dict[str, str],
    test_data: Path,
    name: str,
) -> None:
    totals = await take(lesson, bobs, test_data / "videos" / name)
    assert totals["rest"] == 0
    assert totals["perfect"] <= 0.1 * sum(totals.values()), totals


# --- Refusals ---


async def closed_with(wire: Wire) -> tuple[str, int]:
    error, code = await wire.rest(0.5)
    return error["code"], code


async def test_it_wants_a_log_in(lesson: Lesson) -> None:
    async with Wire(path_of(lesson)) as wire:
        assert await closed_with(wire) == ("not_logged_in", 4401)


async def test_lessons_of_other_units_do_not_exist(lesson: Lesson, charlie: User, gina: User, settings: Any) -> None:
    for user in (charlie, gina):
        who = await sync_to_async(cookies)(user, settings)
        async with Wire(path_of(lesson), who) as wire:
            assert await closed_with(wire) == ("not_found", 4404)


async def test_nor_do_those_that_are_not_there(lesson: Lesson, bobs: dict[str, str]) -> None:
    async with Wire(f"/ws/lesson/{uuid.uuid4()}/", bobs) as wire:
        assert await closed_with(wire) == ("not_found", 4404)


async def test_pages_of_other_sites_are_refused(lesson: Lesson, bobs: dict[str, str]) -> None:
    wire = Wire(path_of(lesson), bobs)
    headers: Any = wire.scope["headers"]
    headers[1] = (b"origin", b"http://elsewhere.example")
    async with wire:
        assert await closed_with(wire) == ("wrong_origin", 4403)


async def test_without_a_model_it_says_so(lesson: Lesson, bobs: dict[str, str]) -> None:
    async with Wire(path_of(lesson), bobs) as wire:
        wire.send(HELLO)
        assert await closed_with(wire) == ("no_model", 4503)
    assert not await LessonRun.objects.aexists()


async def test_too_many_learners_are_turned_away(
    lesson: Lesson, bobs: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lesson_socket, "LEARNERS", 1)
    async with Wire(path_of(lesson), bobs) as first:
        with pytest.raises(TimeoutError):
            await first.hear(0.2)
        async with Wire(path_of(lesson), bobs) as second:
            assert await closed_with(second) == ("full", 4429)
    async with Wire(path_of(lesson), bobs) as third:  # The place is free again.
        with pytest.raises(TimeoutError):
            await third.hear(0.2)


async def test_bad_messages_are_answered_and_survived(with_poses: None, lesson: Lesson, bobs: dict[str, str]) -> None:
    async with Wire(path_of(lesson), bobs) as wire:
        before: list[tuple[Any, str]] = [
            ("{", "not_json"),
            ("[1]", "bad_message"),
            ('{"type": "dance"}', "bad_message"),
            ("x" * 5_000, "too_long"),
            ({"type": "start"}, "out_of_order"),  # before hello
            ({"type": "end"}, "out_of_order"),
        ]
        for message, code in before:
            assert (await wire.ask(message))["code"] == code
        run = await begin(wire)
        good = picture(run, 5, 1.0)
        after: list[tuple[Any, str]] = [
            ({"type": "start"}, "out_of_order"),
            (b"", "short_header"),
            (b"\2" + good[1:], "wrong_version"),
            (good[:1] + b"\1" + good[2:], "wrong_codec"),
            (picture(run, 1, float("nan")), "wrong_time"),
            (picture(run, 1, -1.0), "wrong_time"),
            (picture(run, 1, 99.0), "out_of_order"),  # after the video's end
            (picture(str(uuid.uuid4()), 1, 1.0), "wrong_run"),
            (picture(run, 1, 1.0, bytes(lesson_frames.MOST_BYTES + 1)), "too_large"),
        ]
        for message, code in after:
            assert (await wire.ask(message))["code"] == code
        for seq, jpeg in [(6, b"no picture"), (7, GREY[:-200])]:
            assert (await wire.ask(picture(run, seq, seq * 1.0, jpeg)))["verdict"] == "invalid"
        nobody = await wire.ask(picture(run, 8, 8.0))
        assert (nobody["verdict"], nobody["points"], nobody["similarity"]) == ("miss", None, 0.0)
        assert (await wire.ask(picture(run, 8, 9.0)))["code"] == "out_of_order"  # the same number again
        assert (await wire.ask(picture(run, 9, 7.0)))["code"] == "out_of_order"  # back in time
        assert (await wire.ask(picture(run, 10, 8.05)))["verdict"] == "busy"  # too soon after the last


async def test_a_client_that_sends_nothing_else_is_closed(lesson: Lesson, bobs: dict[str, str]) -> None:
    async with Wire(path_of(lesson), bobs) as wire:
        for _ in range(lesson_socket.MAX_BAD_MESSAGES):
            wire.send("nonsense")
        heard = await wire.rest(0.5)
        assert (heard[-2]["code"], heard[-1]) == ("too_many_bad_messages", 1008)


async def test_another_protocol_is_refused(lesson: Lesson, bobs: dict[str, str]) -> None:
    async with Wire(path_of(lesson), bobs) as wire:
        wire.send({"type": "hello", "protocol": 2})
        assert await closed_with(wire) == ("wrong_protocol", 4400)


async def test_a_flood_is_answered_picture_by_picture_and_not_hoarded(
    with_poses: None, lesson: Lesson, bobs: dict[str, str]
) -> None:
    async with Wire(path_of(lesson), bobs) as wire:
        run = await begin(wire)
        for seq in range(100):
            wire.send(picture(run, seq, seq * 0.2))
        heard = [await wire.hear() for _ in range(100)]
        assert {message["seq"] for message in heard} == set(range(100))
        assert sum(message["verdict"] == "busy" for message in heard) > 50
        assert heard[-1]["verdict"] == "miss" or heard[-2]["verdict"] == "miss"


# --- How it ends ---


async def test_leaving_keeps_what_was_judged(with_poses: None, lesson: Lesson, bobs: dict[str, str]) -> None:
    async with Wire(path_of(lesson), bobs) as wire:
        run = await begin(wire)
        await wire.ask(picture(run, 0, 1.0))
    kept = await LessonRun.objects.aget(pk=run)
    assert (kept.state, kept.miss, kept.moments) == (LessonRun.State.LEFT, 1, [[1.0, 1.0]])
    assert not lesson_socket._learning


async def test_a_run_of_nothing_is_not_kept(with_poses: None, lesson: Lesson, bobs: dict[str, str]) -> None:
    async with Wire(path_of(lesson), bobs) as wire:
        await begin(wire)
    async with Wire(path_of(lesson), bobs) as wire:
        await begin(wire)
        assert (await wire.ask({"type": "end"}))["url"] is None
        assert await wire.rest(0.2) == [1000]
    assert not await LessonRun.objects.aexists()


async def test_the_end_waits_for_the_last_picture(with_poses: None, lesson: Lesson, bobs: dict[str, str]) -> None:
    async with Wire(path_of(lesson), bobs) as wire:
        run = await begin(wire)
        wire.send(picture(run, 0, 1.0))
        wire.send({"type": "end"})
        heard = await wire.rest(1.0)
        assert [message if isinstance(message, int) else message["type"] for message in heard] == [
            "result",
            "ended",
            1000,
        ]
        assert heard[1]["totals"]["miss"] == 1
        assert heard[1]["percents"] == {"perfect": 0, "good": 0, "miss": 100}


async def test_taken_rights_end_it(
    with_poses: None, lesson: Lesson, bob: User, bobs: dict[str, str], settings: Any
) -> None:
    settings.SOCKET_RECHECK_S = 0.2
    async with Wire(path_of(lesson), bobs) as wire:
        run = await begin(wire)
        await wire.ask(picture(run, 0, 1.0))
        await Membership.objects.filter(user=bob).adelete()
        error = await wire.hear()
        assert error["code"] == "not_found"
        with pytest.raises(Closed) as closed:
            await wire.hear()
        assert closed.value.code == 4404
    assert (await LessonRun.objects.aget(pk=run)).state == LessonRun.State.LEFT
