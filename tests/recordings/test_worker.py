"""The media worker as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from pytest_django import Settings
from rq import Queue
from rq.serializers import JSONSerializer

from cameras.bell import connection
from recordings import bell
from recordings.worker import NICE

pytestmark = pytest.mark.timeout(90)


@pytest.fixture
def node(settings: Settings, empty_valkey: str) -> str:
    settings.NODE, settings.MEDIA_QUEUE = "worker-test", "media-worker-test"
    return "worker-test"


@pytest.fixture
def worker(tmp_path: Path, node: str, empty_valkey: str) -> Iterator[subprocess.Popen[str]]:
    env = {**os.environ, "OMIL_DATA_DIR": str(tmp_path / "media"), "OMIL_NODE": node, "REDIS_URL": empty_valkey}
    env.pop("PROMETHEUS_MULTIPROC_DIR", None)
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", "--", sys.executable, "manage.py", "media"],
        cwd=django_settings.BASE_DIR,
        env={**env, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "media ready\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def wait_until(is_so: Callable[[], bool], timeout_s: float = 10) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_take_is_rung_once_until_a_worker_has_answered(node: str) -> None:
    queue = Queue("media-worker-test", connection=connection(), serializer=JSONSerializer)
    assert bell.ring(7, "abc")
    assert not bell.ring(7, "abc")
    assert bell.ring(7, "another")
    assert [job.args for job in queue.jobs] == [[7, "abc"], [7, "another"]]
    bell.answered("abc")
    assert bell.ring(7, "abc")


def test_it_answers_after_everything_that_matters_more_and_goes_when_told(worker: subprocess.Popen[str]) -> None:
    queue = Queue("media-worker-test", connection=connection(), serializer=JSONSerializer)
    niceness = os.getpriority(os.PRIO_PROCESS, 0)
    wait_until(lambda: os.getpriority(os.PRIO_PROCESS, worker.pid) == min(niceness + NICE, 19))
    assert bell.ring(7, "a-take-that-is-gone")
    wait_until(lambda: queue.count == 0)
    wait_until(lambda: bell.ring(7, "a-take-that-is-gone"))  # Its flag is taken down.
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(7) == 0
