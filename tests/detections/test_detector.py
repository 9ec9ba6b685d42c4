"""Which detector a process gets, and how it changes when a model file comes."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_django import Settings

from detections import detector, weights, yolo
from detections.letterbox import Picture
from detections.runtimes import OpenVinoRunner


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process on the fallback looks for a model whenever it is asked."""
    monkeypatch.setattr(detector, "LOOK_EVERY_S", 0.0)


@pytest.fixture
def without_model(settings: Settings) -> None:
    settings.MODELS_DIR.mkdir(parents=True)
    settings.OMIL_MODEL = "yolo26n.pt"


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
    assert not served.is_fallback
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


def test_without_a_model_it_serves_the_fallback_and_says_why(without_model: None) -> None:
    assert detector.get_detector().is_fallback
    status = weights.status()
    assert status.is_fallback
    assert status.name == detector.get_detector().name
    assert "no model file" in status.reason


def test_the_gate_goes_by_motion_without_a_model(without_model: None) -> None:
    assert detector.get_person_finder() is None


def test_the_gate_sees_the_person_and_the_empty_room(
    with_model: None, clip: Callable[..., list[Picture]], person: Picture
) -> None:
    find = detector.get_person_finder()
    assert find is not None
    empty = clip("one-by-one-person-detection.mp4", most=1)[0]
    assert find(person) > 0.5 > 0.1 > find(empty)


def test_a_model_that_comes_later_takes_over(
    without_model: None, at_once: None, settings: Settings, models_dir: Path, person: Picture
) -> None:
    first = detector.get_detector()
    assert first.is_fallback
    assert detector.get_detector() is first
    assert detector.get_person_finder() is None
    original = next(models_dir.glob("yolo26n-*"))
    shutil.copytree(original, settings.MODELS_DIR / original.name)
    assert not detector.get_detector().is_fallback
    assert not weights.status().is_fallback
    assert detector.get_person_finder() is not None


def test_a_process_looks_for_a_model_only_now_and_then(
    without_model: None, settings: Settings, models_dir: Path
) -> None:
    detector.get_detector()
    original = next(models_dir.glob("yolo26n-*"))
    shutil.copytree(original, settings.MODELS_DIR / original.name)
    assert detector.get_detector().is_fallback


def test_a_broken_export_means_the_fallback_and_is_not_tried_again(
    broken: Path, at_once: None, caplog: pytest.LogCaptureFixture
) -> None:
    assert detector.get_detector().is_fallback
    assert "did not run" in weights.status().reason
    complaints = len(caplog.records)
    assert complaints > 0
    assert detector.get_detector().is_fallback
    assert detector.get_person_finder() is None
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
    without_model: None, settings: Settings, models_dir: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch
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
    assert not detector.get_detector().is_fallback
    assert [command[-2:] for command in commands] == [["prepare_models", "--offline"]]


def test_a_checkpoint_that_cannot_be_exported_means_the_fallback_with_the_reason(
    without_model: None, settings: Settings, tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged.pt"
    damaged.write_bytes(b"no model")
    settings.OMIL_MODEL = str(damaged)
    assert detector.get_detector().is_fallback
    assert "damaged.pt is damaged" in json.loads((settings.RUN_DIR / "detector.json").read_text())["reason"]
