"""The dancer, whose poses were told once by the real model, as a video and as a lesson of unit X."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from django.conf import settings as django_settings
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from pytest_django import Settings

from accounts.models import Unit, User
from detections import pose
from tests.flow.web import Web
from tests.lessons import told
from videos import following, lesson_eye
from videos.lesson_models import Lesson
from videos.models import Video
from videos.sampling import samples

PER_S = 5.0


@pytest.fixture(scope="session")
def pose_models(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A MODELS_DIR with yolo26n and yolo11n-pose exported, by the command that people run; read it only."""
    data_dir = tmp_path_factory.mktemp("poses")
    weights = test_data / "weights"
    env = {"OMIL_MODEL": str(weights / "yolo26n.pt"), "OMIL_POSE_MODEL": str(weights / "yolo11n-pose.pt")}
    done = subprocess.run(
        [sys.executable, str(django_settings.BASE_DIR / "manage.py"), "prepare_models", "--offline"],
        env={**os.environ, **env, "OMIL_DATA_DIR": str(data_dir)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Ready for poses: yolo11n-pose" in done.stdout
    return data_dir / "models"


@pytest.fixture
def with_poses(settings: Settings, pose_models: Path) -> None:
    settings.MODELS_DIR = pose_models
    settings.OMIL_MODEL, settings.OMIL_POSE_MODEL = "yolo26n.pt", "yolo11n-pose.pt"


@pytest.fixture(autouse=True)
def forgotten(settings: Settings, tmp_path: Path) -> Iterator[None]:
    """Storage of its own, and no model of another test."""
    local = {"BACKEND": "recordings.stores.LocalStorage", "OPTIONS": {"location": tmp_path / "videos"}}
    settings.STORAGES = {**settings.STORAGES, "videos": local}
    following._reference.cache_clear()
    yield
    lesson_eye.worker().submit(pose.forget).result()


@dataclass(frozen=True, slots=True)
class Told:
    """What the analysis of a clip says of its poses, line by line."""

    clip: Path
    lines: bytes

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines.splitlines()]


@pytest.fixture(scope="session")
def dancer(test_data: Path, pose_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """dancer_dev at five samples a second, through detector, tracker and the analyser of poses, in another process."""
    clip = test_data / "videos" / "dancer_dev.mp4"
    return Told(clip, told.by_the_models(clip, PER_S, pose_models, tmp_path_factory.mktemp("dancer")))


def video_of(told_: Told, unit: Unit, by: User) -> Video:
    made = Video.objects.create(
        unit=unit,
        uploaded_by=by,
        title=told_.clip.name,
        state=Video.State.DONE,
        wants_poses=True,
        duration_s=31.44,
        width=518,
        height=496,
        per_s=PER_S,
        is_playable=True,
        extension="mp4",
    )
    storages["videos"].save(made.name_of("poses.jsonl"), ContentFile(told_.lines))
    return made


@pytest.fixture
def video(dancer: Told, unit_x: Unit, bob: User) -> Video:
    return video_of(dancer, unit_x, bob)


@pytest.fixture
def lesson(video: Video, bob: User) -> Lesson:
    return following.lesson_of(video, bob.pk)


# --- In a browser ---

LENGTH_S, FPS = 20, 25
SIZE_WH = (384, 368)
PASSWORD = "correct horse battery"
SEED = """
import json, shutil
from pathlib import Path
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from accounts.models import Unit, User
from videos import following
from videos.models import Video
user = User.objects.create_superuser("bob", password={password!r})
video = Video.objects.create(unit=Unit.objects.create(name="X"), uploaded_by=user, title="Dance", state="done",
    wants_poses=True, duration_s={length_s}, width=384, height=368, per_s=5, is_playable=True, extension="mp4")
storages["videos"].save(video.original_name, ContentFile(Path({film!r}).read_bytes()))
storages["videos"].save(video.name_of("poses.jsonl"), ContentFile(Path({rows!r}).read_bytes()))
told = [str(following.lesson_of(video, user.pk).pk), str(video.pk)]
"""


@pytest.fixture(scope="module")
def pictures(test_data: Path) -> list[np.ndarray]:
    """The beginning of the dance, as it is filmed."""
    seen = islice(samples(test_data / "videos" / "dancer_dev.mp4", FPS), LENGTH_S * FPS)
    return [cv2.resize(sample.frame_bgr, SIZE_WH, interpolation=cv2.INTER_AREA) for sample in seen]


@pytest.fixture(scope="module")
def film(pictures: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "20", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = *SIZE_WH, "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def web(pose_models: Path, valkey: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    folder = tmp_path_factory.mktemp("lesson") / "var"
    folder.mkdir()
    (folder / "models").symlink_to(pose_models)
    with Web(
        folder, redis_url=valkey, env={"OMIL_MODEL": "yolo26n.pt", "OMIL_POSE_MODEL": "yolo11n-pose.pt"}
    ) as running:
        yield running


@pytest.fixture(scope="module")
def small_rows(dancer: Told) -> list[dict[str, Any]]:
    """The dancer's poses in the film."""
    rows = [row for row in dancer.rows if row["at_s"] <= LENGTH_S]
    x, y = SIZE_WH[0] / 518, SIZE_WH[1] / 496
    for row in rows:
        for person in row["people"]:
            person["points"] = [[px * x, py * y, confidence] for px, py, confidence in person["points"]]
    return rows


@pytest.fixture(scope="module")
def seeded(web: Web, film: Path, small_rows: list[dict[str, Any]]) -> tuple[str, str]:
    """The ids of the lesson and of its video."""
    kept = film.with_suffix(".jsonl")
    kept.write_text("".join(json.dumps(row) + "\n" for row in small_rows))
    lesson, video = web.seed(SEED.format(password=PASSWORD, length_s=LENGTH_S, film=str(film), rows=str(kept)))
    return lesson, video
