"""`manage.py evaluate_model WEIGHTS FOLDER`: how well a model finds people in pictures of a site's own."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from detections import evaluation, yolo
from detections.detector import on_cpu, warm
from detections.evaluation import BANDS, Judged, LabelError, Labelled, Tally
from detections.weights import USUAL_SIZE, Exported
from detections.yolo import Traits, YoloDetector

THRESHOLDS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7)


class Command(BaseCommand):
    help = (
        "Finds people in labelled pictures with any model, and prints precision, recall by height, average precision "
        "and speed. FOLDER holds images/ with labels/ beside it, in YOLO format; class 0 is people."
    )
    requires_system_checks: list[str] = []  # No database is needed.

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("weights", type=Path, help="a checkpoint (.pt), an ONNX file or a model's folder")
        parser.add_argument("folder", type=Path)
        parser.add_argument("--size", type=int, help="longer side of the tensor in pixels; else the product's")
        parser.add_argument("--confidence", type=float, default=settings.CONFIDENCE, help="threshold of the table")
        parser.add_argument("--json", type=Path, help="write the figures here too")

    def handle(self, *args: Any, weights: Path, folder: Path, **options: Any) -> None:
        try:
            pictures = list(evaluation.labelled(folder))
        except (LabelError, OSError) as error:
            raise CommandError(str(error)) from error
        with tempfile.TemporaryDirectory() as working:
            detector = self._detector(weights, Path(working), size=options["size"])
            judged, times_ms = self._judged(detector, pictures)
        report = _report(detector.name, judged, times_ms, options["confidence"])
        self.stdout.write("\n".join(_lines(report)))
        if options["json"]:
            options["json"].write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")

    def _detector(self, weights: Path, working: Path, *, size: int | None) -> YoloDetector:
        if not weights.exists():
            raise CommandError(f"{weights} is not there.")
        try:
            found = _exported(weights, working)
        except Exception as error:  # Whatever Ultralytics, torch or ONNX raise for a file that is no model.
            raise CommandError(f"{weights} cannot be used: {error}") from error
        detector = warm(
            found, on_cpu(found, threads=settings.INFERENCE_THREADS), size=size or settings.IMAGE_SIZE or found.size
        )
        if detector is None:
            raise CommandError(f"{weights} does not run on this machine; the lines above say why.")
        return detector

    def _judged(
        self, detector: YoloDetector, pictures: list[Labelled]
    ) -> tuple[list[tuple[Path, Judged]], list[float]]:
        judged, times_ms, is_watched = [], [], sys.stderr.isatty()
        for number, truth in enumerate(pictures, 1):
            picture = cv2.imread(str(truth.path))
            if picture is None:
                raise CommandError(f"{truth.path} is no picture.")
            prepared = detector.prepare(picture.astype(np.uint8, copy=False))
            detector.detect(prepared, 0)  # A new shape is compiled first, which is no part of the time.
            began = time.perf_counter()
            boxes = detector.detect(prepared, 0)
            times_ms.append(1000 * (time.perf_counter() - began))
            judged.append((truth.path, evaluation.judge_boxes(truth, boxes, picture.shape)))
            if is_watched:
                self.stderr.write(f"\r{number} of {len(pictures)}", ending="" if number < len(pictures) else "\n")
        return judged, times_ms


def _exported(weights: Path, working: Path) -> Exported:
    """The model as the product would serve it; a checkpoint is exported into the working folder."""
    if weights.is_dir():
        about = json.loads((weights / "model.json").read_text(encoding="utf-8"))
        traits = Traits(about["stem"], about["person"], about["end_to_end"])
        return Exported(weights, traits, None, about.get("size", USUAL_SIZE))
    if weights.suffix == ".pt":
        return Exported(working, yolo.export(weights, working, size=USUAL_SIZE), None)
    (working / "model.onnx").symlink_to(weights.absolute())
    return Exported(working, yolo.traits_of(weights), None)


def _report(name: str, judged: list[tuple[Path, Judged]], times_ms: list[float], confidence: float) -> dict[str, Any]:
    tally = Tally([one for _path, one in judged])
    alarmed, empty = tally.alarmed(confidence)
    return {
        "model": name,
        "confidence": confidence,
        "pictures": len(judged),
        "average_precision": _rounded(tally.average_precision()),
        "all": _figures(tally, confidence),
        "by_height": {_band(band): _figures(tally, confidence, *band) for band in BANDS},
        "empty": {"pictures": empty, "with_a_false_person": alarmed},
        "by_source": {source: _figures(of, confidence) for source, of in evaluation.by_source(judged).items()},
        "by_confidence": {str(at): _figures(tally, at) for at in THRESHOLDS},
        "median_ms": round(float(np.median(times_ms)), 1),
    }


def _figures(tally: Tally, confidence: float, *band: float) -> dict[str, Any]:
    found = tally.figures(confidence, *band)
    return {"people": found.people, "recall": _rounded(found.recall), "precision": _rounded(found.precision)}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _band(band: tuple[float, float]) -> str:
    least, below = band
    return f"{least:g} to {below:g}" if below <= 1 else f"{least:g} and more"


def _lines(report: dict[str, Any]) -> Iterable[str]:
    empty = report["empty"]
    yield f"{report['model']}, {report['median_ms']} ms a picture (median of {report['pictures']})"
    yield f"Average precision (IoU {evaluation.RIGHT:g}): {_shown(report['average_precision'])}"
    yield f"Pictures without people: {empty['pictures']}, with a false person: {empty['with_a_false_person']}"
    yield f"\nAt confidence {report['confidence']:g}                people    recall precision"
    yield _row("everybody", report["all"])
    for name, row in report["by_height"].items():
        yield _row(f"height {name} of the picture", row)
    if len(report["by_source"]) > 1:
        yield "\nBy source (what the files are named after)"
        yield from (_row(name, row) for name, row in report["by_source"].items())
    yield "\nBy confidence"
    yield from (_row(name, row) for name, row in report["by_confidence"].items())


def _row(name: str, row: dict[str, Any]) -> str:
    return f"{name:<40}{row['people']:>6}{_shown(row['recall']):>10}{_shown(row['precision']):>10}"


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
