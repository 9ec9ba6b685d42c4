"""Makes the shipped files of a trained checkpoint: `python -m training.export CHECKPOINT PICTURES MODEL_FOLDER`.

The scores are moved so that the product's threshold is where nine boxes of ten are right, on the pictures set aside.
model.onnx is in 32-bit floats; model.xml and model.bin are OpenVINO's, in 8-bit integers, for processors without 16-bit
floats. They are calibrated on pictures learned from and judged on those set aside: what is lost there must be little,
or they are not written.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import openvino
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from detections import evaluation, yolo
from detections.letterbox import letterbox
from detections.runtimes import OpenVinoRunner
from detections.yolo import Traits, YoloDetector
from training.pictures import found, is_set_aside, read

CALIBRATED_ON = 200
MOST_LOST = 0.015  # Of average precision.
THRESHOLD = 0.25  # The product's, OMIL_CONFIDENCE.
RIGHT_AT_THRESHOLD = 0.9  # Of the boxes there, on the pictures set aside.
MOST_BYTES = 10_000_000


class Calibration(CalibrationDataReader):
    """Every so manyth picture learned from, as the product letterboxes it."""

    def __init__(self, folder: Path, size: int) -> None:
        learned = [path for path in found(folder) if not is_set_aside(path)]
        self._tensors = self._read(learned[:: max(1, len(learned) // CALIBRATED_ON)], size)

    def _read(self, pictures: list[Path], size: int) -> Iterator[NDArray[np.float32]]:
        for path in pictures:
            planes = letterbox(read(path), size).tensor[..., ::-1].transpose(0, 3, 1, 2)
            yield np.ascontiguousarray(planes, np.float32) / np.float32(255)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        tensor = next(self._tensors, None)
        return None if tensor is None else {"images": tensor}


def in_floats(checkpoint: Path, working: Path, *, size: int, shift: float = 0.0) -> Path:
    """The averaged weights as ONNX, without what only learning needed; `shift` is added to every score's logit."""
    kept = torch.load(checkpoint, map_location="cpu", weights_only=False)
    model = (kept["ema"] or kept["model"]).float()
    for part in ("pupil", "criterion"):
        if hasattr(model, part):
            delattr(model, part)
    for branch in model.model[-1].cv3:
        branch[-1].bias.data += shift
    bare, exported = working / "omil-person.pt", working / "exported"
    torch.save({"model": model, "train_args": kept["train_args"]}, bare)
    exported.mkdir(exist_ok=True)
    yolo.export(bare, exported, size=size)
    return exported / "model.onnx"


def in_integers(model: Path, working: Path, folder: Path, *, size: int) -> Path:
    """What goes into the convolutions in 8-bit integers, each channel of weights with a scale of its own.

    All between stays in floats, and so does the decoding of boxes: to round these too takes more time than it saves.
    """
    prepared, quantized = working / "prepared.onnx", working / "quantized.onnx"
    quant_pre_process(str(model), str(prepared), skip_symbolic_shape=True)
    nodes = onnx.load(str(prepared)).graph.node
    head = max(int(node.name.split(".")[1].split("/")[0]) for node in nodes if node.name.startswith("/model."))
    in_head = [node for node in nodes if f"/model.{head}/" in node.name]
    exact = [node.name for node in in_head if node.op_type != "Conv" or "dfl" in node.name]
    quantize_static(
        str(prepared), str(quantized), Calibration(folder, size), quant_format=QuantFormat.QDQ, per_channel=True,
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, nodes_to_exclude=exact,
        op_types_to_quantize=["Conv"], extra_options={"OpTypesToExcludeOutputQuantization": ["Conv"]},
    )  # fmt: skip
    return quantized


def judged(model: Path, folder: Path, *, size: int) -> evaluation.Tally:
    """On the pictures set aside."""
    detector = YoloDetector(OpenVinoRunner(model, threads=2), Traits(model.stem, 0, False), size=size)
    tally = evaluation.Tally()
    for truth in evaluation.labelled(folder):
        if is_set_aside(truth.path):
            picture = read(truth.path)
            boxes = detector.detect(detector.prepare(picture), 0)
            tally.pictures.append(evaluation.judge_boxes(truth, boxes, picture.shape))
    return tally


def shift_of(tally: evaluation.Tally) -> float:
    """By how much logits must move for the product's threshold to be where that share of boxes is right."""
    good = [at for at in np.arange(0.1, 0.95, 0.01) if (tally.figures(at).precision or 0.0) >= RIGHT_AT_THRESHOLD]
    return _logit(THRESHOLD) - _logit(float(good[0] if good else THRESHOLD))


def _logit(share: float) -> float:
    return math.log(share / (1 - share))


def export(checkpoint: Path, folder: Path, target: Path, *, size: int) -> dict[str, Any]:
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        working = Path(name)
        raw = judged(in_floats(checkpoint, working, size=size), folder, size=size)
        shift = shift_of(raw)
        model = in_floats(checkpoint, working, size=size, shift=shift)
        made = working / "made"
        made.mkdir()
        shutil.copyfile(model, made / "model.onnx")
        openvino.save_model(openvino.convert_model(in_integers(model, working, folder, size=size)), made / "model.xml")
        tallies = [judged(made / name, folder, size=size) for name in ("model.onnx", "model.xml")]
        exact, rounded = (tally.average_precision() or 0.0 for tally in tallies)
        is_kept = exact - rounded <= MOST_LOST
        names = ["model.onnx", "model.xml", "model.bin"] if is_kept else ["model.onnx"]
        size_bytes = sum((made / name).stat().st_size for name in names)
        if size_bytes > MOST_BYTES:
            raise SystemExit(f"The files have {size_bytes} bytes, more than {MOST_BYTES}.")
        for old in target.glob("model.*"):
            old.unlink()
        files = [Path(shutil.copy(made / name, target)) for name in names]
    about = {
        "format": 1, "stem": "omil-person", "task": "detect", "person": 0, "end_to_end": False, "size": size,
        "sha256": {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files},
    }  # fmt: skip
    (target / "model.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
    return {
        "shift": shift, "average_precision_in_floats": exact, "average_precision_in_integers": rounded,
        "is_in_integers": is_kept, "bytes": size_bytes,
    }  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--size", type=int, default=384)
    given = parser.parse_args()
    report = export(given.checkpoint, given.pictures, given.target, size=given.size)
    print(json.dumps(report, indent=1))  # noqa: T201
