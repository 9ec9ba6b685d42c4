"""Poses: read from a model's output, found by a real model, and missed in a way that people can mend."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from django.core.management import call_command
from pytest_django import Settings

from detections import detector, pose, weights
from detections.letterbox import Picture
from detections.points import MIRRORED, POINTS
from detections.pose import PoseFinder
from detections.weights import POSES
from detections.yolo import Traits
from tests.detections.conftest import prepare_models


@pytest.fixture(autouse=True)
def pose_forgotten() -> Iterator[None]:
    pose.forget()
    yield
    pose.forget()


def raw(*people: tuple[float, float, float, float, float]) -> np.ndarray:
    """A model's output (1, 56, n): centre, size, score; each point lies at the centre, sure by its number."""
    columns = []
    for x, y, width, height, score in people:
        points = [value for number in range(17) for value in (x, y, number / 16)]
        columns.append([x, y, width, height, score, *points])
    return np.array([columns], np.float32).reshape(1, -1, 56).transpose(0, 2, 1)


class FixedRunner:
    name = "fixed"

    def __init__(self, output: np.ndarray) -> None:
        self.output = output

    def __call__(self, tensor: np.ndarray) -> np.ndarray:
        return self.output


def found(output: np.ndarray, *, end_to_end: bool = False, size_wh: tuple[int, int] = (320, 160)) -> list[pose.Pose]:
    finder = PoseFinder(FixedRunner(output), Traits("fixed", 0, end_to_end), size=640)
    return finder.find(np.zeros((size_wh[1], size_wh[0], 3), np.uint8))


def test_it_reads_raw_output_in_pixels_of_the_frame() -> None:
    [one] = found(raw((320, 160, 100, 200, 0.9)))  # The picture is drawn at twice its size.
    assert one.xyxy.tolist() == [135, 30, 185, 130]
    assert one.points[:, :2].tolist() == [[160, 80]] * 17
    assert one.points[:, 2].tolist() == pytest.approx([number / 16 for number in range(17)])
    assert one.confidence == pytest.approx(0.9)


def test_the_surest_come_first_and_second_boxes_go() -> None:
    boxes = [(100, 100, 80, 80, 0.5), (500, 100, 80, 80, 0.8), (102, 100, 80, 80, 0.7), (300, 100, 50, 50, 0.2)]
    people = found(raw(*boxes))
    assert [person.confidence for person in people] == pytest.approx([0.8, 0.7])


def test_it_reads_the_output_of_end_to_end_models() -> None:
    row = [270, 60, 370, 260, 0.9, 0, *[value for _ in range(17) for value in (320, 160, 0.5)]]
    faint = [0, 0, 10, 10, 0.1, 0, *[0.0] * 51]
    [one] = found(np.array([[row, faint]], np.float32), end_to_end=True)
    assert one.xyxy.tolist() == [135, 30, 185, 130]
    assert one.points.tolist() == [[160, 80, 0.5]] * 17


def test_nobody_is_no_pose_and_nothing_lies_outside_the_picture() -> None:
    assert found(raw()) == []
    [one] = found(raw((635, 315, 100, 100, 0.9)))
    assert (one.points[:, 0] <= 320).all()
    assert (one.xyxy[2:] <= (320, 160)).all()


def test_a_mirrored_point_is_that_of_the_other_side() -> None:
    for number, other in enumerate(MIRRORED):
        assert POINTS[other].replace("left", "right") == POINTS[number].replace("left", "right")
        assert MIRRORED[other] == number


# --- Model files ---


@pytest.fixture(scope="session")
def pose_file(test_data: Path) -> Path:
    return test_data / "weights" / "yolo11n-pose.pt"


@pytest.fixture(scope="session")
def pose_dir(pose_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A MODELS_DIR with the pose model exported, and no model of people."""
    data_dir = tmp_path_factory.mktemp("pose")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "OMIL_POSE_MODEL", str(pose_file))
        done = prepare_models("none", data_dir, "--first-run", "--offline")
    assert done.returncode == 0, done.stderr
    assert "Ready for poses: yolo11n-pose · OpenVINO" in done.stdout
    return data_dir / "models"


def test_a_real_model_finds_the_dancers_limbs(
    settings: Settings, pose_dir: Path, clip: Callable[..., list[Picture]]
) -> None:
    settings.MODELS_DIR, settings.OMIL_POSE_MODEL = pose_dir, "yolo11n-pose.pt"
    finder = pose.get_pose_finder()
    assert finder is not None
    assert finder is pose.get_pose_finder()
    for frame in clip("dancer_dev.mp4", every=100):
        [one] = finder.find(frame)
        assert (one.points[:, 2] > 0.5).sum() >= 13
        nose, left_hip, left_ankle = (one.points[POINTS.index(name)] for name in ("nose", "left_hip", "left_ankle"))
        assert nose[1] < left_hip[1] < left_ankle[1]
        inside = (one.points[:, :2] >= one.xyxy[:2] - 20) & (one.points[:, :2] <= one.xyxy[2:] + 20)
        assert inside.all()


def test_a_small_look_finds_the_same(settings: Settings, pose_dir: Path, clip: Callable[..., list[Picture]]) -> None:
    settings.MODELS_DIR, settings.OMIL_POSE_MODEL = pose_dir, "yolo11n-pose.pt"
    finder = pose.get_pose_finder()
    assert finder is not None
    [frame] = clip("dancer_dev.mp4", most=1)
    [large], [small] = finder.find(frame), finder.find(frame, size=416)
    assert np.abs(large.points[:, :2] - small.points[:, :2]).max() < 25


def test_a_model_of_poses_is_never_taken_for_one_of_people(settings: Settings, pose_dir: Path) -> None:
    settings.MODELS_DIR, settings.OMIL_MODEL, settings.OMIL_POSE_MODEL = pose_dir, "yolo11n.pt", "yolo11n-pose.pt"
    assert weights.exported(POSES) is not None
    assert weights.exported() is None
    settings.OMIL_MODEL = "yolo11n-pose.pt"
    assert weights.exported() is None


def test_a_model_of_people_is_no_pose_model(settings: Settings, test_data: Path, tmp_path: Path) -> None:
    settings.MODELS_DIR = tmp_path
    settings.OMIL_POSE_MODEL = str(test_data / "weights" / "yolo26n.pt")
    with pytest.raises(
        weights.WeightsError, match="cannot be used as a YOLO pose model: it is a model for the task 'det"
    ):
        weights.export(lambda line: None, POSES)


def test_without_a_model_it_says_what_to_put_where(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings.OMIL_POSE_MODEL = "yolo11n-pose.pt"
    assert pose.get_pose_finder() is None
    assert str(settings.MODELS_DIR / "yolo11n-pose.pt") in weights.why_not(POSES)
    assert f"{settings.WEIGHTS_URL}/yolo11n-pose.pt" in weights.why_not(POSES)


def test_the_want_of_it_stops_nothing_else(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    settings.OMIL_MODEL, settings.OMIL_POSE_MODEL = "yolo26n.pt", "yolo11n-pose.pt"
    call_command("prepare_models", "--first-run", "--offline")
    said = capsys.readouterr().out
    assert "Going on without poses." in said
    assert str(settings.MODELS_DIR / "yolo11n-pose.pt") in said


def test_none_means_none(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    settings.OMIL_MODEL, settings.OMIL_POSE_MODEL = "yolo26n.pt", "none"
    call_command("prepare_models", "--first-run", "--offline")
    assert "pose" not in capsys.readouterr().out.lower()


def test_where_openvino_is_missing_onnx_runtime_serves(
    settings: Settings, pose_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MODELS_DIR, settings.OMIL_POSE_MODEL = pose_dir, "yolo11n-pose.pt"

    def missing(*_arguments: object, **_options: object) -> None:
        raise ImportError("no OpenVINO here")

    monkeypatch.setattr(detector, "OpenVinoRunner", missing)
    finder = pose.get_pose_finder()
    assert finder is not None
    assert "ONNX Runtime" in finder.name


def test_a_model_that_comes_later_is_taken(
    settings: Settings, pose_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MODELS_DIR, settings.OMIL_POSE_MODEL = tmp_path / "models", "yolo11n-pose.pt"
    assert pose.get_pose_finder() is None
    shutil.copytree(pose_dir, settings.MODELS_DIR)
    assert pose.get_pose_finder() is None  # It looks only now and then.
    monkeypatch.setattr(pose, "LOOK_EVERY_S", 0.0)
    assert pose.get_pose_finder() is not None
