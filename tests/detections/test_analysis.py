"""`manage.py analysis` where no model can serve: it says so, beats not, and begins when one can."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from pytest_django import Settings

from cameras import analysis
from detections import weights

CODE = """
import sys, django
django.setup()
from pathlib import Path
from django.conf import settings
from django.core.management import call_command
from detections.management.commands import analysis
settings.OWN_MODEL_DIR, analysis.RETRY_S = Path(sys.argv[1]), 0.2
call_command("analysis")
"""


@pytest.fixture
def own(settings: Settings, tmp_path: Path) -> Path:
    """A copy of Omil's own model, without one of its files."""
    copy = tmp_path / "own"
    shutil.copytree(settings.OWN_MODEL_DIR, copy)
    (copy / "model.onnx").rename(tmp_path / "model.onnx")
    return copy


@pytest.fixture
def worker(own: Path, settings: Settings) -> Iterator[subprocess.Popen[str]]:
    env = {
        **os.environ,
        "OMIL_DATA_DIR": str(settings.DATA_DIR),
        "OMIL_MODEL": "omil-person",
        "REDIS_URL": f"unix://{own}/nobody",
        "DATABASE_URL": "",
        "PYTHONUNBUFFERED": "1",
    }
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, str(own)],
        cwd=django_settings.BASE_DIR, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    with process:
        yield process
        process.kill()


def line_with(process: subprocess.Popen[str], words: str) -> str:
    assert process.stdout is not None
    return next(line for line in process.stdout if words in line)


def test_without_any_model_it_is_down_says_so_and_tries_again(
    worker: subprocess.Popen[str], own: Path, tmp_path: Path
) -> None:
    for _time in range(2):
        assert "own model is damaged" in line_with(worker, "analysis cannot begin")
    assert not analysis.beats()
    assert (weights.status().name, weights.status().is_fallback) == ("", True)
    (tmp_path / "model.onnx").rename(own / "model.onnx")
    assert "omil-person" in line_with(worker, "analysis ready")
    deadline = time.monotonic() + 10
    while not analysis.beats():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert weights.status().name.startswith("omil-person")
