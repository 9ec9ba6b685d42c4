"""Fixtures of tests that run a real model: clips, labelled pictures and one export made for the whole session."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import pytest
from django.conf import settings as django_settings
from pytest_django import Settings

from detections import detector
from detections.letterbox import Picture


def prepare_models(model: Path | str, data_dir: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """`manage.py prepare_models` as a process of its own, for torch to stay out of this one."""
    return subprocess.run(
        [sys.executable, str(django_settings.BASE_DIR / "manage.py"), "prepare_models", *options],
        env={**os.environ, "OMIL_MODEL": str(model), "OMIL_DATA_DIR": str(data_dir)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="session")
def model_file(test_data: Path) -> Path:
    return test_data / "weights" / "yolo26n.pt"


@pytest.fixture(scope="session")
def models_dir(model_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A MODELS_DIR with yolo26n exported; read it only."""
    data_dir = tmp_path_factory.mktemp("prepared")
    done = prepare_models(model_file, data_dir)
    assert done.returncode == 0, done.stderr
    return data_dir / "models"


@pytest.fixture
def with_model(settings: Settings, models_dir: Path, model_file: Path) -> None:
    settings.MODELS_DIR, settings.OMIL_MODEL = models_dir, str(model_file)


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """No test meets the detector of another."""
    detector.forget()
    yield
    detector.forget()


@pytest.fixture(scope="session")
def clip(test_data: Path) -> Callable[..., list[Picture]]:
    """Reads the frames of a clip: `clip("car-detection.mp4", every=2, most=100)`."""

    def read(name: str, *, every: int = 1, most: int = 10_000) -> list[Picture]:
        capture = cv2.VideoCapture(str(test_data / "videos" / name))
        frames: list[Picture] = []
        for index in range(every * most):
            is_read = capture.grab()
            if not is_read:
                break
            if index % every == 0:
                frames.append(capture.retrieve()[1])
        capture.release()
        assert frames, f"{name} cannot be read"
        return frames

    return read
