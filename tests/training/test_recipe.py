"""The recipe of Omil's own model on a few real pictures: one seed gives one model, and it goes on where it stopped."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings as conf

PICTURES = 12  # Of each kind.
SHORT = ["imgsz=64", "batch=8", "epochs=2", "close_mosaic=0"]
FINGERPRINT = """
import hashlib, sys, torch, training
kept = torch.load(sys.argv[1], weights_only=False)
model = kept["ema"] or kept["model"]
digest = hashlib.sha256()
for name, values in sorted(model.state_dict().items()):
    digest.update(name.encode() + values.float().numpy().tobytes())
print(digest.hexdigest())
"""


@pytest.fixture
def pictures(test_data: Path, tmp_path: Path) -> Path:
    """Some pictures with people and some without, with their labels and ignored regions."""
    for kind in ("people", "empty"):
        for picture in sorted((test_data / "train" / kind / "images").iterdir())[:PICTURES]:
            for part, name in (("images", picture.name), *((p, f"{picture.stem}.txt") for p in ("labels", "ignore"))):
                file = test_data / "train" / kind / part / name
                if file.exists():
                    target = tmp_path / "pictures" / kind / part
                    target.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(file, target / name)
    return tmp_path / "pictures"


def python(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=conf.BASE_DIR, capture_output=True, text=True, timeout=170, check=False)


def run(*arguments: str | Path) -> str:
    done = python(*arguments)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def train(pictures: Path, runs: Path, *options: str | Path) -> str:
    return run("-m", "training.train", pictures, "--runs", runs, "--threads", "1", *options, "--set", *SHORT)


def fingerprint(runs: Path) -> str:
    return run("-c", FINGERPRINT, runs / "weights" / "last.pt")


def epochs(runs: Path) -> list[str]:
    with (runs / "results.csv").open() as file:
        return [row["epoch"].strip() for row in csv.DictReader(file)]


@pytest.mark.timeout(400)
def test_the_same_seed_gives_the_same_model_with_a_teacher(pictures: Path, tmp_path: Path, test_data: Path) -> None:
    teacher = test_data / "weights" / "yolo11n.pt"
    for name in ("one", "other"):
        told = train(pictures, tmp_path / name, "--teacher", teacher)
        assert "teacher_features" in told
    assert fingerprint(tmp_path / "one") == fingerprint(tmp_path / "other")


@pytest.mark.timeout(400)
def test_it_stops_in_time_and_goes_on_where_it_was(pictures: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    train(pictures, runs, "--hours", "0.000001")
    assert epochs(runs) == ["1"]
    before = fingerprint(runs)

    train(pictures, runs)

    assert epochs(runs) == ["1", "2"]
    assert fingerprint(runs) != before


def test_a_folder_without_pictures_is_named(tmp_path: Path) -> None:
    done = python("-m", "training.train", tmp_path, "--runs", tmp_path / "runs")
    assert done.returncode != 0
    assert f"There are no pictures (images/*.jpg) in {tmp_path}." in done.stderr
