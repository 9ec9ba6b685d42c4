"""The models of poses and faces to measure with: those of the settings, else the test data's."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from detections import weights
from detections.weights import POSES
from omil.bench.side import BenchError
from profiles import weights as face_weights

EMBEDDERS = ("mobilefacenet.onnx",)  # In the place of one that is not there.


def environment() -> dict[str, str]:
    """What tells the measured processes of those that are there."""
    found = {"OMIL_POSE_MODEL": pose_model()}
    found |= dict(zip(("OMIL_FACE_DETECTOR", "OMIL_FACE_EMBEDDER"), face_models(), strict=True))
    return {name: str(path) for name, path in found.items() if path}


def pose_model() -> Path | None:
    if not weights.POSES.is_wanted:
        return None
    fallback = settings.TEST_DATA_DIR / "weights" / weights.expected(POSES).name
    return weights.checkpoint(POSES) or (fallback if fallback.is_file() else None)


def face_models() -> tuple[Path | None, Path | None]:
    """Finder and embedder."""
    if files := face_weights.found():
        return files
    folder = settings.TEST_DATA_DIR / "face-models"
    finder, embedder = face_weights.expected()
    return _first(folder, finder.name), _first(folder, embedder.name, *EMBEDDERS)


def _first(folder: Path, *names: str) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)


def require_all() -> None:
    """Raises BenchError with what to do."""
    if pose_model() is None:
        raise BenchError(f"There is no pose model to measure with. {weights.how_to_add(POSES)}")
    if None in face_models():
        raise BenchError(f"There are no face models to measure with. {face_weights.how_to_add()}")
