"""The suite's own promises: what it runs on, and that a missing clip cannot pass for a passed test."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import redis

ROOT = Path(__file__).parents[2]
TESTS = """
import pytest

def test_without_data():
    pytest.skip("There is no test data at /x; OMIL_TEST_DATA can name another folder.")

def test_skipped_for_another_reason():
    pytest.skip("no GPU")
"""


@pytest.mark.parametrize(("required", "code"), [("0", 0), ("1", 1)])
def test_a_test_skipped_for_want_of_data_fails_where_data_is_required(tmp_path: Path, required: str, code: int) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_x.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-p", "tests.services", "-p", "no:django", "-c", "pytest.ini", "."]
    env = {**os.environ, "OMIL_REQUIRE_DATA": required, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == code, done.stdout
    assert ("skipped for want of OMIL_TEST_DATA" in done.stdout) == bool(code)


def test_the_suite_has_a_data_folder_and_a_valkey_of_its_own(empty_valkey: str) -> None:
    assert not Path(os.environ["OMIL_DATA_DIR"]).is_relative_to(ROOT)
    with redis.Redis.from_url(empty_valkey) as connection:
        assert connection.dbsize() == 0
        assert connection.config_get("unixsocket")["unixsocket"].startswith("/")
