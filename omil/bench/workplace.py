"""Where a measurement happens: a data folder of its own, with the installation's models, gone afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from django.conf import settings

from detections import weights
from omil import supervise, valkey
from omil.bench import models
from omil.bench.side import BenchError, Side

START_S = 120.0
STOP_S = 15.0
# What the measured processes take from the caller's environment; everything else of Omil is at its default.
PASSED_ON = (
    "OMIL_MODEL",
    "OMIL_POSE_MODEL",
    "OMIL_DEVICE",
    "OMIL_IMAGE_SIZE",
    "OMIL_POSE_IMAGE_SIZE",
    "OMIL_INFERENCE_THREADS",
    "OMIL_ANALYSIS_WORKERS",
)
PASSED_ON_PREFIX = "OMIL_GATE_"
OUR_OWN = ("OMIL_", "DATABASE_URL", "REDIS_URL", "PROMETHEUS_MULTIPROC_DIR", "PORT")


class Closable(Protocol):
    def close(self) -> None: ...


class Workplace:
    """A folder, an environment and what runs in it, stopped and removed on exit."""

    def __init__(self, **env: str) -> None:
        self._exits = ExitStack()
        root = settings.DATA_DIR / "bench"
        root.mkdir(parents=True, exist_ok=True)
        # On the disk that the product writes to, not in a temporary folder that may lie in memory.
        self.folder = Path(tempfile.mkdtemp(prefix="run-", dir=root))
        self._exits.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.port = free_port()
        self.env = {**environment(), "OMIL_DATA_DIR": str(self.folder), "PORT": str(self.port), **env}
        (self.folder / "models").symlink_to(settings.MODELS_DIR)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._exits.close()

    @property
    def log(self) -> Path:
        return self.folder / "bench.log"

    def side(self, name: str, *arguments: str) -> Side:
        side = Side(name, *arguments, env=self.env, folder=settings.BASE_DIR, log=self.log)
        self._exits.callback(side.close)
        return side

    def closing(self, thing: Closable) -> None:
        """It is closed before what it depends on."""
        self._exits.callback(thing.close)

    @property
    def threads(self) -> int:
        """Of one worker's inference, as the measured processes have it."""
        return int(settings.INFERENCE_THREADS)

    def manage(self, *arguments: str) -> None:
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(  # noqa: S603 (our own command)
            command, cwd=settings.BASE_DIR, env=self.env, capture_output=True, text=True, timeout=START_S, check=False
        )
        if done.returncode:
            raise BenchError(f"manage.py {' '.join(arguments)} failed:\n{done.stderr.strip()[-2_000:]}")

    def start_valkey(self) -> str:
        """The embedded Valkey alone; returns its URL."""
        path = valkey.socket_path(self.folder / "run")
        self._start("valkey", ready=path.exists)
        return f"unix://{path}"

    def start_product(self) -> None:
        """Everything, as `make run` does."""
        self._start("start", ready=lambda: "Ctrl-C stops everything" in self.log.read_text(errors="replace"))

    def _start(self, command: str, *, ready: Callable[[], bool]) -> None:
        with self.log.open("ab") as output:
            process = subprocess.Popen(  # noqa: S603 (our own command)
                [*supervise.BOUND_TO_US, sys.executable, "manage.py", command],
                cwd=settings.BASE_DIR,
                env=self.env,
                stdout=output,
                stderr=output,
            )
        self._exits.callback(_stop, process)
        deadline = time.monotonic() + START_S
        while not ready():
            if process.poll() is not None or time.monotonic() > deadline:
                tail = self.log.read_text(errors="replace").splitlines()[-15:]
                raise BenchError("\n".join([f"manage.py {command} did not come up:", *tail]))
            time.sleep(0.05)
        self.started = process


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()  # The supervisor's own children die with it.
        process.wait(STOP_S)


def environment() -> dict[str, str]:
    """The caller's environment without its installation: no other database, address or queue is touched."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(OUR_OWN) or name in PASSED_ON or name.startswith(PASSED_ON_PREFIX)
    }
    measured = {"OMIL_MODEL": str(model()), **models.environment()}
    return {**kept, **measured, "OMIL_LOG_LEVEL": "WARNING", "YOLO_OFFLINE": "1"}


def model() -> Path:
    """The checkpoint to measure with: OMIL_MODEL, else the test data's."""
    if found := weights.checkpoint():
        return found
    fallback = settings.TEST_DATA_DIR / "weights" / weights.expected().name
    if "OMIL_MODEL" not in os.environ and fallback.is_file():
        return fallback
    raise BenchError(f"There is no model to measure with. {weights.how_to_add()}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
