"""Which clips go, in which order, and that what is kept never does. Full disks of their own stand in test_disk.py."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.db import DatabaseError, OperationalError
from pytest_django import Settings

from accounts.models import User
from cameras.models import Camera
from recordings import announce, evidence, keeping, storage
from recordings.models import AuditEntry, Export, Recording, RecordingRules, Seal
from recordings.storage import Storage
from tests.recordings.shelf import NOW, clips, file_of, files, put

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What viewers are told."""
    said: list[tuple[str, str]] = []
    monkeypatch.setattr(announce, "recording", lambda row, event: said.append((str(row.pk), event)))
    return said


def expire() -> int:
    return keeping.expire(NOW.timestamp())


def left() -> set[Recording]:
    """Rows and files tell the same."""
    rows = set(Recording.objects.all())
    assert sorted(row.path for row in rows) == clips()
    assert len(files()) == 3 * len(rows), "pictures go with their clips"
    return rows


# --- Age ---


def test_clips_go_when_their_days_are_over(camera_x: Camera, settings: Settings, told: list[tuple[str, str]]) -> None:
    settings.RECORDINGS_DAYS = 10
    old, young = put(camera_x, days=10.1), put(camera_x, days=9.9)
    assert expire() == 1
    assert left() == {young}
    assert told == [(str(old.pk), "removed")]
    assert not file_of(old).parent.exists() or file_of(old).parent == file_of(young).parent, "no empty folders"
    assert evidence.verify() == []


def test_a_camera_may_keep_its_clips_for_longer_or_shorter(
    camera_x: Camera, camera_y: Camera, settings: Settings
) -> None:
    settings.RECORDINGS_DAYS = 10
    RecordingRules.objects.create(camera=camera_x, keep_days=2)
    x = [put(camera_x, days=3), put(camera_x, days=1)]
    y = [put(camera_y, days=11), put(camera_y, days=3)]
    expire()
    assert left() == {x[1], y[1]}
    RecordingRules.objects.create(camera=camera_y, keep_days=100)
    long = put(camera_y, days=50)
    expire()
    assert left() == {x[1], y[1], long}


def test_more_than_a_batch_goes_in_one_pass(camera_x: Camera, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "BATCH", 2)
    for days in range(5):
        put(camera_x, days=100 + days)
    assert expire() == 5
    assert left() == set()


# --- Size ---


def test_the_oldest_go_above_the_size_of_all(camera_x: Camera, camera_y: Camera, settings: Settings) -> None:
    settings.RECORDINGS_BYTES = 250
    kept = [put(camera, days=days) for days, camera in enumerate([camera_x, camera_y, camera_x, camera_y])]
    expire()
    assert left() == set(kept[:2]), "two of 100 bytes fit 250"
    assert expire() == 0


def test_a_cameras_own_size_takes_nothing_from_others(camera_x: Camera, camera_y: Camera) -> None:
    RecordingRules.objects.create(camera=camera_x, keep_bytes=100)
    x, y = [put(camera_x, days=1), put(camera_x, days=2)], [put(camera_y, days=3), put(camera_y, days=4)]
    expire()
    assert left() == {x[0], *y}


def test_kept_clips_count_and_stay(camera_x: Camera, settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    settings.RECORDINGS_BYTES = 150
    kept = [put(camera_x, days=100, is_kept=True), put(camera_x, days=50, is_kept=True)]
    put(camera_x, days=1)
    expire()
    assert left() == set(kept)
    assert "nothing more may go" in caplog.text


def test_an_open_clip_is_nobodys_to_remove(camera_x: Camera, settings: Settings) -> None:
    settings.RECORDINGS_BYTES = 0
    states = [Recording.State.RECORDING, Recording.State.ENCODING]
    clips = [put(camera_x, days=100, state=state, is_sealed=False) for state in states]
    expire()
    assert left() == set(clips)
    assert not keeping.remove(clips[0], "age")


# --- Space ---


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """A disk of 1,000 bytes that holds nothing but clips; the floor is 600."""
    settings.RECORDINGS_FREE_BYTES = 600
    real = storage.look

    def look() -> Storage:
        free = 1_000 - sum(file_of(row).stat().st_size for row in Recording.objects.all() if file_of(row).exists())
        return Storage(real().problem or ("full" if free < 450 else ""), free, 1_000)

    monkeypatch.setattr(storage, "look", look)
    real()


def test_the_oldest_go_until_the_floor_is_free(camera_x: Camera, disk: None) -> None:
    rows = [put(camera_x, days=days, is_kept=days == 5) for days in range(7)]
    assert storage.look().problem == "full"
    assert expire() == 3
    assert left() == {*rows[:3], rows[5]}
    assert storage.look() == Storage("", 600, 1_000)


def test_a_database_that_cannot_write_for_want_of_space_gets_some_first(
    camera_x: Camera, disk: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [put(camera_x, days=days) for days in range(5)]

    def note(row: Recording, because: str) -> None:
        if file_of(rows[4]).exists():
            raise OperationalError("database or disk is full")
        real(row, because)

    real = evidence.note_removed
    monkeypatch.setattr(evidence, "note_removed", note)
    expire()
    assert left() == set(rows[:4])
    assert evidence.verify() == []


def test_what_fails_is_logged_and_the_other_steps_go_on(
    camera_x: Camera, settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(now: float) -> int:
        raise DatabaseError("away")

    settings.RECORDINGS_BYTES = 0
    put(camera_x)
    monkeypatch.setattr(keeping, "_expire_old", fail)
    assert expire() == 1
    assert left() == set()
    assert "keeping recordings: fail failed" in caplog.text


def test_a_pass_at_a_time(camera_x: Camera) -> None:
    put(camera_x, days=100)
    with keeping._alone() as is_alone:
        assert is_alone
        assert expire() == 0
    assert expire() == 1


def test_while_the_storage_is_away_nothing_goes_and_nothing_is_called_lost(camera_x: Camera, tmp_path: Path) -> None:
    rows = {put(camera_x, days=100), put(camera_x)}
    root = Path(settings.RECORDINGS_DIR)
    root.rename(tmp_path / "away")
    root.mkdir()
    assert expire() == 0
    assert set(Recording.objects.filter(state=Recording.State.READY)) == rows
    root.rmdir()
    (tmp_path / "away").rename(root)
    assert expire() == 1
    assert len(left()) == 1


# --- Rows and files ---


def test_a_file_that_is_lost_fails_its_clip_until_it_is_back(camera_x: Camera, tmp_path: Path) -> None:
    clip, other = put(camera_x), put(camera_x, days=1)
    file_of(clip).rename(tmp_path / "lost.mp4")
    expire()
    assert dict(Recording.objects.values_list("pk", "state")) == {clip.pk: "failed", other.pk: "ready"}
    (tmp_path / "lost.mp4").rename(file_of(clip))
    keeping.expire(NOW.timestamp() + 700)
    assert set(Recording.objects.values_list("state", flat=True)) == {"ready"}


@pytest.mark.parametrize(
    ("name", "age_s", "stays"),
    [
        ("000000Z-00000000-0000-0000-0000-000000000000.mp4", 3_700, False),  # Nobody's,
        ("000000Z-00000000-0000-0000-0000-000000000000.mp4", 3_500, True),  # or its row is about to be written.
        (".000000Z-00000000-0000-0000-0000-000000000000.mp4", 3_700, False),  # Half-written by a killed worker,
        (".000000Z-00000000-0000-0000-0000-000000000000.strip.jpg", 3_700, False),
        (".000000Z-00000000-0000-0000-0000-000000000000.mp4", 3_500, True),  # or by one still at it.
        ("holiday.mp4", 1e6, True),  # Not ours: whoever chose a folder that has other things in it keeps them.
    ],
)
def test_what_was_left_behind_is_swept(camera_x: Camera, name: str, age_s: float, stays: bool) -> None:
    path = file_of(put(camera_x)).with_name(name)
    path.write_bytes(b"left")
    at = NOW.timestamp() - age_s
    os.utime(path, (at, at))
    expire()
    assert path.exists() == stays
    assert Recording.objects.filter(state="ready").count() == 1


def test_files_that_a_killed_removal_left_are_swept(camera_x: Camera, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = put(camera_x, days=100)
    monkeypatch.setattr(keeping, "_after_removal", lambda _row: None)  # Killed after the row went.
    expire()
    assert len(files()) == 3
    assert not Recording.objects.exists()
    keeping.expire(time.time() + 4_000)
    assert files() == []
    assert Seal.objects.get(recording_id=clip.pk).removed_because == "age"


def test_the_sweep_comes_every_ten_minutes(camera_x: Camera) -> None:
    expire()
    file_of(put(camera_x)).unlink()
    keeping.expire(NOW.timestamp() + 590)
    assert Recording.objects.get().state == "ready"
    keeping.expire(NOW.timestamp() + 610)
    assert Recording.objects.get().state == "failed"


# --- By hand ---


def test_a_kept_clip_is_deleted_by_nobody_until_it_is_released(camera_x: Camera, alice: User) -> None:
    clip = put(camera_x)
    assert keeping.keep(clip, alice)
    assert not keeping.keep(clip, alice), "it was kept before"
    assert not keeping.delete(clip, alice)
    assert left() == {clip}
    assert keeping.release(clip, alice)
    assert keeping.delete(clip, alice)
    assert left() == set()
    actions = list(AuditEntry.objects.order_by("pk").values_list("action", "user_name", "recording_id", "camera"))
    assert actions == [(action, "alice", clip.pk, camera_x.pk) for action in ("kept", "released", "deleted")]
    assert Seal.objects.get().removed_because == "deleted by alice"


def test_keeping_a_clip_that_is_just_being_removed_is_one_or_the_other(camera_x: Camera, alice: User) -> None:
    clip = put(camera_x)
    assert keeping.delete(clip, alice)
    assert not keeping.keep(clip, alice)
    assert not keeping.delete(clip, alice)
    assert AuditEntry.objects.count() == 1


def test_an_undeletable_file_is_tried_again_by_the_sweep(
    camera_x: Camera, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = put(camera_x)

    def refuse(_path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        assert keeping.delete(clip, alice)
    assert len(files()) == 3
    keeping.expire(NOW.timestamp() + timedelta(hours=2).total_seconds())
    assert files() == []


def test_films_go_after_a_day(camera_x: Camera, alice: User) -> None:
    folder = Path(settings.EXPORTS_DIR)
    folder.mkdir(parents=True)
    (folder / "00000000-0000-0000-0000-000000000000.mp4").write_bytes(b"nobody's")
    films = []
    for hours in (25, 23):
        at = NOW - timedelta(hours=hours)
        films.append(Export.objects.create(user=alice, camera=camera_x, start=at, end=at, created_at=at))
        (folder / f"{films[-1].pk}.mp4").write_bytes(b"film")
    expire()
    assert [path.name for path in folder.iterdir()] == [f"{films[1].pk}.mp4"]
    assert list(Export.objects.all()) == [films[1]]
