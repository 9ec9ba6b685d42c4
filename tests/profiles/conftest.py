"""Fixtures of profiles: the face models of the test data, the settings that name them."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings

from profiles.engine import Engine
from profiles.faces import Embedder, FaceFinder


@pytest.fixture(scope="session")
def engine(test_data: Path) -> Engine:
    folder = test_data / "face-models"
    return Engine(FaceFinder(folder / "face_detection_yunet_2023mar.onnx"), Embedder(folder / "mobilefacenet.onnx"))


@pytest.fixture
def face_models(test_data: Path, settings: Settings) -> None:
    """The settings name the models of the test data."""
    settings.OMIL_FACE_DETECTOR = str(test_data / "face-models" / "face_detection_yunet_2023mar.onnx")
    settings.OMIL_FACE_EMBEDDER = str(test_data / "face-models" / "mobilefacenet.onnx")
