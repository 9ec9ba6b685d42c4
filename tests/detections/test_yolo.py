"""YOLO: reading its output, and the same people as torch finds in the same pictures."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from cameras.images import decode_bgr
from detections import yolo
from detections.boxes import PERSON
from detections.letterbox import Picture, letterbox
from detections.runtimes import SHAPES_KEPT, OnnxRunner, OpenVinoRunner, Runner
from detections.yolo import Traits, YoloDetector
from tests.detections.scoring import Labelled, Score, overlap, pets, score

TRAITS = Traits("yolo26n", person=0, end_to_end=False)
CONFIDENCE = 0.25


class Saying:
    """A runner that answers the same output whatever it is shown."""

    name = "nothing · f32"

    def __init__(self, output: NDArray[np.float32]) -> None:
        self.output = output

    def __call__(self, tensor: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self.output


def raw(*boxes: tuple[float, float, float, float, float, float]) -> NDArray[np.float32]:
    """An output of two classes, car and person, from centre, size and both scores of each box."""
    return np.array(boxes, np.float32).reshape(1, -1, 6).transpose(0, 2, 1)


def detector_of(output: NDArray[np.float32], *, end_to_end: bool = False) -> YoloDetector:
    return YoloDetector(Saying(output), Traits("tiny", person=1, end_to_end=end_to_end), size=640)


def people_in(output: NDArray[np.float32], *, end_to_end: bool = False) -> list[list[float]]:
    detector = detector_of(output, end_to_end=end_to_end)
    boxes = detector.detect(detector.prepare(np.zeros((480, 640, 3), np.uint8)), camera_id=1)
    assert (boxes.class_id == PERSON).all()
    return [[*box.tolist(), round(float(sure), 2)] for box, sure in zip(boxes.xyxy, boxes.confidence, strict=True)]


@pytest.mark.parametrize(
    ("boxes", "people"),
    [
        ([(100, 100, 40, 80, 0.0, 0.9)], [[80, 60, 120, 140, 0.9]]),
        ([(100, 100, 40, 80, 0.9, 0.8)], []),  # more of a car than of a person
        ([(100, 100, 40, 80, 0.0, 0.09)], []),  # too faint even for the tracker
        ([(100, 100, 40, 80, 0.0, 0.11)], [[80, 60, 120, 140, 0.11]]),  # faint: for the second association
        # The same person twice: the more confident box stays.
        ([(101, 100, 40, 80, 0.0, 0.6), (100, 100, 40, 80, 0.0, 0.7)], [[80, 60, 120, 140, 0.7]]),
        # Two people behind one another, overlapping by half.
        (
            [(100, 100, 40, 80, 0.0, 0.7), (115, 100, 40, 80, 0.0, 0.6)],
            [[80, 60, 120, 140, 0.7], [95, 60, 135, 140, 0.6]],
        ),
        # A car on top of a person hides nobody: classes are thinned out apart.
        ([(100, 100, 40, 80, 0.95, 0.0), (100, 100, 40, 80, 0.0, 0.6)], [[80, 60, 120, 140, 0.6]]),
        # Beyond the edge: cut off.
        ([(10, 10, 40, 40, 0.0, 0.5)], [[0, 0, 30, 30, 0.5]]),
    ],
)
def test_it_reads_raw_output(boxes: list[tuple[float, ...]], people: list[list[float]]) -> None:
    assert people_in(raw(*boxes)) == people  # type: ignore[arg-type]


def test_it_reads_the_output_of_end_to_end_models() -> None:
    rows = [[80, 60, 120, 140, 0.9, 1], [10, 10, 50, 50, 0.8, 0], [0, 0, 9, 9, 0.05, 1]]
    assert people_in(np.array([rows], np.float32), end_to_end=True) == [[80, 60, 120, 140, 0.9]]


def test_nothing_found_is_no_boxes() -> None:
    assert people_in(np.zeros((1, 6, 0), np.float32)) == []
    assert people_in(np.zeros((1, 0, 6), np.float32), end_to_end=True) == []


def test_boxes_are_in_pixels_of_the_frame() -> None:
    detector = detector_of(raw((320, 192, 64, 64, 0.0, 0.5)))
    boxes = detector.detect(detector.prepare(np.zeros((432, 768, 3), np.uint8)), camera_id=1)
    np.testing.assert_allclose(boxes.xyxy, [[345.6, 177.6, 422.4, 254.4]], atol=0.01)


def test_the_gates_answer_is_the_highest_confidence_of_a_person() -> None:
    frame = np.zeros((480, 640, 3), np.uint8)
    answer = raw((100, 100, 40, 80, 0.9, 0.4), (10, 10, 5, 5, 0.0, 0.3))
    assert detector_of(answer).confidence(frame) == pytest.approx(0.4)
    rows = np.array([[[0, 0, 5, 5, 0.7, 0], [0, 0, 5, 5, 0.3, 1]]], np.float32)
    assert detector_of(rows, end_to_end=True).confidence(frame) == pytest.approx(0.3)
    assert detector_of(rows[:, :1], end_to_end=True).confidence(frame) == 0.0


@pytest.mark.parametrize(("size", "rounded"), [(640, 640), (620, 640), (321, 352)])
def test_its_size_is_a_multiple_of_the_stride(size: int, rounded: int) -> None:
    detector = YoloDetector(Saying(raw()), TRAITS, size=size)
    assert detector.name == f"yolo26n · nothing · f32 · {rounded} px"


# --- With the real model ---


@pytest.fixture(scope="module")
def labelled(test_data: Path) -> list[Labelled]:
    return pets(test_data)


@pytest.fixture(scope="module")
def model(models_dir: Path) -> Path:
    return next(models_dir.glob("yolo26n-*/model.onnx"))


@pytest.fixture(scope="module")
def torch_score(labelled: list[Labelled], model_file: Path) -> Score:
    """What Ultralytics' own predict finds with torch: the same JPEG bytes, and 480 by 640 for its tensor as well."""
    torch_model = yolo.import_ultralytics().YOLO(str(model_file))
    found = []
    for picture in labelled:
        result = torch_model.predict(decode_bgr(picture.jpeg), imgsz=640, conf=CONFIDENCE, classes=[0], verbose=False)[
            0
        ]
        found.append((result.boxes.xyxy.numpy(), result.boxes.conf.numpy()))
    return score(found, labelled)


def our_score(runner: Runner, labelled: list[Labelled]) -> Score:
    detector = YoloDetector(runner, TRAITS, size=640)
    found = []
    for picture in labelled:
        prepared = detector.prepare(decode_bgr(picture.jpeg))
        assert prepared.tensor.shape == (1, 480, 640, 3)
        boxes = detector.detect(prepared, camera_id=1).above(CONFIDENCE)
        found.append((boxes.xyxy, boxes.confidence))
    return score(found, labelled)


@pytest.mark.parametrize("runtime", [OpenVinoRunner, OnnxRunner])
def test_it_finds_whom_torch_finds(
    runtime: type[OpenVinoRunner], model: Path, labelled: list[Labelled], torch_score: Score
) -> None:
    ours = our_score(runtime(model, threads=2), labelled)
    assert torch_score.precision > 0.85  # The reference itself is sound.
    assert torch_score.recall > 0.75
    assert ours.is_within(0.015, torch_score), f"{ours} against torch's {torch_score}"


def test_serving_the_checkpoint_on_torch_finds_the_same(
    model_file: Path, labelled: list[Labelled], torch_score: Score
) -> None:
    """The way of CUDA, run on the CPU in 32 bits."""
    runner = yolo.TorchRunner(model_file, TRAITS, device="cpu", half=False)
    assert our_score(runner, labelled).is_within(0.001, torch_score)


def test_an_end_to_end_export_finds_the_same_person(
    model_file: Path, tmp_path: Path, clip: Callable[..., list[Picture]], model: Path
) -> None:
    ultralytics = yolo.import_ultralytics()
    copy = tmp_path / "copy.pt"
    copy.write_bytes(model_file.read_bytes())
    with pytest.warns():  # The tracer's.
        written = ultralytics.YOLO(str(copy)).export(format="onnx", dynamic=True, simplify=False, nms=False, imgsz=640)
    assert yolo._is_end_to_end(Path(written))
    assert not yolo._is_end_to_end(model)
    frame = clip("one-by-one-person-detection.mp4", every=100, most=2)[1]
    for traits, path in ((TRAITS, model), (Traits("yolo26n", 0, end_to_end=True), Path(written))):
        detector = YoloDetector(OnnxRunner(path, threads=2), traits, size=640)
        person = detector.detect(detector.prepare(frame), 1).above(0.5)
        assert len(person) == 1
        assert overlap(person.xyxy[0], np.array([375, 10, 515, 400])) > 0.8


def test_the_letterbox_is_that_of_ultralytics(clip: Callable[..., list[Picture]]) -> None:
    yolo.import_ultralytics()
    from ultralytics.data.augment import LetterBox

    frame = clip("car-detection.mp4", most=1)[0]
    for height, width in ((432, 768), (480, 640), (333, 500), (700, 300)):
        picture = cv2.resize(frame, (width, height))
        theirs = LetterBox((640, 640), auto=True, stride=32)(image=picture)
        assert np.array_equal(letterbox(picture, 640).tensor[0], theirs), (height, width)


def test_shapes_are_compiled_once_and_the_oldest_is_dropped(model: Path) -> None:
    runner = OpenVinoRunner(model, threads=2)
    shapes = [(1, 32, 32 * sides, 3) for sides in range(1, SHAPES_KEPT + 2)]
    for shape in shapes:
        assert runner(np.zeros(shape, np.uint8)).shape[1] == 84
    assert list(runner._compiled) == shapes[1:]
    kept = runner._compiled[shapes[1]]
    runner(np.zeros(shapes[1], np.uint8))
    assert runner._compiled[shapes[1]] is kept
    runner(np.zeros(shapes[0], np.uint8))
    assert set(runner._local.requests) <= set(runner._compiled)


@pytest.mark.parametrize("runtime", [OpenVinoRunner, OnnxRunner])
def test_threads_do_not_see_each_others_pictures(
    runtime: type[OpenVinoRunner], model: Path, clip: Callable[..., list[Picture]]
) -> None:
    frames = clip("one-by-one-person-detection.mp4", every=60, most=8)
    frames += [cv2.resize(frame, (640, 480)) for frame in frames]
    detector = YoloDetector(runtime(model, threads=2, streams=2), TRAITS, size=320)
    alone = [detector.confidence(frame) for frame in frames]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(detector.confidence, frames * 3))
    assert together == pytest.approx(alone * 3, abs=0.001)
    assert max(alone) > 0.5 > 0.1 > min(alone)


def test_serving_on_the_cpu_loads_no_torch(model: Path) -> None:
    code = (
        "import sys, numpy as np; from pathlib import Path\n"
        "from detections.detector import *\n"
        "from detections.runtimes import OpenVinoRunner; from detections.yolo import Traits, YoloDetector\n"
        f"served = YoloDetector(OpenVinoRunner(Path({str(model)!r}), threads=1), Traits('m', 0, False), size=320)\n"
        "served.detect(served.prepare(np.zeros((240, 320, 3), np.uint8)), 1)\n"
        "sys.exit(', '.join({'torch', 'ultralytics', 'onnx', 'onnxruntime'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
