"""Model files: found, exported once, refused with a clear word, and said to be in use."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.utils import translation
from pytest_django import Settings

from detections import weights
from detections.weights import WeightsError
from tests.detections.conftest import prepare_models


@pytest.fixture
def here(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty MODELS_DIR, and a current folder of its own."""
    settings.MODELS_DIR.mkdir(parents=True)
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize(
    ("named", "lies_at"),
    [
        ("yolo26n.pt", "models/yolo26n.pt"),
        ("yolo26n", "models/yolo26n.pt"),  # without its ending
        ("best.pt", "here/best.pt"),  # a file of the current folder
        ("sub/best.pt", "here/sub/best.pt"),  # a relative path
    ],
)
def test_the_checkpoint_is_found_by(settings: Settings, here: Path, named: str, lies_at: str) -> None:
    settings.OMIL_MODEL = named
    assert weights.checkpoint() is None
    area, _, rest = lies_at.partition("/")
    path = (settings.MODELS_DIR if area == "models" else here) / rest
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"x")
    assert weights.checkpoint() == path


def test_a_name_means_the_models_folder_before_the_current_one(settings: Settings, here: Path) -> None:
    settings.OMIL_MODEL = "yolo26n.pt"
    for folder in (here, settings.MODELS_DIR):
        (folder / "yolo26n.pt").write_bytes(b"x")
    assert weights.checkpoint() == settings.MODELS_DIR / "yolo26n.pt"


def test_without_a_setting_other_weights_of_people_will_do(settings: Settings, here: Path) -> None:
    for name in ("a-stance.pt", "a11n-pose.pt", "a11n-seg.pt", "gate.pt"):
        (settings.MODELS_DIR / name).write_bytes(b"x")
    settings.OMIL_POSE_MODEL = "a-stance.pt"
    settings.OMIL_MODEL = "yolo26n.pt"
    assert weights.checkpoint() == settings.MODELS_DIR / "gate.pt"
    settings.OMIL_MODEL = "yolo26s.pt"
    assert weights.checkpoint() is None


def test_the_advice_names_the_file_its_place_and_where_to_get_it(settings: Settings, here: Path) -> None:
    settings.OMIL_MODEL = "yolo26n.pt"
    assert str(settings.MODELS_DIR / "yolo26n.pt") in weights.how_to_add()
    assert f"{settings.WEIGHTS_URL}/yolo26n.pt" in weights.how_to_add()
    settings.OMIL_MODEL = str(here / "ours.pt")
    assert str(here / "ours.pt") in weights.how_to_add()
    assert settings.WEIGHTS_URL not in weights.how_to_add()


# --- Exports ---


def test_an_export_is_known_by_the_content_of_its_checkpoint(
    settings: Settings, models_dir: Path, model_file: Path, tmp_path: Path
) -> None:
    settings.MODELS_DIR, settings.OMIL_MODEL = models_dir, str(model_file)
    found = weights.exported()
    assert found is not None
    assert found.traits.stem == "yolo26n"
    assert found.model.is_file()
    other = tmp_path / "yolo26n.pt"
    other.write_bytes(model_file.read_bytes() + b"\0")
    settings.OMIL_MODEL = str(other)
    assert weights.exported() is None


def test_an_export_serves_after_its_checkpoint_has_gone(with_model: None, settings: Settings) -> None:
    settings.OMIL_MODEL = "yolo26n.pt"
    found = weights.exported()
    assert found is not None
    assert found.checkpoint is None
    settings.OMIL_MODEL = "yolo26s.pt"
    assert weights.exported() is None


@pytest.mark.parametrize("harm", ["no model", "no words", "other format", "broken words"])
def test_a_damaged_or_older_export_is_no_export(
    settings: Settings, models_dir: Path, model_file: Path, here: Path, harm: str
) -> None:
    settings.OMIL_MODEL = str(model_file)
    original = next(models_dir.glob("yolo26n-*"))
    copy = shutil.copytree(original, settings.MODELS_DIR / original.name)
    assert weights.exported() is not None
    about = copy / "model.json"
    if harm == "no model":
        (copy / "model.onnx").unlink()
    elif harm == "no words":
        about.unlink()
    elif harm == "other format":
        about.write_text(json.dumps({**json.loads(about.read_text()), "format": weights.FORMAT + 1}))
    else:
        about.write_text("{")
    assert weights.exported() is None


def test_two_processes_export_once(model_file: Path, tmp_path: Path) -> None:
    left_over = tmp_path / "models" / ".export-dead"
    left_over.mkdir(parents=True)
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _: prepare_models(model_file, tmp_path), range(2)))
    assert [process.returncode for process in done] == [0, 0], [process.stderr for process in done]
    assert sum("Exporting" in process.stdout for process in done) == 1
    assert all("Ready for analysis: yolo26n" in process.stdout for process in done)
    names = sorted(path.name for path in (tmp_path / "models").iterdir())
    assert len(names) == 2, names  # The lock and one export; the left-over is gone.
    assert names[1].startswith("yolo26n-")
    assert not list(model_file.parent.glob("*.onnx"))


@pytest.mark.parametrize("content", [b"", b"not a model", "cut"])
def test_a_damaged_file_is_refused_by_name(
    settings: Settings, here: Path, model_file: Path, content: bytes | str
) -> None:
    damaged = here / "damaged.pt"
    damaged.write_bytes(model_file.read_bytes()[:2_000_000] if isinstance(content, str) else content)
    settings.OMIL_MODEL = str(damaged)
    with pytest.raises(WeightsError, match=r"damaged\.pt is damaged"):
        weights.export(lambda line: None)
    assert not list(settings.MODELS_DIR.glob("*damaged*"))


def test_a_model_of_another_kind_is_refused(test_data: Path, tmp_path: Path) -> None:
    done = prepare_models(test_data / "weights" / "yolo11n-pose.pt", tmp_path)
    assert done.returncode == 1
    assert "'pose'" in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in (tmp_path / "models").iterdir()] == [".lock"]


class _Harm:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_code_in_a_checkpoint_does_not_run(tmp_path: Path) -> None:
    evil, proof = tmp_path / "evil.pt", tmp_path / "proof"
    with zipfile.ZipFile(evil, "w") as archive:
        archive.writestr("evil/data.pkl", pickle.dumps({"model": _Harm(proof)}, protocol=2))
        archive.writestr("evil/version", "3\n")
        archive.writestr("evil/byteorder", "little")
    done = prepare_models(evil, tmp_path / "data")
    assert done.returncode == 1
    assert "cannot be used as a YOLO detection model" in done.stderr
    assert not proof.exists()


# --- Omil's own model ---


@pytest.fixture
def own(settings: Settings, here: Path) -> Path:
    """A copy of it, for harm."""
    copy = here / "own"
    shutil.copytree(settings.OWN_MODEL_DIR, copy)
    settings.OWN_MODEL_DIR = copy
    return copy


def test_omils_own_model_is_whole_and_small(own: Path) -> None:
    found = weights.own()
    assert (found.traits.stem, found.checkpoint) == (weights.OWN, None)
    assert found.model.is_file()
    assert found.in_integers == own / "model.xml"
    assert sum(path.stat().st_size for path in own.iterdir()) < 10_000_000


@pytest.mark.parametrize("name", ["model.onnx", "model.xml", "model.bin", "model.json"])
@pytest.mark.parametrize("harm", ["changed", "gone"])
def test_a_damaged_model_of_our_own_is_refused_by_name(own: Path, name: str, harm: str) -> None:
    weights.own()
    if harm == "gone":
        (own / name).unlink()
    else:
        (own / name).write_bytes((own / name).read_bytes()[:-1])
    with pytest.raises(WeightsError, match=rf"own model is damaged \(.*git checkout {own}"):
        weights.own()


def test_a_later_form_of_our_own_model_is_refused(own: Path) -> None:
    about = json.loads((own / "model.json").read_text())
    (own / "model.json").write_text(json.dumps({**about, "format": weights.FORMAT + 1}))
    with pytest.raises(WeightsError, match="format 2, not 1"):
        weights.own()


def test_omils_own_model_is_prepared_by_name_and_nothing_is_fetched(
    settings: Settings, own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.OMIL_MODEL, settings.WEIGHTS_URL = "omil-person", "http://127.0.0.1:9"
    call_command("prepare_models")
    said = capsys.readouterr().out
    assert "Ready for analysis: omil-person" in said
    assert "Ready for gate: omil-person" in said
    assert "127.0.0.1" not in said
    (own / "model.bin").unlink()
    with pytest.raises(CommandError, match="own model is damaged"):
        call_command("prepare_models")


# --- prepare_models ---


def test_without_a_model_it_fails_and_says_what_to_put_where(settings: Settings, here: Path) -> None:
    settings.OMIL_MODEL = "yolo26n.pt"
    with pytest.raises(CommandError, match=str(settings.MODELS_DIR / "yolo26n.pt")):
        call_command("prepare_models", "--offline")


def test_a_first_run_without_a_model_says_so_and_goes_on(
    settings: Settings, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.OMIL_MODEL = "yolo26n.pt"
    call_command("prepare_models", "--first-run", "--offline")
    said = capsys.readouterr().out
    assert str(settings.MODELS_DIR / "yolo26n.pt") in said
    assert "Going on with Omil's own model" in said
    assert "Ready for analysis: omil-person" in said


@pytest.mark.parametrize("named", ["yolo26n.pt", "omil-person"])
def test_a_first_run_without_any_model_says_so_and_goes_on(
    settings: Settings, own: Path, capsys: pytest.CaptureFixture[str], named: str
) -> None:
    settings.OMIL_MODEL = named
    (own / "model.onnx").unlink()
    call_command("prepare_models", "--first-run", "--offline")
    assert "own model is damaged" in capsys.readouterr().out


def test_with_an_export_it_only_verifies(with_model: None, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("prepare_models")
    said = capsys.readouterr().out
    assert "Exporting" not in said
    assert "Ready for analysis: yolo26n" in said
    assert "320 px" in said


# --- The detector in use ---


def test_before_any_worker_has_started_no_detector_is_named() -> None:
    assert weights.status() == weights.DetectorStatus("", is_fallback=False, reason="", advice="")


def test_a_model_in_use_needs_no_advice() -> None:
    weights.announce(name="yolo26n · OpenVINO", is_fallback=False)
    assert weights.status() == weights.DetectorStatus("yolo26n · OpenVINO", is_fallback=False, reason="", advice="")


def test_the_fallback_in_use_says_why_and_what_to_do(settings: Settings) -> None:
    weights.announce(name="omil-person · OpenVINO", is_fallback=True, reason="There is no model file.")
    status = weights.status()
    assert status.is_fallback
    assert status.reason == "There is no model file."
    with translation.override("en"):
        advice = weights.status().advice
    assert str(settings.MODELS_DIR) in advice
    assert "licences: see models/omil-person/README.md" in advice
    assert not list(settings.RUN_DIR.glob(".detector*"))


def test_where_no_model_can_serve_the_advice_praises_none(settings: Settings) -> None:
    weights.announce(name="", is_fallback=True, reason="Omil's own model is damaged.")
    with translation.override("en"):
        assert weights.status().advice.startswith("Download ")
    settings.OMIL_MODEL = "omil-person"  # The reason says how to bring it back.
    assert weights.status().advice == ""


def test_half_a_status_file_is_no_status(settings: Settings) -> None:
    settings.RUN_DIR.mkdir(parents=True)
    (settings.RUN_DIR / "detector.json").write_text('{"name": "yo')
    assert weights.status().name == ""


def test_asking_for_the_status_loads_nothing_heavy() -> None:
    code = (
        "import django, sys; django.setup()\n"
        "from detections import weights; weights.status()\n"
        "sys.exit(', '.join({'torch', 'ultralytics', 'openvino', 'onnxruntime'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=django_settings.BASE_DIR,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
