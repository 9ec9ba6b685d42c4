"""Pulled cameras' pictures in the web process: told through Valkey, read from the ring, while somebody looks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from pytest_django import Settings

from cameras import bell, live, relay
from cameras.frames import Frame
from cameras.relay import MOST_UNTOLD, Teller
from cameras.ring import Ring
from tests.build import make_frame

CAMERA = 7


@pytest.fixture(autouse=True)
def nothing_seen() -> Iterator[None]:
    live._cameras.clear()
    yield
    live._cameras.clear()


@pytest.fixture
async def teller(valkey: str) -> AsyncIterator[Teller]:
    teller = Teller(valkey)
    running = asyncio.create_task(teller.run())
    yield teller
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def kept(seq: int) -> Frame:
    """A frame in the camera's ring, as ingest leaves it."""
    frame = make_frame(seq, time.time(), camera_id=CAMERA, received_at=time.time())
    Ring(relay.ring_of(CAMERA), max_bytes=10**6).put(frame)
    return frame


async def until(holds: Callable[[], object], timeout_s: float = 5) -> None:
    async with asyncio.timeout(timeout_s):
        while not holds():
            await asyncio.sleep(0.02)


def listeners() -> int:
    counted = bell.connection().pubsub_numsub(relay.channel())
    return int(counted[0][1])


async def test_a_viewer_gets_the_pictures_of_another_process(teller: Teller) -> None:
    seen: list[tuple[Frame, bool]] = []

    def listener(frame: Frame, admitted: bool) -> None:
        seen.append((frame, admitted))

    live.subscribe(CAMERA, listener)
    await until(lambda: listeners() == 1)
    frames = [kept(seq) for seq in range(1, 4)]
    for frame in frames:
        teller.tell(frame, admitted=frame.seq == 2)
    await until(lambda: len(seen) == 3)
    assert seen == [(frame, frame.seq == 2) for frame in frames]
    assert live.newest(CAMERA) == frames[-1]
    live.unsubscribe(CAMERA, listener)


async def test_nothing_is_read_for_a_camera_that_nobody_watches(teller: Teller) -> None:
    seen: list[Frame] = []
    live.subscribe(CAMERA + 1, lambda frame, _admitted: seen.append(frame))
    await until(lambda: listeners() == 1)
    teller.tell(kept(1), admitted=True)
    await asyncio.sleep(0.2)
    assert seen == []
    assert not live._cameras[CAMERA].frames


async def test_a_picture_that_the_ring_has_given_up_is_passed_by(teller: Teller) -> None:
    seen: list[int] = []
    live.subscribe(CAMERA, lambda frame, _admitted: seen.append(frame.seq))
    await until(lambda: listeners() == 1)
    gone = kept(1)
    Ring(relay.ring_of(CAMERA), max_bytes=10**6).prune(older_than=time.time() + 1)
    teller.tell(gone, admitted=False)
    teller.tell(kept(2), admitted=False)
    await until(lambda: seen)
    assert seen == [2]


async def test_it_listens_no_longer_when_nobody_watches(teller: Teller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "IDLE_S", 0.1)

    def listener(frame: Frame, admitted: bool) -> None: ...

    live.subscribe(CAMERA, listener)
    await until(lambda: listeners() == 1)
    live.unsubscribe(CAMERA, listener)
    await until(lambda: listeners() == 0)
    live.subscribe(CAMERA, listener)
    await until(lambda: listeners() == 1)
    live.unsubscribe(CAMERA, listener)


async def test_without_valkey_nothing_waits_and_little_is_kept(settings: Settings) -> None:
    teller = Teller("unix:///nowhere.sock")
    running = asyncio.create_task(teller.run())
    for seq in range(3 * MOST_UNTOLD):
        teller.tell(make_frame(seq), admitted=False)
    await asyncio.sleep(0.05)
    assert teller._untold.qsize() <= MOST_UNTOLD
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def test_the_newest_picture_is_in_the_ring_where_nobody_watches() -> None:
    assert live.newest(CAMERA) is None
    kept(1)
    frame = kept(2)
    found = live.newest(CAMERA)
    assert found
    assert (found.jpeg, found.stream, found.seq) == (frame.jpeg, frame.stream, frame.seq)
    assert found.captured_at == pytest.approx(frame.captured_at, abs=1e-5)
    assert found.received_at == pytest.approx(frame.received_at, abs=1)
