"""Annotated streams from the real server: fifty viewers, ten of them stalled, native clients, tokens and the log."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import cv2
import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.asyncio.client import connect

from cameras import images
from tests.flow.post import HELLO, Line, Pulse
from tests.flow.web import Web

pytestmark = pytest.mark.timeout(120)

METRICS = "a token for the metrics"
VIEWERS, STALLED = 50, 10
WINDOW_S = 6.0
SEED = """
from accounts.models import Membership, Role, Unit, User
from cameras import enrolment, tokens
from cameras.models import Camera
unit = Unit.objects.create(name="Harbour")
camera = Camera.objects.create(name="정문 초소", unit=unit)
device = enrolment.redeem(enrolment.create(camera, by=None).url.rstrip("/").rsplit("/", 1)[1])
user = User.objects.create_user("odette", password="x", is_approved=True)
Membership.objects.create(user=user, unit=unit, role=Role.OPERATOR)
told = {
    "id": camera.pk,
    "slug": camera.slug,
    "cookie": f"{enrolment.cookie_name(camera.pk)}={device.token}",
    "tokens": [tokens.issue(user, f"Screen {n}")[1] for n in range(3)],
}
"""
REVOKE = """
from cameras import tokens
from cameras.models import Token
token = Token.objects.get(name="{name}")
told = tokens.revoke(token)
"""


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, valkey: str) -> Iterator[Web]:
    env = {"OMIL_METRICS_TOKEN": METRICS, "OMIL_LOG_LEVEL": "DEBUG", "OMIL_SOCKET_RECHECK_S": "60"}
    with Web(tmp_path_factory.mktemp("streams") / "var", redis_url=valkey, env=env) as running:
        yield running


@pytest.fixture(scope="module")
def told(web: Web) -> dict[str, Any]:
    seeded: dict[str, Any] = web.seed(SEED)
    return seeded


def address(web: Web, told: dict[str, Any], query: str = "", *, token: int = 0, page: str = "stream.mjpg") -> str:
    return f"{web.url}/cameras/{told['slug']}/{page}?token={told['tokens'][token]}{query}"


@asynccontextmanager
async def pulse(web: Web, told: dict[str, Any]) -> AsyncIterator[Pulse]:
    """A guard post's browser that sends ten pictures a second."""
    url = f"ws://localhost:{web.port}/ws/capture/{told['slug']}/"
    async with connect(url, additional_headers={"Cookie": told["cookie"]}, max_size=None) as socket:
        line = Line(socket)
        await line.send(HELLO)
        assert (await line.hear())["type"] == "welcome"
        async with Pulse(line) as beating:
            yield beating


async def drawn(web: Web, told: dict[str, Any]) -> float:
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {METRICS}"}) as client:
        text = (await client.get(f"{web.url}/metrics")).raise_for_status().text
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "omil_drawn_total" and sample.labels["camera"] == str(told["id"]):
                return sample.value
    return 0.0


class Viewer:
    """Reads a stream as plain bytes and counts its pictures; a stalled one reads nothing after the first."""

    def __init__(self, url: str, *, is_stalled: bool = False) -> None:
        self.url = httpx.URL(url)
        self.is_stalled = is_stalled
        self.count = 0
        self.last = b""
        self.times: list[float] = []
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.url.port
        reader, writer = await asyncio.open_connection("localhost", self.url.port, limit=65_536)
        try:
            target = self.url.raw_path.decode()
            writer.write(f"GET {target} HTTP/1.0\r\nHost: localhost:{self.url.port}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.split()[1] == b"200", head
            assert b"multipart/x-mixed-replace; boundary=omil-picture" in head
            await reader.readuntil(b"--omil-picture\r\n")
            while True:
                part = await reader.readuntil(b"\r\n\r\n")
                size = int(part.lower().split(b"content-length:")[1].split()[0])
                self.last = await reader.readexactly(size)
                assert await reader.readexactly(18) == b"\r\n--omil-picture\r\n"
                self.count += 1
                self.times.append(time.monotonic())
                if self.is_stalled:
                    await asyncio.Event().wait()
        finally:
            writer.transport.abort()


async def wait(holds: Any, timeout_s: float = 15.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not holds():
            await asyncio.sleep(0.02)


async def test_of_fifty_viewers_ten_are_stalled_and_the_others_get_every_picture(
    web: Web, told: dict[str, Any]
) -> None:
    url = address(web, told, "&width=480&height=320")
    viewers = [Viewer(url, is_stalled=n < STALLED) for n in range(VIEWERS)]
    watching = viewers[STALLED:]
    try:
        async with pulse(web, told) as source:
            # Until the stalled ones' buffers are full and everybody has seen something.
            await wait(lambda: all(viewer.count for viewer in viewers) and len(source.beats) > 30)
            for _chance in range(3):
                sent, before, memory = len(source.beats), await drawn(web, told), web.memory
                counts = [viewer.count for viewer in watching]
                await asyncio.sleep(WINDOW_S)
                sent, count = len(source.beats) - sent, await drawn(web, told) - before
                got = [viewer.count - count for viewer, count in zip(watching, counts, strict=True)]
                growth = web.memory - memory
                assert count <= sent + 3, "more was drawn than came"
                assert growth < 15_000_000
                if min(got) >= 0.95 * sent and count >= 0.95 * sent:
                    break
            else:
                pytest.fail(f"of {sent} pictures the slowest viewer got {min(got)}, and {count:g} were drawn")
            assert {viewer.count for viewer in viewers[:STALLED]} == {1}
            assert not any(viewer.task.done() for viewer in viewers)
    finally:
        for viewer in viewers:
            viewer.task.cancel()
        await asyncio.gather(*(viewer.task for viewer in viewers), return_exceptions=True)


async def test_native_clients_read_it_with_a_token_in_the_address(web: Web, told: dict[str, Any]) -> None:
    def by_opencv() -> list[tuple[int, ...]]:
        capture = cv2.VideoCapture(address(web, told), cv2.CAP_FFMPEG)
        assert capture.isOpened()
        try:
            return [capture.read()[1].shape for _ in range(12)]
        finally:
            capture.release()

    async with pulse(web, told):
        assert set(await asyncio.to_thread(by_opencv)) == {(640, 960, 3)}
        command = ["ffmpeg", "-v", "error", "-i", address(web, told, "&width=320&height=224"), "-frames:v", "12"]
        ffmpeg = await asyncio.create_subprocess_exec(
            *command, "-f", "framemd5", "-", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, errors = await asyncio.wait_for(ffmpeg.communicate(), 30)
        assert ffmpeg.returncode == 0, errors
        assert b"dimensions 0: 320x224" in out
        assert len([line for line in out.splitlines() if not line.startswith(b"#")]) >= 10


async def test_a_stream_shows_a_silent_camera_at_once_and_ends_with_its_token(web: Web, told: dict[str, Any]) -> None:
    await asyncio.sleep(3.5)  # The camera is silent by then.
    began = time.monotonic()
    viewer, other = (Viewer(address(web, told, token=n)) for n in (1, 2))
    try:
        await wait(lambda: viewer.count and other.count)
        assert viewer.times[0] - began < 2
        plate = images.decode_bgr(viewer.last)
        assert plate.shape == (640, 960, 3)
        assert plate.mean() < 60
        await wait(lambda: viewer.count >= 2)
        assert await asyncio.to_thread(web.seed, REVOKE.format(name="Screen 1"))
        await wait(lambda: viewer.task.done(), 3)  # By the notice: the timer would take a minute.
        assert isinstance(viewer.task.exception(), asyncio.IncompleteReadError)
        assert not other.task.done()
    finally:
        for each in (viewer, other):
            each.task.cancel()
        await asyncio.gather(viewer.task, other.task, return_exceptions=True)
    assert httpx.get(address(web, told, token=1)).status_code == 401


async def test_a_fourth_size_is_refused_until_one_is_free(web: Web, told: dict[str, Any]) -> None:
    viewers = [Viewer(address(web, told, f"&width={width}")) for width in (320, 640, 960)]
    fourth = address(web, told, "&width=1280")
    try:
        await wait(lambda: all(viewer.count for viewer in viewers))
        async with httpx.AsyncClient() as client:
            refused = await client.get(fourth)
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "10")
            assert "320x224, 640x416, 960x640" in refused.text
            viewers[0].task.cancel()
            async with asyncio.timeout(5):
                while (await client.head(fourth)).status_code != 200 or not await _opens(client, fourth):
                    await asyncio.sleep(0.1)
    finally:
        for viewer in viewers:
            viewer.task.cancel()
        await asyncio.gather(*(viewer.task for viewer in viewers), return_exceptions=True)


async def _opens(client: httpx.AsyncClient, url: str) -> bool:
    async with client.stream("GET", url) as response:
        return response.status_code == 200


def test_no_token_is_in_the_log(web: Web, told: dict[str, Any]) -> None:
    secret = told["tokens"][0]
    for path in ("snapshot.jpg", "stream.mjpg", "nothing.jpg"):
        httpx.get(address(web, told, "&width=1", page=path))
    httpx.get(f"{web.url}/cameras/nobody/snapshot.jpg", headers={"Authorization": f"Bearer {secret}"})
    httpx.get(f"{web.url}/cameras/{told['slug']}/stream.mjpg?token={secret}%ff")
    log = web.log.read_text()
    assert "Not Found" in log
    assert not any(token[5:] in log for token in told["tokens"])
