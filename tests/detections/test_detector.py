"""Which detector a process gets: the weights asked for, else Omil's own model; and how it changes when weights come."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openvino
import pytest
from django.utils import translation
from pytest_django import Settings

from detections import detector, weights, yolo
from detections.detector import on_cpu, warm
from detections.letterbox import Picture
from detections.runtimes import OpenVinoRunner
from detections.weights import WeightsError


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process on the fallback looks for weights whenever it is asked."""
    monkeypatch.setattr(detector, "LOOK_EVERY_S", 0.0)


@pytest.fixture
def without_weights(settings: Settings) -> None:
    settings.MODELS_DIR.mkdir(parents=True)
    settings.OMIL_MODEL = "yolo26n.pt"


@pytest.fixture
def damaged_own(settings: Settings, without_weights: None, tmp_path: Path) -> Path:
    """Omil's own model with a byte too many."""
    copy = tmp_path / "own"
    shutil.copytree(settings.OWN_MODEL_DIR, copy)
    for name in ("model.onnx", "model.bin"):
        (copy / name).write_bytes((copy / name).read_bytes() + b"\0")
    settings.OWN_MODEL_DIR = copy
    detector.forget()  # A thread of an earlier test may have asked before it was damaged.
    return copy


@pytest.fixture
def person(clip: Callable[..., list[Picture]]) -> Picture:
    return clip("one-by-one-person-detection.mp4", every=100, most=2)[1]


@pytest.fixture
def broken(settings: Settings, models_dir: Path) -> Path:
    """An export whose model is no model."""
    settings.OMIL_MODEL = "yolo26n.pt"
    original = next(models_dir.glob("yolo26n-*"))
    copy = Path(shutil.copytree(original, settings.MODELS_DIR / original.name))
    (copy / "model.onnx").write_bytes(b"no model")
    return copy


def test_with_a_model_it_finds_people_and_says_what_serves(with_model: None, person: Picture) -> None:
    served = detector.get_detector()
    boxes = served.detect(served.prepare(person), camera_id=1).above(0.5)
    assert len(boxes) == 1
    status = weights.status()
    assert status.name == served.name
    assert status.name.startswith("yolo26n · OpenVINO · ")
    assert status.name.endswith(" · 640 px")
    assert not status.is_fallback


def test_a_process_has_one(with_model: None) -> None:
    assert detector.get_detector() is detector.get_detector()
    assert detector.get_person_finder() is detector.get_person_finder()


def test_without_weights_omils_own_model_finds_people_and_it_says_why(
    without_weights: None, settings: Settings, person: Picture
) -> None:
    served = detector.get_detector()
    assert served.name.startswith("omil-person · OpenVINO · ")
    assert served.name.endswith(f" · {weights.own().size} px")
    assert len(served.detect(served.prepare(person), camera_id=1).above(settings.CONFIDENCE)) == 1
    status = weights.status()
    assert status.is_fallback
    assert status.name == served.name
    assert status.reason == "There are no weights."
    with translation.override("ko"):
        assert weights.status().reason == "가중치 파일이 없습니다."


@pytest.mark.parametrize("named", ["omil-person", "none"])
def test_omils_own_model_by_choice_is_no_fallback(with_model: None, settings: Settings, named: str) -> None:
    settings.OMIL_MODEL = named
    assert detector.get_detector().name.startswith("omil-person")
    assert detector.get_person_finder() is not None
    status = weights.status()
    assert (status.is_fallback, status.reason, status.advice) == (False, "", "")


def test_a_size_that_is_set_counts_for_every_model(without_weights: None, settings: Settings) -> None:
    settings.IMAGE_SIZE = 416
    assert detector.get_detector().name.endswith(" · 416 px")


def test_each_form_of_omils_own_model_finds_the_same(
    without_weights: None, settings: Settings, person: Picture
) -> None:
    found = weights.own()
    assert found.in_integers is not None
    in_integers = OpenVinoRunner(found.in_integers, threads=1)
    makers = [lambda: in_integers, *on_cpu(found, threads=1)]
    forms = [warm(found, [maker], size=320) for maker in makers]
    names = [form.name for form in forms if form]
    assert names[0] == "omil-person · OpenVINO · int8 · 320 px"
    assert names[1].startswith("omil-person · OpenVINO · ")
    assert names[2] == "omil-person · ONNX Runtime · f32 · 320 px"
    first, *others = (each.detect(each.prepare(person), 1).above(settings.CONFIDENCE) for each in forms if each)
    for other in others:
        assert other.xyxy == pytest.approx(first.xyxy, abs=0.03 * person.shape[1])
        assert other.confidence == pytest.approx(first.confidence, abs=0.1)


def test_a_processor_without_16_bit_floats_takes_integers(monkeypatch: pytest.MonkeyPatch) -> None:
    found = weights.own()
    monkeypatch.setattr(openvino.Core, "get_property", lambda *_asked: ["FP32", "INT8"])
    runner = OpenVinoRunner(found.model, threads=1, in_integers=found.in_integers)
    monkeypatch.undo()
    runner(np.zeros((1, 192, 320, 3), np.uint8))
    assert runner.name == "OpenVINO · int8"


def test_a_damaged_model_of_our_own_is_said_and_serves_once_it_is_back(
    damaged_own: Path, settings: Settings, at_once: None
) -> None:
    for _time in range(2):
        with pytest.raises(WeightsError, match=r"own model is damaged \(model\.onnx .*git checkout"):
            detector.get_detector()
    assert detector.get_person_finder() is None  # The gate goes by motion alone.
    status = weights.status()
    assert (status.name, status.is_fallback) == ("", True)
    assert "There are no weights. Omil's own model is damaged" in status.reason
    assert str(settings.MODELS_DIR) in status.advice
    for name in ("model.onnx", "model.bin"):
        (damaged_own / name).write_bytes((damaged_own / name).read_bytes()[:-1])
    assert detector.get_detector().name == weights.status().name
    assert detector.get_person_finder() is not None


def test_the_gate_has_omils_own_model_where_there_are_no_weights(
    without_weights: None, settings: Settings, clip: Callable[..., list[Picture]], person: Picture
) -> None:
    find = detector.get_person_finder()
    assert find is not None
    empty = clip("one-by-one-person-detection.mp4", most=1)[0]
    assert find(person) > settings.GATE_CONFIDENCE > find(empty)


def test_the_gate_sees_the_person_and_the_empty_room(
    with_model: None, clip: Callable[..., list[Picture]], person: Picture
) -> None:
    find = detector.get_person_finder()
    assert find is not None
    empty = clip("one-by-one-person-detection.mp4", most=1)[0]
    assert find(person) > 0.5 > 0.1 > find(empty)


def test_weights_that_come_later_take_over(
    without_weights: None, at_once: None, settings: Settings, models_dir: Path, person: Picture
) -> None:
    first, look = detector.get_detector(), detector.get_person_finder()
    assert detector.get_detector() is first
    assert detector.get_person_finder() is look
    original = next(models_dir.glob("yolo26n-*"))
    shutil.copytree(original, settings.MODELS_DIR / original.name)
    assert detector.get_detector().name.startswith("yolo26n")
    assert not weights.status().is_fallback
    assert detector.get_person_finder() is not look


def test_a_process_looks_for_weights_only_now_and_then(
    without_weights: None, settings: Settings, models_dir: Path
) -> None:
    first = detector.get_detector()
    original = next(models_dir.glob("yolo26n-*"))
    shutil.copytree(original, settings.MODELS_DIR / original.name)
    assert detector.get_detector() is first


def test_a_broken_export_means_the_fallback_and_is_not_tried_again(
    broken: Path, at_once: None, caplog: pytest.LogCaptureFixture
) -> None:
    first = detector.get_detector()
    assert first.name.startswith("omil-person")
    assert "did not run" in weights.status().reason
    assert detector.get_person_finder() is not None
    complaints = len(caplog.records)
    assert complaints > 0
    assert detector.get_detector() is first
    assert len(caplog.records) == complaints


def test_where_openvino_is_missing_onnx_runtime_serves(
    with_model: None, monkeypatch: pytest.MonkeyPatch, person: Picture
) -> None:
    def missing(self: OpenVinoRunner, model: Path, *, threads: int, streams: int = 1) -> None:
        raise ImportError("No module named 'openvino'")

    monkeypatch.setattr(OpenVinoRunner, "__init__", missing)
    served = detector.get_detector()
    assert served.name == "yolo26n · ONNX Runtime · f32 · 640 px"
    assert len(served.detect(served.prepare(person), camera_id=1).above(0.5)) == 1


def test_a_gpu_that_does_not_work_leaves_the_work_to_the_cpu(
    with_model: None, settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_args: object) -> None:
        raise RuntimeError("no CUDA here")

    settings.DEVICE = "cuda"
    monkeypatch.setattr(yolo, "TorchRunner", refuse)
    assert "OpenVINO" in detector.get_detector().name
    assert "no CUDA here" in caplog.text


def test_a_checkpoint_not_yet_exported_is_exported_by_another_process(
    without_weights: None, settings: Settings, models_dir: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.OMIL_MODEL = str(model_file)
    commands: list[list[str]] = []

    def run(command: list[str], env: dict[str, str], **_options: object) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        assert env["OMIL_MODEL"] == str(model_file)
        assert env["OMIL_DATA_DIR"] == str(settings.DATA_DIR)
        original = next(models_dir.glob("yolo26n-*"))
        shutil.copytree(original, settings.MODELS_DIR / original.name)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    assert detector.get_detector(leads=False).name.startswith("omil-person")
    assert not commands
    assert not weights.status().name  # Who does not lead does not tell what serves, either.
    detector.forget()
    assert detector.get_detector().name.startswith("yolo26n")
    assert [command[-2:] for command in commands] == [["prepare_models", "--offline"]]


def test_a_checkpoint_that_cannot_be_exported_means_the_fallback_with_the_reason(
    without_weights: None, settings: Settings, tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged.pt"
    damaged.write_bytes(b"no model")
    settings.OMIL_MODEL = str(damaged)
    assert detector.get_detector().name.startswith("omil-person")
    assert "damaged.pt is damaged" in json.loads((settings.RUN_DIR / "detector.json").read_text())["reason"]
