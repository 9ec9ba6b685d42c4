"""Forty sockets offer ten times what analysis can do: the lag stays bounded, the rest is told busy, memory is flat."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from statistics import median

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.asyncio.client import connect

from cameras.frames import header
from tests.product import Product
from tests.source import read_clip

pytestmark = [pytest.mark.load, pytest.mark.realtime]

logger = logging.getLogger(__name__)

CAMERAS = 40
MEASURE_S = 10.0
PART = 100  # Frames of the clip with a person well in view.
WARM_UP_S = 120.0  # Buffers fill and every part has been loaded; then memory is measured, for so long:
GROWTH_S, SOAK_GROWTH_S = 120.0, 180.0
GROWTH_LIMIT = 1_000_000  # Bytes a minute.
CYCLE_S = 10.0  # Encoding a part of a clip takes memory for a moment and gives it back: the most in such a time counts.


@dataclass
class Flood:
    """One socket that sends as fast as its credit allows, with the time it is."""

    url: str
    cookie: str
    jpegs: list[bytes]
    sent: int = 0
    answers: Counter[str] = field(default_factory=Counter)

    async def run(self, seconds: float) -> None:
        ends = time.monotonic() + seconds
        async with connect(self.url, additional_headers={"Cookie": self.cookie}, open_timeout=30) as socket:
            stream = os.urandom(16).hex()
            await socket.send(json.dumps({"type": "hello", "protocol": 1, "stream": stream}))
            credit = json.loads(await socket.recv())["credit"]
            under_way = 0
            while time.monotonic() < ends or under_way:
                while under_way < credit and time.monotonic() < ends:
                    self.sent += 1
                    under_way += 1
                    await socket.send(header(self.sent, time.time()) + self.jpegs[self.sent % len(self.jpegs)])
                message = json.loads(await socket.recv())
                if message["type"] == "ack":
                    under_way -= 1
                    credit = message["credit"]
                    self.answers[message["verdict"]] += 1


class Metrics:
    """The counters at one moment."""

    def __init__(self, text: str) -> None:
        self.samples = [s for family in text_string_to_metric_families(text) for s in family.samples]

    def total(self, name: str, **labels: str) -> float:
        return sum(
            s.value for s in self.samples if s.name == name and all(s.labels.get(k) == v for k, v in labels.items())
        )


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, models: Path, test_data: Path) -> Iterator[Product]:
    env = {"OMIL_MODEL": str(test_data / "weights" / "yolo26n.pt"), "OMIL_METRICS_TOKEN": "read"}
    with Product(tmp_path_factory.mktemp("load") / "var", models=models, env=env) as product:
        yield product


def metrics(product: Product) -> Metrics:
    import httpx

    return Metrics(httpx.get(f"{product.url}/metrics", headers={"Authorization": "Bearer read"}, timeout=10).text)


def memory(product: Product) -> int:
    """The proportional set size of all its processes together, in bytes."""
    assert product.process
    total = 0
    for process in [product.process, *product.process.children(recursive=True)]:
        try:
            total += process.memory_full_info().pss
        except psutil.Error:
            continue
    return total


async def pour(floods: list[Flood], seconds: float, product: Product, readings: list[tuple[float, int]]) -> None:
    async with asyncio.TaskGroup() as group:
        for flood in floods:
            group.create_task(flood.run(seconds))
        started = time.monotonic()
        while time.monotonic() - started < seconds:
            readings.append((time.monotonic() - started, await asyncio.to_thread(memory, product)))
            await asyncio.sleep(2)


def growth_per_minute(readings: list[tuple[float, int]]) -> float:
    """The median slope between the most of every two cycles (Theil and Sen), in bytes a minute: a leak bends every one,
    a cache that fills in one step only those across it."""
    most: dict[float, int] = {}
    for at, held in readings:
        most[at // CYCLE_S] = max(held, most.get(at // CYCLE_S, 0))
    return 60 * median((y - x) / ((b - a) * CYCLE_S) for (a, x), (b, y) in combinations(most.items(), 2))


@pytest.mark.timeout(600)
def test_forty_sockets_cannot_drown_analysis(product: Product, test_data: Path, request: pytest.FixtureRequest) -> None:
    seconds = WARM_UP_S + (SOAK_GROWTH_S if request.config.getoption("--run-soak") else GROWTH_S)
    names = [f"Post {number:02}" for number in range(1, CAMERAS + 1)]
    code = (
        "from accounts.models import Unit; from cameras.models import Camera\n"
        "unit = Unit.objects.create(name='Load')\n"
        f"print('slugs', ' '.join(Camera.objects.create(name=name, unit=unit).slug for name in {names!r}))"
    )
    slugs = product.manage("shell", "-v", "0", "-c", code).rsplit("slugs", 1)[1].split()
    jpegs = read_clip(test_data / "videos" / "one-by-one-person-detection.mp4", range(300, 300 + PART))
    browser = product.logged_in()
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    browser.close()

    def floods(count: int) -> list[Flood]:
        socket = f"ws://localhost:{product.port}/ws/capture"
        return [Flood(f"{socket}/{slug}/", cookie, jpegs) for slug in slugs[:count]]

    # 1. What analysis can do, measured with a few cameras.
    before = metrics(product)
    asyncio.run(pour(floods(4), MEASURE_S, product, []))
    done = metrics(product).total("omil_analysed_total") - before.total("omil_analysed_total")
    rate = done / MEASURE_S
    assert rate > 1
    # 2. Ten times as much and more, from forty.
    before = metrics(product)
    readings: list[tuple[float, int]] = []
    poured = floods(CAMERAS)
    asyncio.run(pour(poured, seconds, product, readings))
    after = metrics(product)
    answers = sum((flood.answers for flood in poured), Counter())
    offered = sum(flood.sent for flood in poured) / seconds
    analysed = after.total("omil_analysed_total") - before.total("omil_analysed_total")
    growth = growth_per_minute([(t, b) for t, b in readings if t >= WARM_UP_S])
    logger.warning("analysed %.1f/s of four, %.1f/s of forty offering %.0f/s", rate, analysed / seconds, offered)
    logger.warning("answers %s; memory grew by %.2f MB/min", dict(answers), growth / 1e6)
    late = lags(after, "+Inf") - lags(before, "+Inf") - (lags(after, "2.0") - lags(before, "2.0"))
    logger.warning("late %d of %d", late, analysed)
    assert offered >= 10 * rate
    assert sum(answers.values()) == sum(flood.sent for flood in poured), "every frame is answered"
    assert answers["busy"] > 0
    assert answers["invalid"] == 0
    assert analysed >= answers["admitted"] - 200, "what was admitted is analysed, but for what is still under way"
    assert late == 0, f"{late:.0f} of {analysed:.0f} frames took longer than two seconds"
    every = [flood.answers["admitted"] for flood in poured]
    assert min(every) > 0, "no camera is starved"
    assert growth < GROWTH_LIMIT


def lags(found: Metrics, bound: str) -> float:
    return found.total("omil_lag_seconds_bucket", le=bound)
