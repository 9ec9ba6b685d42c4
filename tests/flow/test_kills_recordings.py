"""kill -9 at any part of the running product during a clip: afterwards it is there, whole, and nothing else is."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest

from cameras.entries import VERDICTS, Kind
from cameras.spool import Spool
from tests.product import Product
from tests.source import Source, read_clip, shots

pytestmark = [pytest.mark.kills, pytest.mark.realtime, pytest.mark.timeout(240)]

FPS = 10.0
FIRST, LAST = 205, 494  # Frames of the clip: an empty room, one visit from 227 to 450, an empty room.
SPEED = 2.0  # The rules go by capture times; the source is twice as fast as life.
FIRST_PERSON, LAST_PERSON = 22 / FPS, 245 / FPS  # In seconds after the first picture.
EVERYTHING = ("web", "valkey", "analysis", "media", "recorder", "clock")
PATIENCE_S = 90.0
TIMES = {"BEFORE": "1", "AFTER": "1", "START_AFTER": "2", "STOP_AFTER": "2"}


@dataclass(frozen=True, slots=True)
class Row:
    """A clip as the database holds it, in seconds after the first picture."""

    state: str
    start: float
    end: float
    frames: int
    path: str
    is_unanalysed: bool


class Stage:
    """A running product, the pictures, and one fresh camera per play."""

    def __init__(self, product: Product, jpegs: list[bytes]) -> None:
        self.product = product
        self.jpegs = jpegs
        self.plays = 0
        self.starts_at = 0.0

    def play(self, disturb: Callable[[Source], Coroutine[Any, Any, None]]) -> Source:
        self.plays += 1
        camera = self.product.add_camera(f"Gate {self.plays}")
        cookies = self.product.enrol(camera)
        url = f"ws://localhost:{self.product.port}/ws/capture/{camera['slug']}/"
        self.starts_at = round(time.time() - len(self.jpegs) / FPS * (1 - 1 / SPEED) - 2, 3)
        source = Source(url, cookies, shots(self.jpegs, fps=FPS, starts_at=self.starts_at, speed=SPEED))
        asyncio.run(self._run(source, disturb))
        self.product.wait_until(lambda: self.states() == ["ready"], PATIENCE_S)
        # Who is killed after a clip became ready, and before its take went, leaves that to the next.
        self.product.wait_until(lambda: not list((self.spool.folder / "takes").iterdir()), PATIENCE_S)
        return source

    @staticmethod
    async def _run(source: Source, disturb: Callable[[Source], Coroutine[Any, Any, None]]) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(source.run(90))
            group.create_task(disturb(source))

    @property
    def spool(self) -> Spool:
        return Spool(self.product.folder / "spool" / str(self.plays))

    def states(self) -> list[str]:
        found = self.product.query("SELECT state FROM recordings_recording WHERE camera_id = ?", self.plays)
        return [state for (state,) in found]

    def rows(self) -> list[Row]:
        code = (
            "import json; from recordings.models import Recording\n"
            f"rows = Recording.objects.filter(camera={self.plays}).order_by('start')\n"
            "found = [[r.state, r.start.timestamp(), r.end.timestamp(), r.frames, r.path, r.is_unanalysed]"
            " for r in rows]\nprint('rows', json.dumps(found))"
        )
        stored = json.loads(self.product.manage("shell", "-v", "0", "-c", code).rsplit("rows", 1)[1])
        return [
            Row(state, round(start - self.starts_at, 2), round(end - self.starts_at, 2), *rest)
            for state, start, end, *rest in stored
        ]

    def files(self) -> list[str]:
        root = self.product.folder / "recordings" / str(self.plays)
        return sorted(str(path.relative_to(root.parent)) for path in root.rglob("*") if path.is_file())

    def received(self, start: float, end: float) -> int:
        """How many pictures from this time have a verdict in the log."""
        times = [
            entry.captured_at - self.starts_at
            for entry in self.spool.after(0, limit=5_000)
            if entry.kind in VERDICTS and entry.kind is not Kind.NO_SIGHT
        ]
        return sum(start - 0.01 <= at <= end + 0.01 for at in times)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, models: Path, test_data: Path) -> Iterator[Stage]:
    jpegs = read_clip(test_data / "videos" / "one-by-one-person-detection.mp4", range(FIRST, LAST + 1))
    env = {"OMIL_MODEL": str(test_data / "weights" / "yolo26n.pt"), "OMIL_GATE_SAMPLE": "0"}
    env |= {f"OMIL_RECORD_{name}_S": value for name, value in TIMES.items()}
    with Product(tmp_path_factory.mktemp("kills-recordings") / "var", models=models, env=env) as product:
        yield Stage(product, jpegs)


def killer(stage: Stage, *parts: str, at_seqs: tuple[int, ...]) -> Callable[[Source], Coroutine[Any, Any, None]]:
    async def disturb(source: Source) -> None:
        for at_seq in at_seqs:
            while len(source.verdicts) < at_seq:
                await asyncio.sleep(0.02)
            for part in parts:
                while not stage.product.processes(part):  # It died a moment ago and is about to be started again.
                    await asyncio.sleep(0.02)
                stage.product.kill(part)

    return disturb


@pytest.mark.parametrize(
    ("parts", "at_seqs"),
    [
        pytest.param((), (), id="nothing"),
        pytest.param(("web",), (120,), id="web"),
        pytest.param(("analysis",), (120,), id="analysis"),
        pytest.param(("valkey",), (120,), id="valkey"),
        pytest.param(("recorder",), (30, 120, 280), id="recorder"),
        pytest.param(("media",), (140, 150, 160, 285), id="media"),
        pytest.param(EVERYTHING, (130,), id="everything"),
    ],
)
def test_after_a_kill_the_clip_is_there_and_whole(
    stage: Stage, parts: tuple[str, ...], at_seqs: tuple[int, ...]
) -> None:
    source = stage.play(killer(stage, *parts, at_seqs=at_seqs))
    assert len(source.verdicts) == len(source.shots)
    (row,) = stage.rows()
    assert abs(row.start - (FIRST_PERSON - 1)) <= 1.1
    # While analysis has not caught up nobody knows whether they have left.
    assert -1.1 <= row.end - (LAST_PERSON + 1) <= (10 if row.is_unanalysed else 1.1)
    stem = row.path.removesuffix(".mp4")
    assert stage.files() == sorted([row.path, f"{stem}.jpg", f"{stem}.strip.jpg"])
    times = frame_times(stage.product.folder / "recordings" / row.path)
    # What web had in the ring when it died is in the clip, whether or not it was acknowledged.
    assert len(times) == row.frames >= stage.received(row.start, row.end)
    assert times == sorted(times)
    assert times[-1] - times[0] == pytest.approx(row.end - row.start, abs=0.05)
    assert max(later - earlier for earlier, later in pairwise(times)) <= 0.5
    stage.product.manage("verify_recordings")


def frame_times(path: Path) -> list[float]:
    with av.open(str(path)) as film:
        return [float(frame.time) for frame in film.decode(video=0)]
