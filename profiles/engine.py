"""This process's face finder and embedder, loaded once from the files that the settings name."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

import cv2
from django.conf import settings

from profiles import weights
from profiles.faces import Embedder, FaceFinder


class FacesUnavailable(Exception):
    """There are no face models, or they do not run; the text tells people what to do."""


@dataclass(frozen=True, slots=True)
class Engine:
    finder: FaceFinder
    embedder: Embedder


_engines: dict[tuple[Path, Path], Engine] = {}
_lock = threading.Lock()


def get() -> Engine:
    """Raises FacesUnavailable."""
    files = weights.found()
    if files is None:
        raise FacesUnavailable(weights.how_to_add())
    with _lock:
        if files not in _engines:
            _engines[files] = _load(*files)
        return _engines[files]


def _load(detector: Path, embedder: Path) -> Engine:
    from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidGraph, InvalidProtobuf, NoSuchFile

    try:
        return Engine(FaceFinder(detector), Embedder(embedder, threads=settings.INFERENCE_THREADS))
    except (cv2.error, Fail, InvalidGraph, InvalidProtobuf, NoSuchFile, OSError) as error:
        reason = " ".join(str(error).split())[:300]
        raise FacesUnavailable(f"A face model cannot be used ({reason}). {weights.how_to_add()}") from error
