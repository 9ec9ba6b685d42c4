"""kill -9 at any part of the running product, while a scripted source plays thirty seconds around one visit.

The source sends fixed sequence numbers and capture times, so that a disturbed run compares with an undisturbed one.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cameras.entries import Kind, Outcome
from cameras.spool import Spool
from detections.tracklog import Row, TrackLog
from tests.product import Product
from tests.source import Source, read_clip, shots

pytestmark = [pytest.mark.kills, pytest.mark.realtime]

FPS = 10.0
FIRST, LAST = 195, 494  # Frames of the clip: 0.3 s of the person before, an empty room, one visit, an empty room.
SPEED = 2.0  # The rules go by capture times; the source is twice as fast as life.
BACK_S = 15.0


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What a run left behind. Visits as first and last sight, in seconds after the first picture."""

    visits: list[tuple[str, float, float]]
    rows: list[Row]
    admitted: list[tuple[str, int]]
    waiting: int


class Stage:
    """A running product, the clip, and one fresh camera per play."""

    def __init__(self, product: Product, jpegs: list[bytes]) -> None:
        self.product = product
        self.jpegs = jpegs
        self.plays = 0

    def play(self, disturb: Callable[[Source], Coroutine[Any, Any, None]] | None = None) -> tuple[Outcomes, Source]:
        self.plays += 1
        camera = self.product.add_camera(f"Gate {self.plays}")
        cookies = self.product.enrol(camera)
        url = f"ws://localhost:{self.product.port}/ws/capture/{camera['slug']}/"
        starts_at = round(time.time() - len(self.jpegs) / FPS * (1 - 1 / SPEED) - 2, 3)
        taken = shots(self.jpegs, fps=FPS, starts_at=starts_at, speed=SPEED)
        source = Source(url, cookies, taken, most_under_way=1)
        asyncio.run(self._run(source, disturb))
        camera_id = self.camera_id(camera["slug"])
        self.product.wait_until(lambda: self._is_settled(camera_id), 60)
        return self._outcomes(camera_id, starts_at), source

    async def _run(self, source: Source, disturb: Callable[[Source], Coroutine[Any, Any, None]] | None) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(source.run(90))
            if disturb:
                group.create_task(disturb(source))

    def camera_id(self, slug: str) -> int:
        return int(self.product.query("SELECT id FROM cameras_camera WHERE slug = ?", slug)[0][0])

    def spool(self, camera_id: int) -> Spool:
        return Spool(self.product.folder / "spool" / str(camera_id))

    def _is_settled(self, camera_id: int) -> bool:
        entries = self.spool(camera_id).after(0, limit=5_000)
        return all(entry.outcome is not Outcome.WAITING for entry in entries if entry.kind is Kind.ADMITTED)

    def _outcomes(self, camera_id: int, starts_at: float) -> Outcomes:
        code = (
            "import json; from detections.models import Visit\n"
            f"visits = Visit.objects.filter(camera={camera_id}).order_by('first_seen')\n"
            "print('visits', json.dumps([[str(v.first_seq), v.first_seen.timestamp()] for v in visits]))"
        )
        stored = json.loads(self.product.manage("shell", "-v", "0", "-c", code).rsplit("visits", 1)[1])
        rows = list(TrackLog(self.product.folder / "tracks" / str(camera_id)).rows(0, time.time() + 60))
        # A visit that is still open has a row of its last change; when it was last seen, the track log says.
        seen: dict[str, list[float]] = {}
        for row in rows:
            for box in row.boxes:
                if box.visit:
                    seen.setdefault(box.visit, []).append(row.captured_at)
        lasts = sorted((min(times), max(times)) for times in seen.values())
        assert len(lasts) == len(stored)
        visits = [
            (first_seq, round(first - starts_at, 2), round(last - starts_at, 2))
            for (first_seq, first), (_confirmed, last) in zip(stored, lasts, strict=True)
        ]
        entries = [e for e in self.spool(camera_id).after(0, limit=5_000) if e.kind is Kind.ADMITTED]
        waiting = sum(entry.outcome is Outcome.WAITING for entry in entries)
        return Outcomes(visits, rows, [(entry.stream, entry.seq) for entry in entries], waiting)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, models: Path, test_data: Path) -> Iterator[Stage]:
    jpegs = read_clip(test_data / "videos" / "one-by-one-person-detection.mp4", range(FIRST, LAST + 1))
    env = {"OMIL_MODEL": str(test_data / "weights" / "yolo26n.pt"), "OMIL_GATE_SAMPLE": "0"}
    with Product(tmp_path_factory.mktemp("kills") / "var", models=models, env=env) as product:
        yield Stage(product, jpegs)


@pytest.fixture(scope="module")
def undisturbed(stage: Stage) -> Outcomes:
    outcomes, source = stage.play()
    check_effects(outcomes, source)
    assert len(outcomes.visits) == 1
    return outcomes


def check_effects(outcomes: Outcomes, source: Source) -> None:
    """Every picture has a verdict, and each admitted one exactly one row of the track log, in order."""
    assert len(source.verdicts) == len(source.shots)
    admitted = [seq for seq, verdict in source.verdicts.items() if verdict == "admitted"]
    assert sorted(admitted) == [seq for _stream, seq in outcomes.admitted] == [row.seq for row in outcomes.rows]
    assert outcomes.waiting == 0
    assert not [row for row in outcomes.rows if row.failed]


class Watch:
    """Kills a part once so many pictures have verdicts; notes when acknowledgements and results came again."""

    def __init__(self, stage: Stage, part: str, at_seq: int) -> None:
        self.stage, self.part, self.at_seq = stage, part, at_seq
        self.killed_at = 0.0
        self.acked_after_s = self.analysed_after_s = float("inf")

    async def disturb(self, source: Source) -> None:
        while len(source.verdicts) < self.at_seq:
            await asyncio.sleep(0.02)
        camera_id = self.stage.plays
        before = self.analysed(camera_id)
        acks = len(source.acks)
        self.stage.product.kill(self.part)
        self.killed_at = time.monotonic()
        # What was under way when the part died is not what came back: a later picture is.
        while time.monotonic() - self.killed_at < BACK_S + 5:
            waited_s = time.monotonic() - self.killed_at
            if self.acked_after_s == float("inf") and len(source.acks) > acks + 3:
                self.acked_after_s = waited_s
            if self.analysed_after_s == float("inf") and waited_s > 0.3 and self.analysed(camera_id) > before + 3:
                self.analysed_after_s = waited_s
            if self.acked_after_s < float("inf") and self.analysed_after_s < float("inf"):
                return
            await asyncio.sleep(0.02)

    def analysed(self, camera_id: int) -> int:
        log = self.stage.product.folder / "tracks" / str(camera_id)
        return sum(path.read_bytes().count(b"\n") for path in log.glob("*.jsonl"))


def play_and_kill(stage: Stage, part: str, at_seq: int) -> Outcomes:
    watch = Watch(stage, part, at_seq)
    outcomes, source = stage.play(watch.disturb)
    check_effects(outcomes, source)
    assert watch.acked_after_s <= BACK_S
    assert watch.analysed_after_s <= BACK_S
    return outcomes


@pytest.mark.parametrize("part", ["analysis", "valkey"])
def test_a_killed_worker_or_valkey_changes_no_visit(
    stage: Stage, undisturbed: Outcomes, part: str, at_seq: int
) -> None:
    assert play_and_kill(stage, part, at_seq).visits == undisturbed.visits


def test_a_killed_web_changes_a_visit_by_half_a_second_at_most(
    stage: Stage, undisturbed: Outcomes, at_seq: int
) -> None:
    visits = play_and_kill(stage, "web", at_seq).visits
    assert len(visits) == len(undisturbed.visits)
    for (_seq, first, last), (_seq2, first_before, last_before) in zip(visits, undisturbed.visits, strict=True):
        assert abs(first - first_before) <= 0.5
        assert abs(last - last_before) <= 0.5


def test_everything_killed_at_once_comes_back(stage: Stage, undisturbed: Outcomes) -> None:
    class Everything(Watch):
        async def disturb(self, source: Source) -> None:
            while len(source.verdicts) < self.at_seq:
                await asyncio.sleep(0.02)
            for part in ("web", "valkey", "analysis", "clock"):
                self.stage.product.kill(part)

    outcomes, source = stage.play(Everything(stage, "all", 120).disturb)
    check_effects(outcomes, source)
    assert len(outcomes.visits) == len(undisturbed.visits)
    for (_seq, first, last), (_seq2, first_before, last_before) in zip(
        outcomes.visits, undisturbed.visits, strict=True
    ):
        assert abs(first - first_before) <= 0.5
        assert abs(last - last_before) <= 0.5
