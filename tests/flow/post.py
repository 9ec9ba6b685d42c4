"""Guard posts of a running product as a test makes and speaks them: message by message, good ones and bad ones."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self

import cv2
import numpy as np
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin

from cameras.frames import HEADER
from tests.build import STREAM
from tests.product import Product

PULSE_S = 0.1
SLOWER, SLACK_S = 3, 0.02  # What a neighbour may notice of somebody else's nonsense.
PATIENCE_S = 20.0  # For an answer that must come; how fast it comes is measured elsewhere.
GOOD = {"admitted", "no_motion", "no_person", "busy"}  # What a frame in order may be answered.
MAKE = """
import json
from accounts.models import Unit
from cameras import enrolment
from cameras.models import Camera
made = []
for name in {names!r}:
    camera = Camera.objects.create(name=name, unit=Unit.objects.get_or_create(name={unit!r})[0])
    redeemed = enrolment.redeem(enrolment.create(camera, by=None).url.rstrip("/").rsplit("/", 1)[1])
    cookies = {{enrolment.cookie_name(camera.pk): redeemed.token}}
    made.append([camera.pk, camera.slug, redeemed.device.pk, cookies])
print("made", json.dumps(made))
"""


def hello(**changes: object) -> str:
    return json.dumps({"type": "hello", "protocol": 1, "stream": STREAM, **changes})


HELLO = hello()


@dataclass(frozen=True, slots=True)
class Post:
    """A camera, and the browser that is enrolled as it."""

    id: int
    slug: str
    device_id: int
    cookies: dict[str, str]


def picture(shade: int = 0, size_wh: tuple[int, int] = (640, 480)) -> bytes:
    """A JPEG of an empty scene with some texture."""
    width, height = size_wh
    noise = np.random.default_rng(1).integers(60, 190, (height // 8 + 1, width // 8 + 1, 3), np.uint8)
    scene = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    scene[: height // 60 + 1, : width // 60 + 1] = shade
    return cv2.imencode(".jpg", scene, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()


def frame(seq: int, jpeg: bytes, captured_at: float | None = None, *, version: int = 1, codec: int = 0) -> bytes:
    return HEADER.pack(version, codec, 0, seq, time.time() if captured_at is None else captured_at) + jpeg


class Site:
    """A running product, with what a test looks at from outside."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self.admin = product.logged_in()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.admin.close()

    def posts(self, *names: str, unit: str = "Main") -> list[Post]:
        told = self.product.manage("shell", "-v", "0", "-c", MAKE.format(names=names, unit=unit))
        return [Post(*made) for made in json.loads(told.rsplit("made", 1)[1])]

    @property
    def web(self) -> psutil.Process:
        return self.product.processes("web")[0]

    def metric(self, name: str, *, by: str = "reason", **labels: str) -> dict[str, float]:
        """The samples of this name with these labels, by another label (an empty key where there is none)."""
        found: dict[str, float] = {}
        for family in text_string_to_metric_families(self.admin.get("/metrics").raise_for_status().text):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    key = sample.labels.get(by, "")
                    found[key] = found.get(key, 0) + sample.value
        return found

    def query(self, sql: str, *values: object) -> list[Any]:
        """Reads or changes the product's database behind its back."""
        return self.product.query(sql, *values)

    def coverage(self, post: Post) -> dict[str, int]:
        """The counts of all minutes of the camera together."""
        names = ("received", "invalid", "busy", "no_motion", "no_person", "admitted", "analysed", "waiting", "failed")
        sums = ", ".join(f"coalesce(sum({name}), 0)" for name in names)
        rows = self.query(f"SELECT {sums} FROM cameras_coverageminute WHERE camera_id = ?", post.id)
        return dict(zip(names, rows[0], strict=True))

    def press(self, path: str, **form: object) -> None:
        """A button of the admin."""
        token = self.admin.cookies[f"omil_csrf_{self.product.port}"]
        self.admin.post(path, data={**form, "csrfmiddlewaretoken": token}).raise_for_status()

    @asynccontextmanager
    async def dial(
        self, post: Post | None, *, cookies: dict[str, str] | None = None, origin: str | None = None, path: str = ""
    ) -> AsyncIterator[Line]:
        """An open socket that has not said anything yet: the post's own, or with other cookies, or of another path."""
        sent = post.cookies if post and cookies is None else cookies or {}
        async with connect(
            f"ws://localhost:{self.product.port}{path or f'/ws/capture/{post.slug if post else None}/'}",
            additional_headers={"Cookie": "; ".join(f"{name}={value}" for name, value in sent.items())},
            origin=Origin(origin) if origin else None,
            max_size=None,
            open_timeout=PATIENCE_S,
        ) as socket:
            yield Line(socket)

    @asynccontextmanager
    async def capture(self, post: Post, **options: Any) -> AsyncIterator[Line]:
        """An open socket that has been welcomed."""
        async with self.dial(post, **options) as line:
            await line.send(HELLO)
            line.welcome = await line.hear()
            assert line.welcome["type"] == "welcome", line.welcome
            yield line


class Line:
    """One end of a capture socket."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.welcome: dict[str, Any] = {}

    async def send(self, message: str | bytes | Iterable[bytes]) -> None:
        await self.socket.send(message)

    async def hear(self, timeout_s: float = PATIENCE_S) -> dict[str, Any]:
        """The next answer; what analysis tells of earlier frames is passed over."""
        while True:
            message: dict[str, Any] = json.loads(await asyncio.wait_for(self.socket.recv(), timeout_s))
            if message["type"] != "result":
                return message

    async def ask(self, message: str | bytes) -> dict[str, Any]:
        await self.send(message)
        return await self.hear()

    async def end(self, timeout_s: float = PATIENCE_S) -> tuple[int, list[dict[str, Any]]]:
        """Waits for the server to close: the code, and what it said before."""
        said = []
        try:
            while True:
                said.append(await self.hear(timeout_s))
        except ConnectionClosed as closed:
            return (closed.rcvd.code if closed.rcvd else 1006), said


class Pulse:
    """A source that sends a picture ten times a second and notes when each was due and how long its answer took."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.beats: list[tuple[float, float]] = []
        self.verdicts: list[str] = []
        self._jpegs = [picture(shade) for shade in (0, 4)]

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_exception: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        """Latencies count from the moment a picture was due, so that one that had to wait its turn shows it."""
        seq, due = 0, time.monotonic()
        while True:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            seq += 1
            answer = await self.line.ask(frame(seq, self._jpegs[seq % 2]))
            assert answer["seq"] == seq
            self.beats.append((due, time.monotonic() - due))
            self.verdicts.append(answer["verdict"])
            due += PULSE_S

    async def catch_up(self) -> None:
        """Until everything that was due by now is answered."""
        now = time.monotonic()
        async with asyncio.timeout(PATIENCE_S):
            while not self._task.done() and (not self.beats or self.beats[-1][0] < now):
                await asyncio.sleep(PULSE_S / 5)

    def latencies(self, since: float, until: float = float("inf")) -> list[float]:
        """Of the pictures due in this time of the monotonic clock."""
        if self._task.done():
            self._task.result()
        return [latency for due, latency in self.beats if since <= due < until]


def p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20, method="inclusive")[-1]


async def quiet_then(pulse: Pulse, nonsense: Callable[[], Any], *, quiet_s: float = 3.0) -> None:
    """The neighbour is answered as fast while this runs as before; a busy machine gets a second and third chance."""
    for _chance in range(3):
        began = time.monotonic()
        await asyncio.sleep(quiet_s)
        middle = time.monotonic()
        await nonsense()
        await pulse.catch_up()
        before, during = pulse.latencies(began, middle), pulse.latencies(middle)
        assert len(during) >= 5, "this was over too soon to say anything"
        if p95(during) < SLOWER * p95(before) + SLACK_S:
            return
    pytest.fail(f"the neighbour's p95 went from {p95(before):.3f} to {p95(during):.3f} s, three times")


def is_sentence(detail: str) -> bool:
    return len(detail.split()) >= 4 and detail.endswith(".")
