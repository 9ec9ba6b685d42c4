"""A recorder that is killed, at every step and in between: the same clips come of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from cameras.models import Camera
from recordings import announce, cutter, rows, takes
from recordings.cutter import Cutter
from recordings.models import Recording
from recordings.takes import TakeFolder
from tests.recordings.post import Post, Told

pytestmark = pytest.mark.django_db


class Killed(BaseException):
    """The process ends here."""


STEPS: list[tuple[object, str]] = [
    (TakeFolder, "make"),
    (TakeFolder, "link"),
    (TakeFolder, "write"),
    (TakeFolder, "remove"),
    (Cutter, "_save"),
    (Cutter, "close"),
    (rows, "save"),
    (rows, "finish"),
    (announce, "recording"),
]


def play(post: Post) -> Any:
    """Every kind of beginning and end within a minute and a half."""
    post.nobody(8).people(1, 2).nobody(3).people(2, 34).nobody(9).unanalysed(5).nobody(16).silent(40).settle()
    times = [(take, post.pictures(take)) for take in post.takes()]
    return times, post.rows()


@pytest.fixture
def expected(camera_x: Camera, told: Told, settings: Settings, tmp_path: Path) -> Any:
    settings.CLIP_S = 30
    settings.SPOOL_DIR = tmp_path / "undisturbed"
    outcome = play(Post(camera_x))
    settings.SPOOL_DIR = tmp_path / "disturbed"
    Recording.objects.all().delete()
    assert [row[1] for row in outcome[1]] == ["presence", "presence", "unanalysed"]
    return outcome


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("place", "name"), STEPS, ids=[name.strip("_") for _place, name in STEPS])
@pytest.mark.parametrize("nth", [1, 3])
def test_killed_at_any_step_it_comes_to_the_same(
    expected: Any, camera_x: Camera, monkeypatch: pytest.MonkeyPatch, place: object, name: str, nth: int, when: str
) -> None:
    post = Post(camera_x)
    real: Callable[..., Any] = getattr(place, name)
    calls = 0

    def step(*args: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == nth and when == "before":
            raise Killed
        result = real(*args, **more)
        if calls == nth and when == "after":
            raise Killed
        return result

    work = post.work

    def work_or_die() -> None:
        try:
            work()
        except Killed:
            post.restart()

    monkeypatch.setattr(place, name, step)
    post.work = work_or_die  # type: ignore[method-assign]
    assert play(post) == expected


def test_killed_twice_a_second_it_comes_to_the_same(expected: Any, camera_x: Camera) -> None:
    post = Post(camera_x)
    work = post.work

    def restarted() -> None:
        work()
        post.recorder.tell()
        post.restart()

    post.work = restarted  # type: ignore[method-assign]
    assert play(post) == expected


def test_what_the_media_workers_have_encoded_is_not_linked_again(post: Post) -> None:
    post.nobody(8).people(1, 20)
    (folder,) = takes.folders_of(post.camera.pk)
    for picture in folder.pictures()[:60]:
        picture.unlink()
    post.restart()
    post.people(1, 2).nobody(12).settle()
    assert post.spans() == [(15, 34.8, 100)]


def test_a_finished_take_is_not_begun_again(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between the word that a take is over and the note of it, while the media workers are quick."""
    post.nobody(8).people(1, 8)
    monkeypatch.setattr(Cutter, "_part_with", lambda self, take: None)
    post.nobody(10.2)
    (folder,) = takes.folders_of(post.camera.pk)
    assert folder.read().is_over
    folder.remove()
    Recording.objects.update(state="ready")
    monkeypatch.undo()
    post.restart()
    post.nobody(5).settle()
    assert takes.folders_of(post.camera.pk) == []
    assert [row[0] for row in post.rows()] == ["ready"]


def test_what_a_killed_recorder_began_and_the_next_would_not_is_ended(post: Post) -> None:
    """Analysis had not answered in time; when the recorder is back it has, and nobody was there."""
    post.nobody(8)
    saved = (post.spool.folder / cutter.NAME).read_bytes()
    first = post.spool.last_n() + 1
    post.unanalysed(8)
    (take,) = post.takes()
    assert take.is_confirmed
    (post.spool.folder / cutter.NAME).write_bytes(saved)
    for n in range(first, post.spool.last_n() + 1):
        post.spool.settle(n, 1, 0)  # type: ignore[arg-type]
    half = takes.folder_of(post.camera.pk, "half")
    half.make()
    post.restart()
    post.nobody(2).settle()
    assert [(row[0], row[5]) for row in post.rows()] == [("encoding", "over")]
    assert [take.is_over for take in post.takes()] == [True]
    assert not half.path.exists()


@pytest.mark.parametrize("left", [b"", b"{", b"[]", b'{"version": 9}', b'{"version": 1}'])
def test_a_checkpoint_that_is_damaged_costs_no_clip(post: Post, left: bytes) -> None:
    post.nobody(8).people(1, 8)
    (post.spool.folder / cutter.NAME).write_bytes(left)
    post.restart()
    post.people(1, 4).nobody(12).settle()
    assert post.spans() == [(3, 24.8, 110)]


@pytest.mark.parametrize("left", [b"", b"{}"])
def test_a_take_whose_description_is_damaged_is_described_anew(post: Post, left: bytes) -> None:
    post.nobody(8).people(1, 8)
    (folder,) = takes.folders_of(post.camera.pk)
    (folder.path / "take.json").write_bytes(left)
    post.restart()
    post.recorder.ring()
    post.people(1, 4).nobody(12).settle()
    assert post.spans() == [(3, 24.8, 110)]
