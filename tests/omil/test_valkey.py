from __future__ import annotations

import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from omil import valkey
from tests.services import start_valkey


def test_the_socket_lies_in_the_run_folder_where_its_path_fits(tmp_path: Path) -> None:
    assert valkey.socket_path(Path("/srv/omil/run")) == Path("/srv/omil/run/valkey.sock")


def test_a_long_run_folder_gets_a_short_socket_of_its_own() -> None:
    long, other = Path("/srv") / ("x" * 110) / "run", Path("/srv") / ("y" * 110) / "run"
    assert len(str(valkey.socket_path(long)).encode()) <= valkey.LONGEST_SOCKET_PATH
    assert valkey.socket_path(long) == valkey.socket_path(long)
    assert valkey.socket_path(long) != valkey.socket_path(other)


def test_a_path_is_measured_in_bytes_not_letters() -> None:
    korean = Path("/srv") / ("초소" * 16) / "run"
    assert len(str(korean / "valkey.sock")) < valkey.LONGEST_SOCKET_PATH
    assert valkey.socket_path(korean).is_relative_to(tempfile.gettempdir())


def test_a_link_in_place_of_the_socket_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "ours").symlink_to(tmp_path / "theirs")
    with pytest.raises(PermissionError, match="belongs to another user"):
        valkey.prepare(tmp_path / "ours" / "valkey.sock")


@pytest.fixture
def socket() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="omil-valkey-") as folder:  # pytest's own are too long for a socket.
        yield Path(folder) / "valkey.sock"


def stop(server: subprocess.Popen[bytes]) -> None:
    server.kill()
    server.wait(timeout=5)


def test_it_serves_on_the_socket_only_and_keeps_nothing(socket: Path) -> None:
    server = start_valkey(socket)
    try:
        with redis.Redis(unix_socket_path=str(socket)) as connection:
            config = connection.config_get("*")
            connection.set("frame", b"1")
        assert config["port"] == "0"
        assert config["save"] == ""
        assert config["appendonly"] == "no"
        assert config["maxmemory-policy"] == "noeviction"
        assert socket.stat().st_mode & 0o077 == 0
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=5) == 0
        assert [path.name for path in socket.parent.iterdir()] == []
    finally:
        stop(server)


def test_a_socket_left_by_a_killed_server_does_not_block_the_next(socket: Path) -> None:
    stop(start_valkey(socket))
    assert socket.exists()
    server = subprocess.Popen(valkey.command(socket, max_memory=64_000_000), stdout=subprocess.DEVNULL)
    try:
        with redis.Redis(unix_socket_path=str(socket), retry=Retry(ConstantBackoff(0.02), 250)) as connection:
            assert connection.ping()
    finally:
        stop(server)


def test_a_full_memory_refuses_writes_and_forgets_nothing(socket: Path) -> None:
    server = start_valkey(socket)
    try:
        with redis.Redis(unix_socket_path=str(socket)) as connection:
            connection.set("first", b"1")
            with pytest.raises(redis.exceptions.OutOfMemoryError):
                for n in range(200):
                    connection.set(f"fill-{n}", bytes(1_000_000))
            assert connection.get("first") == b"1"
    finally:
        stop(server)
