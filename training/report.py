"""The figures of the model card: `python -m training.report MODEL_FOLDER DATA [--beside CHECKPOINT …]`.

DATA is laid out as the tests' data: `train/` (of which the pictures set aside are looked at), `labelled/coco_val128`,
`labelled/pets09` and `videos/`. Writes MODEL_FOLDER/figures.json and prints the card's tables.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from detections import evaluation, yolo
from detections.evaluation import BANDS, Judged, Labelled, Tally
from detections.letterbox import Picture
from detections.runtimes import OpenVinoRunner
from detections.weights import USUAL_SIZE
from detections.yolo import Traits, YoloDetector
from training.pictures import is_set_aside, read

INSIDE, BEYOND = 10, 5  # Frames from the edges of a visit within which a person must be seen, or nobody.
EVERY = 3  # Of the film without people.
LABELLED_FRAMES = 69  # Of the crossing.
TIMED = 50
Figures = dict[str, Any]


def judged(detector: YoloDetector, truth: Labelled, picture: Picture) -> Judged:
    return evaluation.judge_boxes(truth, detector.detect(detector.prepare(picture), 0), picture.shape)


def of_folder(detector: YoloDetector, folder: Path, wanted: Callable[[Path], bool], threshold: float) -> Figures:
    pairs = [(t.path, judged(detector, t, read(t.path))) for t in evaluation.labelled(folder) if wanted(t.path)]
    sources = evaluation.by_source(pairs)
    return {
        **of_tally(Tally([one for _path, one in pairs]), threshold),
        "by_source": {source: of_tally(tally, threshold) for source, tally in sources.items()},
    }


def of_tally(tally: Tally, threshold: float) -> Figures:
    alarmed, empty = tally.alarmed(threshold)
    rows = {"all": tally.figures(threshold)} | {f"{band[0]:g}": tally.figures(threshold, *band) for band in BANDS}
    return {
        "pictures": len(tally.pictures),
        "average_precision": _rounded(tally.average_precision()),
        "empty": empty,
        "empty_with_a_false_person": alarmed,
        **{f"recall_{name}": _rounded(row.recall) for name, row in rows.items()},
        **{f"precision_{name}": _rounded(row.precision) for name, row in rows.items()},
        **{f"people_{name}": row.people for name, row in rows.items()},
    }


def of_room(detector: YoloDetector, videos: Path, threshold: float) -> Figures:
    """Frames of one-by-one with a box inside a visit, and outside of one."""
    name = "one-by-one-person-detection"
    visits = json.loads((videos / f"{name}.presence.json").read_text())["visits"]
    is_seen = np.array([_sees(detector, frame, threshold) for frame in frames(videos / f"{name}.mp4")])
    number = np.arange(len(is_seen))
    inside = np.any([(number >= first + INSIDE) & (number <= last - INSIDE) for first, last in visits], 0)
    beyond = ~np.any([(number >= first - BEYOND) & (number <= last + BEYOND) for first, last in visits], 0)
    return {
        "seen_inside": _rounded(is_seen[inside].mean()),
        "false": int(is_seen[beyond].sum()),
        "of": int(beyond.sum()),
    }


def of_cars(detector: YoloDetector, videos: Path, threshold: float) -> Figures:
    seen = [_sees(detector, f, threshold) for k, f in enumerate(frames(videos / "car-detection.mp4")) if k % EVERY == 0]
    return {"false": sum(seen), "of": len(seen)}


def of_crossing(detector: YoloDetector, data: Path, threshold: float) -> Figures:
    people = defaultdict(list)
    with (data / "labelled/pets09/gt_dev_480x360.txt").open() as file:
        for row in csv.reader(file):
            people[int(row[0])].append([float(value) for value in row[2:6]])
    tally = Tally()
    for number, frame in enumerate(frames(data / "videos/pets09_dev.mp4"), 1):
        if number > LABELLED_FRAMES:
            break
        height, width = frame.shape[:2]
        boxes = np.array(people[number]).reshape(-1, 4)
        corners = np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]]) / [width, height, width, height]
        tally.pictures.append(judged(detector, Labelled(Path("pets09"), corners, np.zeros((0, 4))), frame))
    return of_tally(tally, threshold)


def milliseconds(detector: YoloDetector) -> float:
    """Median of an inference of a 4:3 picture, on one thread."""
    prepared, times = detector.prepare(np.full((480, 640, 3), 127, np.uint8)), []
    for _ in range(TIMED):
        began = time.perf_counter()
        detector.detect(prepared, 0)
        times.append(time.perf_counter() - began)
    return round(1000 * float(np.median(times)), 2)


def frames(video: Path) -> Iterator[Picture]:
    capture = cv2.VideoCapture(str(video))
    while (read_ := capture.read())[0]:
        yield np.asarray(read_[1], np.uint8)


def figures(detector: YoloDetector, data: Path, threshold: float) -> Figures:
    taken_ms = milliseconds(detector)
    return {
        "model": detector.name,  # Complete once it has run.
        "threshold": threshold,
        "ms_on_one_thread": taken_ms,
        "coco_val128": of_folder(detector, data / "labelled/coco_val128", lambda path: True, threshold),
        "set_aside": of_folder(detector, data / "train", is_set_aside, threshold),
        "pets09": of_crossing(detector, data, threshold),
        "one_by_one": of_room(detector, data / "videos", threshold),
        "cars": of_cars(detector, data / "videos", threshold),
    }


def table(all_figures: Iterable[Figures]) -> Iterator[str]:
    """Markdown; one row per model and set of pictures."""
    yield "| model | pictures | AP | recall ≥ ¼ | ⅒ to ¼ | < ⅒ | precision | of those ≥ ¼ | false in empty |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for each in all_figures:
        rows = [("coco_val128", each["coco_val128"]), ("set aside", each["set_aside"]), ("pets09", each["pets09"])]
        rows += [(f"– {source}", row) for source, row in each["set_aside"]["by_source"].items()]
        for name, row in rows:
            cells = [row[key] for key in ("average_precision", "recall_0.25", "recall_0.1", "recall_0")]
            cells += [
                row["precision_all"],
                row["precision_0.25"],
                f"{row['empty_with_a_false_person']} of {row['empty']}",
            ]
            yield f"| {each['model']} | {name} | " + " | ".join("–" if c is None else str(c) for c in cells) + " |"


def detectors(weights: Path, working: Path, size: int | None) -> Iterator[YoloDetector]:
    """Of a model's folder each form, of a checkpoint its export; all on one thread."""
    if weights.is_dir():
        about = json.loads((weights / "model.json").read_text())
        traits = Traits(about["stem"], about["person"], about["end_to_end"])
        for file in sorted({"model.onnx", "model.xml"} & about["sha256"].keys()):
            yield YoloDetector(OpenVinoRunner(weights / file, threads=1), traits, size=size or about["size"])
    else:
        traits = yolo.export(weights, working, size=USUAL_SIZE)
        yield YoloDetector(OpenVinoRunner(working / "model.onnx", threads=1), traits, size=size or USUAL_SIZE)


def _sees(detector: YoloDetector, frame: Picture, threshold: float) -> bool:
    confidences: NDArray[np.float32] = detector.detect(detector.prepare(frame), 0).confidence
    return bool(confidences.max(initial=0.0) >= threshold)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 3)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--beside", type=Path, nargs="*", default=[], help="other models, looked at in the same run")
    parser.add_argument("--size", type=int)
    parser.add_argument("--threshold", type=float, default=settings.CONFIDENCE)
    given = parser.parse_args()
    found = []
    for weights in (given.model, *given.beside):
        with tempfile.TemporaryDirectory() as working:
            size = given.size if weights == given.model else None
            found += [figures(each, given.data, given.threshold) for each in detectors(weights, Path(working), size)]
    (given.model / "figures.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print("\n".join(table(found)))  # noqa: T201
