"""Cameras in ingest: pictures reach gate and log, faults are told and end by themselves, and touch no neighbour."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from itertools import pairwise

import psutil
import pytest
from pytest_django import Settings

from cameras import folders, node
from cameras.entries import VERDICTS
from cameras.frames import Frame
from cameras.pull import feed, problems
from cameras.pull.feed import Wanted
from cameras.pull.ingest import Ingest
from cameras.pull.problems import Standing
from cameras.spool import Spool
from cameras.zones import Masks
from tests.cameras.pull.server import Camera, Connection, camera
from tests.fakes import numbered_picture

PICTURES = [numbered_picture(number) for number in range(64)]
FPS = 10


@pytest.fixture(autouse=True)
def here(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A receiver of this test's own, and readers that lose their patience sooner."""
    settings.PULL_ALLOW = ["127.0.0.1"]
    monkeypatch.setattr(feed, "SILENT_S", 1.5)
    monkeypatch.setattr(feed, "STUCK_S", 4.0)
    node.receiver.cache_clear()
    yield
    node.receiver().threads.shutdown()
    node.receiver.cache_clear()


class Pulled:
    """An ingest whose cameras are servers of the test's own, and what it published."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.ingest = Ingest(lambda frame, _admitted: self.frames.append(frame), lambda *_packets: None)

    async def follow(self, *wanted: Wanted) -> None:
        await self.ingest.follow({each.camera_id: each for each in wanted})

    def of(self, camera_id: int, since: float = 0.0) -> list[Frame]:
        return [frame for frame in self.frames if frame.camera_id == camera_id and frame.received_at >= since]

    async def until(self, holds: Callable[[], bool], timeout_s: float = 12) -> None:
        async with asyncio.timeout(timeout_s):
            while not holds():
                await asyncio.sleep(0.02)

    async def until_pictures(self, camera_id: int, count: int = 3) -> None:
        began_at = time.time()
        await self.until(lambda: len(self.of(camera_id, began_at)) >= count)

    async def until_fault(self, camera_id: int, code: str) -> Standing:
        await self.until(lambda: self.standing(camera_id).code == code)
        return self.standing(camera_id)

    def standing(self, camera_id: int) -> Standing:
        return problems.read(camera_id) or Standing("", "", "", 0)


@pytest.fixture
async def pulled(valkey: str) -> AsyncIterator[Pulled]:
    pulled = Pulled()
    yield pulled
    await pulled.follow()
    ticker = node.receiver()._ticker
    if ticker:
        ticker.cancel()


def wanted(camera_id: int, server: Camera, **changes: object) -> Wanted:
    return Wanted(**{"camera_id": camera_id, "slug": f"c{camera_id}", "source": server.url(), "fps": FPS, **changes})  # type: ignore[arg-type]


def readers() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "cameras.pull.reader" in " ".join(child.cmdline())]


async def test_pictures_come_into_ring_and_log_in_order(pulled: Pulled) -> None:
    with camera(lambda it: it.play(PICTURES)) as server:
        await pulled.follow(wanted(1, server))
        await pulled.until_pictures(1, 10)
    entries = [entry for entry in Spool(folders.of(1)).after(0) if entry.kind in VERDICTS]
    assert [entry.seq for entry in entries] == sorted({entry.seq for entry in entries})
    assert len({entry.stream for entry in entries}) == 1
    assert {frame.jpeg for frame in pulled.frames} <= set(PICTURES)
    times = [frame.captured_at for frame in pulled.frames]
    assert times == sorted(times)
    assert 0.05 < (times[-1] - times[0]) / (len(times) - 1) < 0.2
    assert pulled.standing(1).state == "pictures"


async def test_a_camera_that_goes_takes_its_reader_and_its_state_along(pulled: Pulled) -> None:
    with camera(lambda it: it.play(PICTURES)) as server:
        await pulled.follow(wanted(1, server))
        await pulled.until_pictures(1)
        assert len(readers()) == 1
        await pulled.follow()
        assert readers() == []
        assert problems.read(1) is None


async def test_another_address_or_mask_makes_another_reader_and_another_rate_does_not(pulled: Pulled) -> None:
    with camera(lambda it: it.play(PICTURES)) as server, camera(lambda it: it.play(PICTURES)) as other:
        await pulled.follow(wanted(1, server))
        await pulled.until_pictures(1)
        first = readers()[0].pid
        await pulled.follow(wanted(1, server, fps=20))
        await pulled.until_pictures(1)
        assert readers()[0].pid == first
        await pulled.follow(wanted(1, other, fps=20))
        await pulled.until(lambda: other.connections > 0)
        second = readers()[0].pid
        assert second != first
        left = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
        await pulled.follow(wanted(1, other, masks=Masks(1, (left,))))
        await pulled.until(lambda: pulled.frames[-1].mask_version == 1)
        assert readers()[0].pid != second


async def test_a_reader_that_is_killed_is_started_again(pulled: Pulled) -> None:
    with camera(lambda it: it.play(PICTURES)) as server:
        await pulled.follow(wanted(1, server))
        await pulled.until_pictures(1)
        readers()[0].kill()
        assert (await pulled.until_fault(1, "crashed")).detail == "SIGKILL"
        await pulled.until_pictures(1)
        assert pulled.standing(1).state == "pictures"
        assert len({frame.stream for frame in pulled.frames}) == 1


async def test_a_reader_that_is_stuck_is_ended(pulled: Pulled) -> None:
    with camera(lambda it: it.play(PICTURES)) as server:
        await pulled.follow(wanted(1, server))
        await pulled.until_pictures(1)
        os.kill(readers()[0].pid, signal.SIGSTOP)
        assert (await pulled.until_fault(1, "silent")).state == "failed"
        await pulled.until_pictures(1)


async def test_what_is_no_picture_is_said_although_it_is_whole_by_its_ends(pulled: Pulled) -> None:
    broken = PICTURES[0][:600] + b"\xff\x00\xff\xc5" + PICTURES[0][600:]
    with camera(lambda it: it.play([broken])) as server:
        await pulled.follow(wanted(1, server))
        assert (await pulled.until_fault(1, "not_a_picture")).state == "failed"
        server.handler = lambda it: it.play(PICTURES)


async def test_the_time_of_a_fault_stands_while_it_lasts(pulled: Pulled) -> None:
    with camera(lambda it: it.answer("404 Not Found")) as server:
        await pulled.follow(wanted(1, server))
        since = (await pulled.until_fault(1, "not_found")).since
        connections = server.connections
        await pulled.until(lambda: server.connections > connections + 1)
        assert pulled.standing(1).since == since


async def test_the_newest_picture_wins_when_the_gate_is_slow(pulled: Pulled, monkeypatch: pytest.MonkeyPatch) -> None:
    judge = node.Receiver.judge

    def slowly(self: node.Receiver, frame: Frame, slug: str) -> node.Answer:
        time.sleep(0.4)
        return judge(self, frame, slug)

    monkeypatch.setattr(node.Receiver, "judge", slowly)
    with camera(lambda it: it.play(PICTURES)) as server:
        await pulled.follow(wanted(1, server, fps=25))
        await pulled.until_pictures(1, 5)
    lags = [later.received_at - earlier.received_at for earlier, later in pairwise(pulled.frames)]
    assert min(lags) > 0.3  # Those between were replaced, and none waits for longer than one takes.
    assert time.time() - pulled.frames[-1].received_at < 1.5


# --- One bad camera among three ---


def silent(it: Connection) -> None:
    it.be_silent()


def half(it: Connection) -> None:
    it.stream()
    it.send(b"--frame\r\nContent-Type: image/jpeg\r\n\r\n" + PICTURES[1][:1_000])
    it.be_silent()


def wrong_boundary(it: Connection) -> None:
    it.stream("announced")
    while not it.stopping.wait(0.05):
        it.send(b"--another\r\nContent-Type: text/plain\r\n\r\n" + b"nothing" * 3_000)


def flood(it: Connection) -> None:
    it.stream()
    part = b"--frame\r\nContent-Type: image/jpeg\r\n\r\n" + PICTURES[0] + b"\r\n"
    data = part * (100_000 // len(part))
    began_at, sent = time.monotonic(), 0
    while not it.stopping.is_set():
        it.send(data)
        sent += len(data)
        it.stopping.wait(max(0.0, sent / 12_500_000 - (time.monotonic() - began_at)))


WATCHED_S = 4.0
STALLED = 4  # Pictures that a machine which runs other tests as well may swallow.

FAULTS: dict[str, tuple[Callable[[Connection], object], str]] = {
    "silent": (silent, "silent"),
    "half a picture": (half, "silent"),
    "wrong boundary": (wrong_boundary, "wrong_boundary"),
    "404": (lambda it: it.answer("404 Not Found"), "not_found"),
    "401": (lambda it: it.answer("401 Unauthorized"), "unauthorized"),
    "redirects": (lambda it: it.answer("302 Found", Location="/again"), "redirect_loop"),
    "to itself": (lambda it: it.answer("302 Found", Location="http://[::1]/"), "address_not_allowed"),
    "flood": (flood, ""),
}


@asynccontextmanager
async def neighbours(pulled: Pulled, bad: Camera) -> AsyncIterator[None]:
    """Cameras 2 and 3 keep their rate, without a gap, while the body runs."""
    with ExitStack() as stack:
        good = [stack.enter_context(camera(lambda it: it.play(PICTURES))) for _each in range(2)]
        cameras = [wanted(number, server) for number, server in enumerate([bad, *good], 1)]
        await pulled.follow(*cameras)
        await pulled.until(lambda: len(pulled.of(2)) > 3 and len(pulled.of(3)) > 3)
        began_at = time.time()
        yield
        await asyncio.sleep(max(0.0, began_at + WATCHED_S - time.time()))  # Long enough for a rate.
        ended_at = time.time()
        for number in (2, 3):
            times = [began_at, *(frame.received_at for frame in pulled.of(number, began_at)), ended_at]
            gaps = [later - earlier for earlier, later in pairwise(times)]
            assert max(gaps) < 1.0, f"camera {number}"
            assert len(times) - 2 >= 0.95 * FPS * (ended_at - began_at) - STALLED, f"camera {number}"


@pytest.mark.alone
@pytest.mark.parametrize("name", FAULTS)
async def test_a_bad_camera_says_what_is_wrong_is_back_soon_and_touches_no_neighbour(pulled: Pulled, name: str) -> None:
    handler, code = FAULTS[name]
    with camera(lambda it: it.play(PICTURES)) as bad:
        async with neighbours(pulled, bad):
            await pulled.until_pictures(1)
            bad.handler = handler  # type: ignore[assignment]
            for raw in list(bad._open):
                raw.shutdown(2)
            if code:
                await pulled.until_fault(1, code)
            else:
                await asyncio.sleep(2)
            healed_at = time.monotonic()
            bad.handler = lambda it: it.play(PICTURES)
            await pulled.until_pictures(1)
            assert time.monotonic() - healed_at < 15
            assert pulled.standing(1).state == "pictures"


@pytest.mark.alone
async def test_a_server_that_is_killed_and_comes_back(pulled: Pulled) -> None:
    with camera(lambda it: it.play(PICTURES)) as bad:
        async with neighbours(pulled, bad):
            await pulled.until_pictures(1)
            bad.close()
            await pulled.until_fault(1, "refused")
            with camera(lambda it: it.play(PICTURES), port=bad.port):
                await pulled.until_pictures(1)
