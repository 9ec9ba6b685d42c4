"""What the whole suite stands on: its own data folder, its own Valkey, and no test skipped where data is required.

Loaded by `-p` before Django reads its settings, so that no test ever touches a real installation.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

FLOW = "tests/flow/"
FOLDER = Path(tempfile.mkdtemp(prefix="omil-test-"))
ENVIRONMENT = {
    "OMIL_DATA_DIR": str(FOLDER / "var"),
    "OMIL_HOSTS": "",
    "OMIL_RECORDINGS_DIR": "",
    "OMIL_TLS_CERTIFICATE": "",
    "OMIL_TLS_KEY": "",
    "OMIL_ADMIN_PASSWORD": "",
    "OMIL_LANGUAGE": "en",
    "OMIL_POSE_MODEL": "none",
    "OMIL_FACE_DETECTOR": "none",
    "OMIL_FACE_EMBEDDER": "none",
    "PORT": "",
    "PROMETHEUS_MULTIPROC_DIR": str(FOLDER / "var" / "run" / "metrics"),
    "REDIS_URL": f"unix://{FOLDER}/valkey.sock",
    "YOLO_OFFLINE": "1",
}
os.environ.update(ENVIRONMENT)
(FOLDER / "var" / "static").mkdir(parents=True)  # WhiteNoise warns where there is none.
OWNER_PID = os.getpid()


@atexit.register
def _remove_folder() -> None:
    if os.getpid() == OWNER_PID:  # A forked child must not take the folder away from the suite.
        shutil.rmtree(FOLDER, ignore_errors=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--run-soak", action="store_true", help="repeat twenty times what is else done twice, for longer")
    parser.addoption("--whole-clip", action="store_true", help="play the whole clip to the browser, not its first half")
    parser.addoption("--screenshots", metavar="FOLDER", help="where browser tests leave their pictures")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`at_seq`: at which frame a part is killed."""
    if "at_seq" in metafunc.fixturenames:
        often = metafunc.config.getoption("--run-soak")
        metafunc.parametrize("at_seq", range(20, 240, 11) if often else [40, 150])


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`database`: what asks for one, or starts processes that may. The rest is the same whichever database serves."""
    items.sort(key=lambda item: not item.nodeid.startswith(FLOW))  # They take the longest.
    for item in items:
        asks = item.get_closest_marker("django_db") or {"db", "transactional_db"} & set(item.fixturenames)  # type: ignore[attr-defined]
        if asks or item.nodeid.startswith((FLOW, "tests/omil/")):
            item.add_marker("database")


class OneProduct(LoadFileScheduling):  # type: ignore[misc]  # xdist leaves its types to guess.
    """Two tests at a time are of two files, and never two of the whole product, which wants all cores for itself."""

    def _split_scope(self, nodeid: str) -> str:
        return FLOW if nodeid.startswith(FLOW) else str(super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneProduct:
    return OneProduct(config, log)


def start_valkey(socket: Path, *, timeout_s: float = 5) -> subprocess.Popen[bytes]:
    """A Valkey that answers on this socket; the caller stops it."""
    from omil import valkey

    valkey.prepare(socket)
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", "--", *valkey.command(socket, max_memory=64_000_000)],
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + timeout_s
    while not socket.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise RuntimeError(f"Valkey did not come up on {socket} (exit code {process.returncode}).")
        time.sleep(0.005)
    return process


@pytest.fixture(scope="session", autouse=True)
def valkey() -> Iterator[str]:
    """The URL of the suite's Valkey."""
    process = start_valkey(FOLDER / "valkey.sock")
    yield ENVIRONMENT["REDIS_URL"]
    process.terminate()
    process.wait(timeout=5)


@pytest.fixture
def empty_valkey(valkey: str) -> str:
    """The suite's Valkey with nothing in it."""
    import redis

    with redis.Redis.from_url(valkey) as connection:
        connection.flushall()
    return valkey


@pytest.fixture(scope="session", autouse=True)
def _transactions_are_left_alone() -> Iterator[None]:
    """Jobs and sockets begin by closing old connections, which on PostgreSQL would end the transaction of the test."""
    from django.db.backends.base.base import BaseDatabaseWrapper

    close = BaseDatabaseWrapper.close_if_unusable_or_obsolete

    def close_unless_in_transaction(self: BaseDatabaseWrapper) -> None:
        if not self.in_atomic_block:
            close(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseDatabaseWrapper, "close_if_unusable_or_obsolete", close_unless_in_transaction)
        yield


_skipped_for_data: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail") and "OMIL_TEST_DATA" in str(report.longrepr):
        _skipped_for_data.append(report.nodeid)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if _skipped_for_data and os.environ.get("OMIL_REQUIRE_DATA") == "1":
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _skipped_for_data and os.environ.get("OMIL_REQUIRE_DATA") == "1":
        terminalreporter.section("Tests skipped for want of OMIL_TEST_DATA", red=True)
        for nodeid in _skipped_for_data:
            terminalreporter.line(nodeid)
