"""Streams within the process: one drawing for all viewers, newest first, silence, rights, and nothing left behind."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

import numpy as np
import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.db import OperationalError, connections
from prometheus_client import REGISTRY
from pytest_django import Settings

from accounts.notices import RIGHTS_CHANGED, camera_group, user_group
from cameras import images, live
from cameras.frames import Frame
from cameras.models import Camera
from cameras.pull import problems
from cameras.pull.problems import Standing
from detections import annotate, scenes, sight, stream
from detections.stream import Full, Viewer, hub
from tests.build import STREAM

pytestmark = pytest.mark.django_db(transaction=True)
SIZE = (320, 224)
USER = 7
SOON_S = 5.0


@pytest.fixture(autouse=True)
async def _fast(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> AsyncIterator[None]:
    """Waits are short, except that rights are looked at only when a notice comes."""
    for name, seconds in {"PLATE_EVERY_S": 0.1, "LINGER_S": 0.05, "GLIMPSE_S": 0.3}.items():
        monkeypatch.setattr(stream, name, seconds)
    monkeypatch.setattr(scenes, "BOXES_WAIT_S", 0.1)
    settings.SOCKET_RECHECK_S = 60.0
    settings.SILENT_S = 0.4
    settings.TARGET_FPS = 25.0
    yield
    await until(lambda: not listeners())
    assert hub()._channels == {}
    live._cameras.clear()
    await sync_to_async(connections.close_all)()


def listeners() -> list[Any]:
    return [listener for camera in live._cameras.values() for listener in camera.listeners]


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON_S):
        while not holds():
            await asyncio.sleep(0.01)


def grey(shade: int) -> bytes:
    return images.encode_jpeg(np.full((240, 320, 3), shade, np.uint8))


def publish(camera: Camera, seq: int, *, shade: int = 100, admitted: bool = False) -> None:
    at = time.time()
    live.publish(Frame(camera.pk, STREAM, seq, at, at, grey(shade)), admitted=admitted)


def drawn(camera: Camera) -> float:
    return REGISTRY.get_sample_value("omil_drawn_total", {"camera": str(camera.pk)}) or 0.0


class Reader:
    """Somebody who reads a stream; a slow one takes so long over each part."""

    def __init__(self, viewer: Viewer, *, pause_s: float = 0.0) -> None:
        self.viewer = viewer
        self.pictures: list[images.Picture] = []
        self._pause_s = pause_s
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async with aclosing(self.viewer.parts()) as parts:
            assert await anext(parts) == b"--omil-picture\r\n"
            async for part in parts:
                head, _, rest = part.partition(b"\r\n\r\n")
                assert rest.endswith(b"\r\n--omil-picture\r\n")
                jpeg = rest.removesuffix(b"\r\n--omil-picture\r\n")
                assert head == b"Content-Type: image/jpeg\r\nContent-Length: %d" % len(jpeg)
                self.pictures.append(images.decode_bgr(jpeg))
                await asyncio.sleep(self._pause_s)

    @property
    def shades(self) -> list[int]:
        """How bright each picture was in its middle."""
        return [round(float(picture[100:120, 150:170].mean())) for picture in self.pictures]

    @property
    def is_over(self) -> bool:
        return self._task.done()

    async def leave(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def seen(count: int, *readers: Reader) -> None:
    await until(lambda: all(len(reader.pictures) >= count for reader in readers))


class Audience:
    """Readers of one camera; they all leave at the end."""

    def __init__(self, camera: Camera) -> None:
        self.camera = camera
        self.readers: list[Reader] = []

    def join(
        self, size_wh: tuple[int, int] = SIZE, *, prove: Callable[[], bool] = lambda: True, pause_s: float = 0.0
    ) -> Reader:
        reader = Reader(hub().join(self.camera.pk, size_wh, user_id=USER, prove=prove), pause_s=pause_s)
        self.readers.append(reader)
        return reader


@pytest.fixture
async def audience(camera_x: Camera) -> AsyncIterator[Audience]:
    audience = Audience(camera_x)
    yield audience
    for reader in audience.readers:
        await reader.leave()


# --- Pictures


async def test_fifty_viewers_cost_one_drawing_per_frame_and_size(camera_x: Camera, audience: Audience) -> None:
    publish(camera_x, 0, shade=20)
    readers = [audience.join() for _ in range(40)]
    stalled = [audience.join(pause_s=60) for _ in range(10)]
    await seen(1, *readers, *stalled)
    before = drawn(camera_x)
    for seq in range(1, 11):
        publish(camera_x, seq, shade=20 + 20 * seq)
        await seen(seq + 1, *readers)
    assert drawn(camera_x) - before == 10
    assert {tuple(reader.shades) for reader in readers} == {tuple(range(20, 221, 20))}
    assert {tuple(reader.shades) for reader in stalled} == {(20,)}
    other = audience.join((640, 480))
    await seen(1, other)
    assert drawn(camera_x) - before == 11
    assert other.pictures[0].shape == (480, 640, 3)


async def test_a_slow_viewer_gets_the_newest_next(camera_x: Camera, audience: Audience) -> None:
    publish(camera_x, 0, shade=0)
    slow, fast = audience.join(pause_s=0.3), audience.join()
    await seen(1, slow, fast)
    for seq in range(1, 6):
        publish(camera_x, seq, shade=40 * seq)
        await seen(seq + 1, fast)
    await seen(2, slow)
    assert fast.shades == [0, 40, 80, 120, 160, 200]
    assert slow.shades == [0, 200]


async def test_boxes_come_from_the_channel_layer_and_are_drawn_on_their_own_frame(
    camera_x: Camera, audience: Audience
) -> None:
    publish(camera_x, 0, shade=60)
    reader = audience.join()
    await seen(1, reader)
    publish(camera_x, 1, shade=100, admitted=True)
    box = {"track": 1, "visit": "v", "xyxy": [0.25, 0.25, 0.75, 0.75], "confidence": 0.9}
    tracks = {"stream": STREAM, "seq": 1, "captured_at": 1.0, "boxes": [box]}
    message = {"type": "camera.frame", "camera": "x", "stream": STREAM, "tracks": tracks, "visits": []}
    await get_channel_layer().group_send(camera_group(camera_x.pk), message)
    await seen(2, reader)
    publish(camera_x, 2, shade=140, admitted=True)  # Nobody says what is in it.
    await seen(3, reader)
    assert reader.shades == [60, 100, 140]
    # The picture, 4 to 3, lies in the middle, 299 pixels wide; its box begins at a quarter of that.
    corner = [picture[52:60, 82:90].reshape(-1, 3).astype(int) for picture in reader.pictures]
    distance = [int(np.abs(pixels - np.array(annotate.BOX)).sum(axis=1).min()) for pixels in corner]
    assert distance[1] < 60
    assert min(distance[0], distance[2]) > 100


async def test_a_picture_that_cannot_be_drawn_ends_nobodys_stream(camera_x: Camera, audience: Audience) -> None:
    reader = audience.join()
    await seen(1, reader)
    live.publish(Frame(camera_x.pk, STREAM, 1, time.time(), time.time(), b"\xff\xd8\xff no picture"), admitted=False)
    await asyncio.sleep(0.05)
    publish(camera_x, 2, shade=200)
    await until(lambda: 200 in reader.shades)


async def test_pictures_are_drawn_only_while_somebody_watches(camera_x: Camera, audience: Audience) -> None:
    publish(camera_x, 0)
    reader = audience.join()
    await seen(1, reader)
    await reader.leave()
    before = drawn(camera_x)
    publish(camera_x, 1)
    await until(lambda: not listeners())
    publish(camera_x, 2)
    await asyncio.sleep(0.05)
    assert drawn(camera_x) == before


async def test_what_was_shown_before_a_change_of_the_camera_is_shown_to_nobody_any_more(
    camera_x: Camera, audience: Audience
) -> None:
    publish(camera_x, 1, shade=60)
    reader = audience.join()
    await seen(1, reader)
    publish(camera_x, 2, shade=100, admitted=True)  # It waits for its boxes.
    live.forget(camera_x.pk)
    await get_channel_layer().group_send(camera_group(camera_x.pk), {"type": RIGHTS_CHANGED})
    await asyncio.sleep(0.05)
    late = audience.join()
    await asyncio.sleep(0.15)
    assert late.pictures == []
    publish(camera_x, 3, shade=140)
    await seen(1, late)
    assert (reader.shades, late.shades) == ([60, 140], [140])


# --- Silence


async def test_a_silent_camera_shows_its_plate_at_once_and_again(camera_x: Camera, audience: Audience) -> None:
    reader = audience.join()
    await seen(3, reader)
    assert drawn(camera_x) == 1  # It is the same all the while.
    assert all((picture == reader.pictures[0]).all() for picture in reader.pictures)
    late = audience.join()
    await seen(1, late)
    publish(camera_x, 1, shade=200)
    await until(lambda: reader.shades[-1] == 200 and late.shades[-1] == 200)
    await until(lambda: reader.shades[-1] < 100)
    publish(camera_x, 2, shade=220)
    await until(lambda: reader.shades[-1] == 220)


async def test_a_plate_says_since_when_in_the_sites_language_and_zone(camera_x: Camera, settings: Settings) -> None:
    from zoneinfo import ZoneInfo

    settings.PICTURE_ZONE = ZoneInfo("Asia/Seoul")
    at = time.time() - 60
    found = await sync_to_async(sight.look)(camera_x.pk)
    assert found
    assert found.plate == sight.Plate("Gate X", "No picture yet")
    live.publish(Frame(camera_x.pk, STREAM, 1, 1_700_000_000.25, at, grey(1)), admitted=False)
    found = await sync_to_async(sight.look)(camera_x.pk)
    assert found
    assert (found.newest, found.plate.line) == (None, "No picture since 2023-11-15 07:13:20 KST")
    await Camera.objects.aupdate(kind="pull", source="rtsp://10.0.0.9/")
    await sync_to_async(problems.write)(camera_x.pk, Standing("failed", "refused", "10.0.0.9 said no", at))
    found = await sync_to_async(sight.look)(camera_x.pk)
    assert found
    assert found.plate.reason == "The connection is refused: the camera is off, or listens on another port."
    settings.LANGUAGE_CODE = "ko"
    await Camera.objects.aupdate(is_enabled=False)
    found = await sync_to_async(sight.look)(camera_x.pk)
    assert found
    assert (found.plate.line, found.plate.reason) == ("꺼짐", "")


# --- Sizes


async def test_a_camera_is_shown_in_three_sizes_at_once(camera_x: Camera, audience: Audience) -> None:
    first, *_others = [audience.join((size, 64)) for size in (64, 96, 128)]
    with pytest.raises(Full, match="in 3 sizes already: 64x64, 96x64, 128x64"):
        audience.join((160, 64))
    audience.join((64, 64))
    await seen(1, first)
    await first.leave()
    with pytest.raises(Full):
        audience.join((160, 64))
    await audience.readers[-1].leave()
    audience.join((160, 64))


async def test_a_viewer_that_never_reads_gives_its_place_back(
    camera_x: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "START_S", 0.05)
    viewer = hub().join(camera_x.pk, SIZE, user_id=USER, prove=lambda: True)
    channel = viewer.channel
    await until(lambda: not channel.renderings)
    assert [part async for part in viewer.parts()] == [b"--omil-picture\r\n"]


async def test_there_is_a_most_of_viewers(
    camera_x: Camera, audience: Audience, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "MOST_VIEWERS", 2)
    audience.join()
    audience.join()
    with pytest.raises(Full, match="2 streams are open already"):
        audience.join()


# --- Rights


@pytest.mark.parametrize("group", ["camera", "user", "timer"])
async def test_a_stream_ends_with_its_rights_and_nobody_elses(
    camera_x: Camera, audience: Audience, settings: Settings, group: str
) -> None:
    allowed = [True]
    if group == "timer":
        settings.SOCKET_RECHECK_S = 0.1
    ending, staying = audience.join(prove=lambda: allowed[0]), audience.join()
    await seen(1, ending)
    allowed[0] = False
    if group != "timer":
        name = camera_group(camera_x.pk) if group == "camera" else user_group(USER)
        await get_channel_layer().group_send(name, {"type": RIGHTS_CHANGED})
    await until(lambda: ending.is_over)
    assert not staying.is_over


async def test_a_database_out_of_reach_ends_no_stream(camera_x: Camera, audience: Audience, settings: Settings) -> None:
    settings.SOCKET_RECHECK_S = 0.02
    looks = []

    def fail() -> bool:
        looks.append(1)
        raise OperationalError("gone")

    reader = audience.join(prove=fail)
    await until(lambda: len(looks) > 3)
    assert not reader.is_over


async def test_streams_end_with_their_camera(camera_x: Camera, audience: Audience) -> None:
    reader = audience.join()
    await seen(1, reader)
    await camera_x.adelete()
    await until(lambda: reader.is_over)


# --- A glimpse


async def test_a_glimpse_waits_for_the_boxes_of_the_next_frame(camera_x: Camera) -> None:
    publish(camera_x, 0)
    asked = asyncio.create_task(hub().glimpse(camera_x.pk))
    await asyncio.sleep(0.05)
    assert not asked.done()
    publish(camera_x, 1)
    scene = await asked
    assert scene is not None
    assert (scene.frame.seq, scene.name) == (1, "Gate X")


async def test_a_glimpse_does_without_and_of_a_silent_camera_there_is_none(camera_x: Camera, camera_y: Camera) -> None:
    publish(camera_x, 3)
    scene = await hub().glimpse(camera_x.pk)
    assert scene is not None
    assert scene.frame.seq == 3
    assert await hub().glimpse(camera_y.pk) is None
