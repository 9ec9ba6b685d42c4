"""Real RQ workers on real spools, with a detector that only takes its time: order, ownership and fairness."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import redis

from cameras.entries import Kind
from cameras.frames import Frame
from cameras.ring import Ring
from cameras.spool import Spool
from tests import drainers
from tests.build import STREAM
from tests.drainers import SLOW_NUMBER, Inference
from tests.fakes import numbered_picture
from tests.services import start_valkey

pytestmark = [pytest.mark.kills, pytest.mark.realtime]

ROOT = Path(__file__).resolve().parent.parent.parent
SLICE_S = 0.2
FRAME_S = 0.02


class Floor:
    """A data folder with cameras, a Valkey and a clock of its own, and workers that can be started."""

    def __init__(self, folder: Path, cameras: int) -> None:
        self.folder = folder
        self.journal = folder / "journal"
        self.socket = folder / "v.sock"
        self.env = {
            **os.environ,
            "OMIL_DATA_DIR": str(folder / "var"),
            "REDIS_URL": f"unix://{self.socket}",
            "DATABASE_URL": "",
            "OMIL_SLICE_S": str(SLICE_S),
            "OMIL_MAX_LAG_S": "60",  # All cameras are running, none is catching up.
            "OMIL_MODEL": "none.pt",
            "PROMETHEUS_MULTIPROC_DIR": str(folder),
            "DJANGO_SETTINGS_MODULE": "omil.settings",
        }
        self.processes: list[subprocess.Popen[bytes]] = []
        self.valkey = start_valkey(self.socket)
        self._manage("migrate", "-v", "0")
        for number in range(1, cameras + 1):
            self._manage("add_camera", f"Gate {number}", "--json")

    def _manage(self, *arguments: str) -> None:
        command = [sys.executable, "manage.py", *arguments]
        subprocess.run(command, cwd=ROOT, env=self.env, check=True, capture_output=True, timeout=60)

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, *command], cwd=ROOT, env=self.env)
        self.processes.append(process)
        return process

    def start_workers(self, count: int, *, slow_s: float = 0.0) -> None:
        for _ in range(count):
            self.start("-m", "tests.drainers", str(self.journal), str(FRAME_S), str(slow_s))

    def close(self) -> None:
        for process in [*self.processes, self.valkey]:
            process.kill()
        for process in [*self.processes, self.valkey]:
            process.wait(10)

    def spool(self, camera_id: int) -> Spool:
        return Spool(self.folder / "var" / "spool" / str(camera_id))

    def admit(self, camera_id: int, numbers: range) -> None:
        spool = self.spool(camera_id)
        ring = Ring(spool.folder / "ring", max_bytes=10**9)
        for number in numbers:
            at = time.time()
            frame = Frame(camera_id, STREAM, number, at, at, numbered_picture(number))
            spool.put(frame, Kind.ADMITTED, "person", picture=ring.put(frame))

    def await_inferences(self, count: int, timeout_s: float) -> list[Inference]:
        deadline = time.monotonic() + timeout_s
        while len(found := drainers.read(self.journal)) < count:
            assert time.monotonic() < deadline, f"{len(found)} of {count} frames were analysed in {timeout_s:g} s"
            time.sleep(0.05)
        return found


@pytest.fixture
def floor(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Floor]:
    floor = Floor(tmp_path, cameras=request.param)
    yield floor
    floor.close()


def assert_one_at_a_time(inferences: list[Inference]) -> None:
    for before, after in pairwise(inferences):
        assert after.began >= before.ended, f"{before} and {after} overlap"


@pytest.mark.parametrize("floor", [1], indirect=True)
def test_four_workers_and_one_camera_keep_its_order_and_never_meet(floor: Floor) -> None:
    floor.start("manage.py", "clock")
    floor.start_workers(4)
    with redis.Redis.from_url(floor.env["REDIS_URL"]) as connection:
        for start in range(1, 301, 20):
            floor.admit(1, range(start, start + 20))
            # Rung far too often on purpose: every worker is woken for the same camera.
            for _ in range(6):
                ring(connection, 1)
            time.sleep(0.1)
    inferences = floor.await_inferences(300, 40)
    assert [inference.number for inference in inferences] == list(range(1, 301))
    assert_one_at_a_time(inferences)


def ring(connection: redis.Redis, camera_id: int) -> None:
    from rq import Queue
    from rq.serializers import JSONSerializer

    queue = Queue("drain-main", connection=connection, serializer=JSONSerializer)
    queue.enqueue("detections.jobs.drain", camera_id, result_ttl=0, failure_ttl=0)


@pytest.mark.parametrize("floor", [4], indirect=True)
def test_one_worker_is_fair_to_four_cameras_with_unequal_load(floor: Floor) -> None:
    waiting = {1: 160, 2: 80, 3: 40, 4: 40}
    for camera_id, count in waiting.items():
        floor.admit(camera_id, range(1, count + 1))
    with redis.Redis.from_url(floor.env["REDIS_URL"]) as connection:
        for camera_id in waiting:
            ring(connection, camera_id)
    floor.start_workers(1)
    inferences = floor.await_inferences(sum(waiting.values()), 60)
    assert_one_at_a_time(inferences)
    for camera_id, count in waiting.items():
        places = [place for place, inference in enumerate(inferences) if inference.camera_id == camera_id]
        assert [inferences[place].number for place in places] == list(range(1, count + 1))
        # In frames, of which a slice cannot hold more than this: the bound holds whatever else the machine does.
        gaps = [after - before - 1 for before, after in pairwise(places)]
        assert max(gaps) <= 4 * SLICE_S / FRAME_S + 1
    turns = [after.camera_id for before, after in pairwise(inferences) if after.camera_id != before.camera_id]
    assert turns[:3] == [2, 3, 4], "everyone has had a turn before anyone has a second"


@pytest.mark.parametrize("floor", [1], indirect=True)
def test_a_valkey_that_is_flushed_and_killed_in_mid_inference_makes_no_second_owner(floor: Floor) -> None:
    floor.start("manage.py", "clock")
    floor.start_workers(2, slow_s=5.0)
    floor.admit(1, range(SLOW_NUMBER, SLOW_NUMBER + 1))
    floor.admit(1, range(1, 11))
    time.sleep(2.5)  # The clock rings, and the inference of five seconds has begun.
    with redis.Redis.from_url(floor.env["REDIS_URL"]) as connection:
        connection.flushall()
        for _ in range(4):
            ring(connection, 1)
        time.sleep(0.5)
    floor.valkey.kill()
    floor.valkey.wait(5)
    floor.socket.unlink(missing_ok=True)
    floor.admit(1, range(11, 16))
    floor.valkey = start_valkey(floor.socket)
    inferences = floor.await_inferences(16, 30)
    assert inferences[0].ended - inferences[0].began >= 5
    assert [inference.number for inference in inferences] == [SLOW_NUMBER, *range(1, 16)]
    assert_one_at_a_time(inferences)
