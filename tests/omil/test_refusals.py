from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.test import Client

from omil.logs import RedactingFormatter, WithoutTraceback

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("path", ["/", "/login/", "/static/nothing.css"])
def test_a_name_that_is_not_the_sites_is_refused_with_what_to_do(path: str) -> None:
    response = Client(headers={"host": "10.1.2.3"}).get(path)
    assert response.status_code == 400
    assert "OMIL_HOSTS" in response.content.decode()


def test_what_anybody_can_cause_is_one_line_of_the_log() -> None:
    try:
        raise ValueError("Invalid HTTP_HOST header")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "x.py", 1, "Invalid host", None, sys.exc_info())
    assert WithoutTraceback().filter(record)
    assert RedactingFormatter("%(message)s").format(record) == "Invalid host"


@pytest.mark.parametrize("command", [["add_camera", "Gate"], ["verify_recordings"]])
def test_a_command_before_the_first_start_says_what_to_do(tmp_path: Path, command: list[str]) -> None:
    env = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *command],
        env={**env, "OMIL_DATA_DIR": str(tmp_path / "fresh")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "run make run first" in done.stderr
