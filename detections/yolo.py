"""YOLO models: the detector that serves, the gate's person finder, and export; the only file that imports ultralytics.

Ultralytics and torch are imported only inside the functions that export or serve on CUDA: a process that serves on the
CPU never loads them.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import sys
import warnings
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from detections.boxes import Boxes
from detections.letterbox import STRIDE, Picture, Prepared, letterbox
from detections.runtimes import Runner

LEAST_CONFIDENCE = 0.1  # Fainter boxes are noise; those from here up feed the tracker's second association.
MOST_OVERLAP = 0.7  # Of two boxes of one class overlapping more (IoU), the fainter is the same thing again.
MOST_BOXES = 300


class NotADetector(Exception):
    """The file is no model that finds people; the text says why."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What the serving side must know of a model: how it was called, its class of people, the form of its output."""

    stem: str
    person: int
    end_to_end: bool


def round_up(pixels: int) -> int:
    return -(-pixels // STRIDE) * STRIDE


class YoloDetector:
    """Finds people with one exported model on one runner."""

    def __init__(self, runner: Runner, traits: Traits, *, size: int) -> None:
        self._runner, self._traits, self._size = runner, traits, round_up(size)

    @property
    def name(self) -> str:
        return f"{self._traits.stem} · {self._runner.name} · {self._size} px"

    def prepare(self, frame_bgr: Picture) -> Prepared:
        return letterbox(frame_bgr, self._size)

    def detect(self, prepared: Prepared, camera_id: int) -> Boxes:
        output = self._runner(prepared.tensor)
        if self._traits.end_to_end:
            xyxy, confidence = decode_end_to_end(output, self._traits.person)
        else:
            xyxy, confidence = decode(output, self._traits.person)
        return Boxes.people(prepared.to_picture(xyxy), np.clip(confidence, 0, 1))

    def confidence(self, frame_bgr: Picture) -> float:
        """The highest confidence that a person is in the picture, 0.0 to 1.0."""
        output = self._runner(self.prepare(frame_bgr).tensor)[0]
        if self._traits.end_to_end:
            return float(output[output[:, 5] == self._traits.person, 4].max(initial=0.0))
        return float(output[4 + self._traits.person].max(initial=0.0))


def decode(output: NDArray[np.float32], person: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Corners and confidences of people from (1, 4 + classes, n): centres, sizes and scores, not yet thinned out."""
    columns = output[0][:, output[0, 4 + person] >= LEAST_CONFIDENCE]
    columns = columns[:, columns[4:].argmax(0) == person]  # Where another class is likelier it is not a person.
    centre, half, confidence = columns[:2].T, columns[2:4].T / 2, columns[4 + person]
    corner, size = centre - half, half * 2
    kept = cv2.dnn.NMSBoxes(np.hstack([corner, size]).tolist(), confidence.tolist(), 0.0, MOST_OVERLAP)
    keep = np.asarray(kept, np.intp).reshape(-1)[:MOST_BOXES]
    return np.hstack([corner, centre + half])[keep], confidence[keep]


def decode_end_to_end(output: NDArray[np.float32], person: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Corners and confidences of people from (1, n, 6): corners, score and class, thinned out by the model."""
    rows = output[0]
    rows = rows[(rows[:, 5] == person) & (rows[:, 4] >= LEAST_CONFIDENCE)]
    return rows[:, :4], rows[:, 4]


class TorchRunner:
    """The checkpoint itself on torch, in 16-bit floats: the way of serving on CUDA."""

    def __init__(self, weights: Path, traits: Traits, *, device: str = "cuda", half: bool = True) -> None:
        ultralytics = import_ultralytics()
        import torch

        self._torch, self._device, self._type = torch, device, torch.half if half else torch.float
        model = ultralytics.YOLO(str(weights), verbose=False).model
        if hasattr(model, "end2end"):
            model.end2end = traits.end_to_end
        self._model = model.fuse(verbose=False).to(device, self._type).eval()
        self.name = f"torch {device} · {'f16' if half else 'f32'}"

    def __call__(self, tensor: NDArray[np.uint8]) -> NDArray[np.float32]:
        with self._torch.inference_mode():
            planes = self._torch.from_numpy(tensor).to(self._device).permute(0, 3, 1, 2).flip(1).to(self._type) / 255
            output = self._model(planes)
            output = output[0] if isinstance(output, tuple) else output
            found: NDArray[np.float32] = output.float().cpu().numpy()
        return found


def has_cuda() -> bool:
    """Whether torch is installed and finds a GPU; loads torch."""
    try:
        import torch
    except ImportError:
        return False
    return bool(torch.cuda.is_available())


def export(weights: Path, folder: Path, *, size: int, task: str = "detect") -> Traits:
    """Write the checkpoint as folder/model.onnx, for any tensor shape; loads torch into this process."""
    ultralytics = import_ultralytics()
    # Ultralytics writes beside the checkpoint, whose own folder may be read-only or somebody else's.
    copy = folder / f"{weights.stem}.pt"
    shutil.copyfile(weights, copy)
    try:
        model = ultralytics.YOLO(str(copy), verbose=False)
        person = _class_of_people(model, task)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # The tracer warns of every shape it fixes.
            written = model.export(format="onnx", dynamic=True, simplify=False, imgsz=size, device="cpu", verbose=False)
    finally:
        copy.unlink()
    Path(written).rename(folder / "model.onnx")
    return Traits(weights.stem, person, _is_end_to_end(folder / "model.onnx"))


def traits_of(model: Path) -> Traits:
    """Of an ONNX file that Ultralytics wrote, or another of its form; raises NotADetector."""
    import ast

    names: dict[int, str] = ast.literal_eval(_metadata(model).get("names", "{0: 'person'}"))
    return Traits(model.stem, _person_among(names), _is_end_to_end(model))


def _class_of_people(model: Any, task: str) -> int:
    if model.task != task:
        raise NotADetector(f"it is a model for the task {model.task!r}, not {task!r}")
    if task == "pose" and list(model.model.kpt_shape) != [17, 3]:
        raise NotADetector(f"its key points have the shape {model.model.kpt_shape}, not [17, 3]")
    return _person_among(model.names)


def _person_among(names: dict[int, str]) -> int:
    for class_id, name in names.items():
        if name.lower() == "person":
            return class_id
    raise NotADetector(f"it knows no class 'person', only {', '.join(list(names.values())[:10])}")


def _is_end_to_end(model: Path) -> bool:
    return _metadata(model).get("end2end") == "True"


def _metadata(model: Path) -> dict[str, str]:
    import onnx

    return {entry.key: entry.value for entry in onnx.load(str(model), load_external_data=False).metadata_props}


def import_ultralytics() -> ModuleType:
    """Ultralytics kept from the network, from installing packages and from running code hidden in a checkpoint."""
    os.environ.update(
        YOLO_OFFLINE="1",
        YOLO_AUTOINSTALL="0",
        YOLO_VERBOSE="0",
        YOLO_CONFIG_DIR=str(settings.DATA_DIR / "ultralytics"),
        ULTRALYTICS_SAFE_LOAD="1",
    )
    if "ultralytics" in sys.modules:
        return sys.modules["ultralytics"]
    (settings.DATA_DIR / "ultralytics").mkdir(parents=True, exist_ok=True)
    try:
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError):  # A build for another torch fails with RuntimeError.
        return _import_without_torchvision()
    import ultralytics

    return ultralytics  # type: ignore[no-any-return]


def _import_without_torchvision() -> ModuleType:
    """Ultralytics asks for torchvision's version when imported and for its `ops.nms` when predicting; no more."""
    real_version = importlib.metadata.version

    def version(distribution_name: str) -> str:
        return "0.0" if distribution_name == "torchvision" else real_version(distribution_name)

    importlib.metadata.version = version
    try:
        import ultralytics
        from ultralytics.utils.nms import TorchNMS
    finally:
        importlib.metadata.version = real_version
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
    stand_in, ops = (importlib.util.module_from_spec(ModuleSpec(n, None)) for n in ("torchvision", "torchvision.ops"))
    stand_in.ops, ops.nms = ops, TorchNMS.nms  # type: ignore[attr-defined]
    sys.modules.update({"torchvision": stand_in, "torchvision.ops": ops})
    return ultralytics  # type: ignore[no-any-return]
