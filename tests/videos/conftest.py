"""A media worker's surroundings: a detector that needs no model, uploads by hand, and what is left of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings as conf

from accounts.models import Unit, User
from tests.kept import kept_names
from tests.videos import films
from videos import intake, jobs, places, turn
from videos.intake import Wish
from videos.models import Video, VideoVisit
from videos.storages import store

Uploaded = Callable[..., Video]


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> Iterator[films.WhiteFigures]:
    """The detector of this process."""
    detector = films.WhiteFigures()
    monkeypatch.setattr(turn, "get_detector", lambda **_options: detector)
    yield detector
    for video_id in list(turn._paused):
        turn._forget(video_id)


@pytest.fixture
def uploaded(empty_valkey: str, unit_x: Unit, bob: User) -> Uploaded:
    """What bob uploaded, as it is when all of it has come."""

    def upload(path: Path, **wishes: object) -> Video:
        wish = Wish(**{"title": path.name, "size": path.stat().st_size, "unit": unit_x, "per_s": 5.0, **wishes})  # type: ignore[arg-type]
        video = intake.begin(bob, wish)
        with path.open("rb") as file:
            intake.add(video, 0, iter(lambda: file.read(65_536), b""))
        return intake.complete(video)

    return upload


def analyse(video: Video) -> Video:
    jobs.analyse(str(video.pk))
    video.refresh_from_db()
    return video


def left_over() -> list[str]:
    """Every row and file of videos that there is."""
    work = [str(path) for path in conf.VIDEOS_WORK_DIR.iterdir()] if conf.VIDEOS_WORK_DIR.exists() else []
    return [*work, *kept_names("videos"), *(str(row) for kind in (Video, VideoVisit) for row in kind.objects.all())]


def results_of(video: Video) -> dict[str, bytes]:
    """Everything in the storage but the original and its copy."""
    skipped = {video.original_name, video.name_of(places.COPY)}
    found = {}
    for name in sorted(set(places.stored_names(str(video.pk))) - skipped):
        with store().open(name) as file:
            found[name.removeprefix(f"{video.pk}/")] = file.read()
    return found


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return films.make(tmp_path / "walk.mp4")


@pytest.fixture
def no_space(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage("/")
    monkeypatch.setattr("shutil.disk_usage", lambda _path: usage._replace(free=0))
