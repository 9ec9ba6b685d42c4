"""The detector of this process: the weights asked for, else Omil's own model; and the gate's person finder."""

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
from django.utils.translation import gettext_noop

from detections import weights, yolo
from detections.boxes import Boxes
from detections.letterbox import Picture, Prepared
from detections.runtimes import OnnxRunner, OpenVinoRunner, Runner
from detections.weights import Exported, WeightsError
from detections.yolo import YoloDetector

__all__ = ["Boxes", "Detector", "PersonFinder", "Prepared", "get_detector", "get_person_finder"]

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0  # How often a process on the fallback looks whether weights have come.
EXPORT_LIMIT_S = 600
WARM_SHAPES = ((480, 640), (360, 640))  # The commonest pictures; other shapes are compiled when they come.


class Detector(Protocol):
    """Finds people in a camera's frames."""

    @property
    def name(self) -> str:
        """For people, such as "yolo26n · OpenVINO · bf16 · 640 px"."""

    def prepare(self, frame_bgr: Picture) -> Prepared:
        """What can be done ahead, in any thread, while another frame is detected."""

    def detect(self, prepared: Prepared, camera_id: int) -> Boxes:
        """People of at least confidence 0.1, in pixels of the frame."""


Maker: TypeAlias = Callable[[], Runner]
PersonFinder: TypeAlias = Callable[[Picture], float]  # The highest confidence, 0 to 1, that a person is in the picture.


class _Kept:
    """One detector and one person finder per process, and when better ones were last looked for."""

    def __init__(self) -> None:
        self.detector: Detector | None = None
        self.finder: PersonFinder | None = None
        self.on_fallback = {"detector": True, "finder": True}  # Whether what serves may be replaced by better.
        self.looked_at = {"detector": -LOOK_EVERY_S, "finder": -LOOK_EVERY_S}
        self.refused: set[Path] = set()  # What did not run; it is not tried again.

    def is_time(self, what: str) -> bool:
        if not self.on_fallback[what] or time.monotonic() - self.looked_at[what] < LOOK_EVERY_S:
            return False
        self.looked_at[what] = time.monotonic()
        return True


_kept = _Kept()
_lock = threading.Lock()  # Of whatever `_kept` is: who waits for it while that is replaced goes on with the new one.


def get_detector(*, leads: bool = True) -> Detector:
    """This process's detector, warm. On the fallback it looks now and then whether weights have come.

    Who `leads`, as analysis does, also exports weights that are not, and tells the product what serves.

    Raises WeightsError where not even Omil's own model runs; it may be asked again.
    """
    with _lock:
        if _kept.detector is None:
            _kept.is_time("detector")
            _kept.detector = _first_detector(leads=leads)
        elif _kept.is_time("detector") and (found := _usable()):
            _kept.detector = _serve(found, leads=leads) or _kept.detector
        return _kept.detector


def get_person_finder() -> PersonFinder | None:
    """For the gate, from any thread: None while no model runs, and the gate then goes by motion alone.

    Ask again for every frame: it costs nothing, and better weights may come later.
    """
    with _lock:
        if _kept.is_time("finder"):
            if (found := _usable()) and (finder := _finder(found)):
                _kept.finder, _kept.on_fallback["finder"] = finder, False
            elif _kept.finder is None:
                _kept.finder = _own_finder()
        return _kept.finder


def forget() -> None:
    """Drop what this process keeps, as after a change of settings."""
    global _kept
    with _lock:  # Whoever is just loading a model keeps it where it is dropped.
        _kept = _Kept()


def _usable() -> Exported | None:
    """The weights asked for, if they are exported and have not failed to run here."""
    found = weights.exported()
    return found if found and found.folder not in _kept.refused else None


def _first_detector(*, leads: bool) -> Detector:
    reason = ""
    if weights.PEOPLE.is_wanted:
        try:
            found = weights.exported() or _export_elsewhere(may_export=leads)
        except WeightsError as error:
            reason = str(error)
        else:
            if detector := _serve(found, leads=leads):
                return detector
            reason = gettext_noop("The model did not run; the log of the analysis worker says why.")
        logger.warning("detector: %s", reason)
    try:
        return _serve_own(reason, leads=leads)
    except WeightsError as error:
        if leads:
            weights.announce(name="", is_fallback=True, reason=f"{reason} {error}".strip())
        raise


def _export_elsewhere(*, may_export: bool) -> Exported:
    """Exported by a process of its own, so that this one never carries torch."""
    source = weights.checkpoint()
    if source is None:
        raise WeightsError(gettext_noop("There are no weights."))
    if not may_export:
        raise WeightsError(f"{source} has not been exported.")
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


def _serve(found: Exported, *, leads: bool) -> Detector | None:
    """A warm detector on the weights asked for; None if they run nowhere."""
    makers = on_cpu(found, threads=settings.INFERENCE_THREADS)
    if (checkpoint := found.checkpoint) and on_cuda():
        makers.insert(0, lambda: yolo.TorchRunner(checkpoint, found.traits))
    detector = warm(found, makers, size=settings.IMAGE_SIZE or found.size)
    if detector is None:
        _kept.refused.add(found.folder)
        return None
    _kept.on_fallback["detector"] = False
    logger.info("detector: %s", detector.name)
    if leads:
        weights.announce(name=detector.name, is_fallback=False)
    return detector


def _serve_own(reason: str, *, leads: bool) -> Detector:
    found = weights.own()
    makers = on_cpu(found, threads=settings.INFERENCE_THREADS)
    detector = warm(found, makers, size=settings.IMAGE_SIZE or found.size)
    if detector is None:
        raise WeightsError(gettext_noop("Omil's own model does not run on this machine; the log says why."))
    logger.info("detector: %s", detector.name)
    if leads:
        weights.announce(name=detector.name, is_fallback=weights.PEOPLE.is_wanted, reason=reason)
    return detector


def _finder(found: Exported) -> PersonFinder | None:
    threads = settings.GATE_THREADS
    detector = warm(found, on_cpu(found, threads=threads, streams=threads), size=settings.GATE_IMAGE_SIZE)
    if detector is None:
        _kept.refused.add(found.folder)
        return None
    return detector.confidence


def _own_finder() -> PersonFinder | None:
    try:
        found = weights.own()
    except WeightsError:  # Analysis says so.
        return None
    return None if found.folder in _kept.refused else _finder(found)


def on_cpu(found: Exported, *, threads: int, streams: int = 1) -> list[Maker]:
    """The runtimes for a CPU, the faster first; one that is not installed raises ImportError."""
    return [
        lambda: OpenVinoRunner(found.model, threads=threads, streams=streams, in_integers=found.in_integers),
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
