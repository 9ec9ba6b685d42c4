"""The detector of this process: YOLO where a model file can serve, else the fallback; and the gate's person finder."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np
from django.conf import settings

from detections import weights, yolo
from detections.boxes import Boxes
from detections.letterbox import Picture, Prepared
from detections.motion_hog import MotionHogDetector
from detections.runtimes import OnnxRunner, OpenVinoRunner, Runner
from detections.weights import Exported, WeightsError
from detections.yolo import YoloDetector

__all__ = ["Boxes", "Detector", "PersonFinder", "Prepared", "get_detector", "get_person_finder"]

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0  # How often a process on the fallback looks whether a model has come.
EXPORT_LIMIT_S = 600
WARM_SHAPES = ((480, 640), (360, 640))  # The commonest pictures; other shapes are compiled when they come.


class Detector(Protocol):
    """Finds people in a camera's frames."""

    @property
    def name(self) -> str:
        """For people, such as "yolo26n · OpenVINO · bf16 · 640 px"."""

    @property
    def is_fallback(self) -> bool: ...

    def prepare(self, frame_bgr: Picture) -> Prepared:
        """What can be done ahead, in any thread, while another frame is detected."""

    def detect(self, prepared: Prepared, camera_id: int) -> Boxes:
        """People of at least confidence 0.1, in pixels of the frame. Frames of one camera come in order."""


Maker: TypeAlias = Callable[[], Runner]
PersonFinder: TypeAlias = Callable[[Picture], float]  # The highest confidence, 0 to 1, that a person is in the picture.


class _Kept:
    """One detector and one person finder per process, and when a better one was last looked for."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.detector: Detector | None = None
        self.finder: PersonFinder | None = None
        self.looked_at = {"detector": -LOOK_EVERY_S, "finder": -LOOK_EVERY_S}
        self.refused: set[Path] = set()  # Exports that did not run; they are not tried again.

    def is_time(self, what: str) -> bool:
        if time.monotonic() - self.looked_at[what] < LOOK_EVERY_S:
            return False
        self.looked_at[what] = time.monotonic()
        return True


_kept = _Kept()


def get_detector() -> Detector:
    """This process's detector, warm. On the fallback it looks now and then whether a model has come."""
    with _kept.lock:
        if _kept.detector is None:
            _kept.is_time("detector")
            _kept.detector = _first_detector()
        elif _kept.detector.is_fallback and _kept.is_time("detector"):
            found = weights.exported()
            if found and found.folder not in _kept.refused:
                _kept.detector = _serve(found) or _kept.detector
        return _kept.detector


def get_person_finder() -> PersonFinder | None:
    """For the gate, from any thread: None while there is no model, and the gate then goes by motion alone.

    Ask again for every frame: it costs nothing, and a model may come later.
    """
    with _kept.lock:
        if _kept.finder is None and _kept.is_time("finder"):
            found = weights.exported()
            if found and found.folder not in _kept.refused:
                _kept.finder = _finder(found)
        return _kept.finder


def forget() -> None:
    """Drop what this process keeps, as after a change of settings."""
    global _kept
    _kept = _Kept()


def _first_detector() -> Detector:
    reason = ""
    try:
        found = weights.exported() or _export_elsewhere()
    except WeightsError as error:
        found, reason = None, str(error)
    detector = _serve(found) if found else None
    if detector is None:
        detector = MotionHogDetector()
        reason = reason or "The model did not run; the log of the analysis worker says why."
        logger.warning("detector: %s. %s", detector.name, reason)
        weights.announce(name=detector.name, is_fallback=True, reason=reason)
    return detector


def _export_elsewhere() -> Exported:
    """Exported by a process of its own, so that this one never carries torch."""
    source = weights.checkpoint()
    if source is None:
        raise WeightsError("There is no model file.")
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "prepare_models", "--offline"]
    environment = {**os.environ, "OMIL_MODEL": str(source), "OMIL_DATA_DIR": str(settings.DATA_DIR)}
    environment["OMIL_POSE_MODEL"] = weights.NONE  # Whoever waits here waits for the model of people.
    try:
        done = subprocess.run(  # noqa: S603 (our own command)
            command, env=environment, capture_output=True, text=True, timeout=EXPORT_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise WeightsError(f"The export took longer than {EXPORT_LIMIT_S} s.") from None
    found = weights.exported()
    if found is None:
        lines = (done.stderr or done.stdout).strip().splitlines() or [f"exit code {done.returncode}"]
        raise WeightsError(lines[-1].removeprefix("CommandError: "))
    return found


def _serve(found: Exported) -> Detector | None:
    """A warm detector on the model, announced; None if it runs nowhere."""
    makers = on_cpu(found, threads=settings.INFERENCE_THREADS)
    if (checkpoint := found.checkpoint) and on_cuda():
        makers.insert(0, lambda: yolo.TorchRunner(checkpoint, found.traits))
    detector = warm(found, makers, size=settings.IMAGE_SIZE)
    if detector is None:
        _kept.refused.add(found.folder)
        return None
    logger.info("detector: %s", detector.name)
    weights.announce(name=detector.name, is_fallback=False)
    return detector


def _finder(found: Exported) -> PersonFinder | None:
    threads = settings.GATE_THREADS
    detector = warm(found, on_cpu(found, threads=threads, streams=threads), size=settings.GATE_IMAGE_SIZE)
    if detector is None:
        _kept.refused.add(found.folder)
        return None
    return detector.confidence


def on_cpu(found: Exported, *, threads: int, streams: int = 1) -> list[Maker]:
    """The runtimes for a CPU, the faster first; one that is not installed raises ImportError."""
    return [
        lambda: OpenVinoRunner(found.model, threads=threads, streams=streams),
        lambda: OnnxRunner(found.model, threads=threads, streams=streams),
    ]


def warm(found: Exported, makers: list[Maker], *, size: int) -> YoloDetector | None:
    """On the first runtime that runs the model; None, with the reasons in the log, if none does."""
    for make in makers:
        try:
            detector = YoloDetector(make(), found.traits, size=size)
            for height, width in WARM_SHAPES:
                detector.detect(detector.prepare(np.zeros((height, width, 3), np.uint8)), 0)
            return detector
        except ImportError as error:
            logger.info("detector: %s", error)
        except Exception:  # Whatever a runtime raises for a model it cannot run.
            logger.exception("detector: %s does not run", found.folder)
    return None


def on_cuda() -> bool:
    """Whether to serve on a GPU; torch, slow to import, is asked only where a device file says there is one."""
    if settings.DEVICE == "auto":
        return weights.has_gpu_device() and yolo.has_cuda()
    return bool(settings.DEVICE == "cuda")
