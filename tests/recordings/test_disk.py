"""Full, read-only and unplugged on a real file system: a tmpfs of 4 MB, which only root may mount.

Without root these are skipped; test_storage.py and test_keeping.py have the same with figures made up.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from cameras.models import Camera
from omil import health
from recordings import announce, bell, evidence, jobs, keeping, storage
from recordings.models import Recording
from recordings.takes import TakeFolder
from tests.recordings import takings
from tests.recordings.shelf import NOW, clips, file_of, files, make_take, put

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).parents[2]
MB = 1_000_000
SIZE = 4 * MB
CLIP = 300_000

# Everything on one disk that somebody else fills to its last byte, while no process holds the database open.
ALL_ON_ONE = """
import os, sys, time
import django; django.setup()
from django.conf import settings
from django.core.management import call_command
from django.db import DatabaseError, connections
from accounts.models import Unit
from cameras.models import Camera
from recordings import evidence, keeping, reserve, storage
from recordings.models import Recording
from tests.recordings.shelf import clips, put

def writes():
    try:
        return bool(Camera.objects.update(name=str(time.time())))
    except DatabaseError:
        return False

reserve.BYTES = 1_000_000
call_command("migrate", verbosity=0)
camera = Camera.objects.create(name="x", unit=Unit.objects.create(name="x"))
rows = [put(camera, days=days, size=500_000, is_kept=days == 7) for days in range(8)]
keeping.expire(time.time())
connections.close_all()
try:
    with (settings.DATA_DIR / "stray").open("wb", buffering=0) as stray:
        while True:
            stray.write(bytes(4_096))
except OSError as error:
    print(error.strerror)
print(storage.look().free_bytes, writes())
gone = keeping.expire(time.time())
print(storage.look().free_bytes >= settings.RECORDINGS_FREE_BYTES, writes(), gone in {2, 3})
print({row.path for row in [*rows[: 7 - gone], rows[7]]} == set(clips()), evidence.verify())
"""


class Disk:
    """The storage on a mount of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def mount(self, size: int = SIZE) -> bool:
        return not self._run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", self.path)

    def remount(self, option: str) -> None:
        assert not self._run("mount", "-o", f"remount,{option}", self.path)

    def move(self, to: Path) -> None:
        assert not self._run("mount", "--bind", self.path, to)
        assert not self._run("umount", self.path)

    def unmount(self) -> None:
        while self.path.is_mount():
            assert not self._run("umount", "-l", self.path)

    @staticmethod
    def _run(*command: str | Path) -> int:
        return subprocess.run(command, check=False, capture_output=True, timeout=10).returncode


@pytest.fixture
def disk(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    """The floor of free space is 1 MB; below 750 kB nothing is written."""
    monkeypatch.setattr(announce, "recording", lambda *_: None)
    settings.RECORDINGS_DIR = tmp_path / "mount"
    settings.RECORDINGS_FREE_BYTES = MB
    settings.RECORDINGS_DIR.mkdir()
    disk = Disk(settings.RECORDINGS_DIR)
    if not disk.mount():
        pytest.skip("Only root may mount a file system; test_storage.py and test_keeping.py have what needs none.")
    storage.look()
    yield disk
    disk.unmount()


def expire() -> int:
    storage._cached.clear()  # Two seconds later.
    return keeping.expire(NOW.timestamp())


def test_a_full_disk_loses_its_oldest_clips_and_nothing_else(disk: Disk, camera_x: Camera) -> None:
    rows = [put(camera_x, days=days, size=CLIP, is_kept=days == 10) for days in range(11)]
    assert storage.look().problem == "full"
    assert not storage.ready_to_write()
    gone = expire()
    assert storage.look().free_bytes >= MB
    assert 1 <= gone <= 3, "no more than was needed"
    assert {row.path for row in [*rows[: 10 - gone], rows[10]]} == set(clips())
    assert set(Recording.objects.values_list("state", flat=True)) == {"ready"}
    assert storage.ready_to_write()
    assert evidence.verify() == []


def test_a_disk_full_of_kept_clips_is_an_alarm_that_ends_by_itself(
    disk: Disk, camera_x: Camera, client: Client, bob: User
) -> None:
    rows = [put(camera_x, days=days, size=CLIP, is_kept=True) for days in range(11)]
    client.force_login(bob)
    assert expire() == 0
    assert health.recordings_storage().state == "down"
    assert b"storage of recordings is full" in client.get("/").content
    assert keeping.release(rows[10], bob)
    assert keeping.release(rows[9], bob)
    assert expire() == 2
    storage._cached.clear()
    assert health.recordings_storage().state == "ok"
    assert b"storage of recordings is full" not in client.get("/").content
    assert Recording.objects.filter(is_kept=True).count() == 9


@pytest.fixture
def take(camera_x: Camera, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> TakeFolder:
    """One that is over and encoded, as it waits in the spool, which lies on another disk."""
    settings.CLIP_PRESET = "ultrafast"
    monkeypatch.setattr(bell, "answered", lambda _take_id: None)
    folder = make_take(camera_x, start=takings.START, size=0)
    (folder.path / "pictures" / "1.jpg").unlink()
    takings.film(folder.path / "pictures", takings.IRREGULAR_S)
    return folder


def encode(take: TakeFolder) -> str:
    jobs.encode(take.camera_id, take.id)
    return Recording.objects.get(pk=take.id).state


def test_a_clip_waits_for_a_full_disk_and_is_stored_when_there_is_room(
    disk: Disk, camera_x: Camera, take: TakeFolder, bob: User
) -> None:
    kept = [put(camera_x, days=days, size=CLIP, is_kept=True) for days in range(11)]
    before = files()
    assert encode(take) == "encoding"
    assert files() == before
    keeping.release(kept[10], bob)
    keeping.release(kept[9], bob)
    assert encode(take) == "ready", "the media worker makes room itself"
    assert Recording.objects.count() == 10
    assert not take.path.exists()
    assert evidence.verify() == []


def test_a_clip_that_meets_the_end_of_the_disk_leaves_nothing_and_is_stored_later(
    disk: Disk, settings: Settings, take: TakeFolder
) -> None:
    """There was room when it was begun, and then somebody else took it."""
    settings.RECORDINGS_FREE_BYTES = 0
    stray = disk.path / "stray"
    with pytest.raises(OSError, match="No space left"), stray.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4_096))
    with stray.open("r+b") as file:
        file.truncate(stray.stat().st_size - 3 * 4_096)  # Folders fit, and the beginning of a clip.
    with pytest.raises(OSError, match="No space left"):
        encode(take)
    assert files() == ["stray"]
    assert Recording.objects.get().state == "encoding"
    stray.unlink()
    assert encode(take) == "ready"
    assert len(files()) == 3
    assert evidence.verify() == []


@pytest.mark.parametrize("away", ["read_only", "missing"])
def test_a_clip_waits_while_its_disk_is_away(disk: Disk, take: TakeFolder, tmp_path: Path, away: str) -> None:
    elsewhere = Disk(tmp_path / "elsewhere")
    elsewhere.path.mkdir()
    if away == "missing":
        disk.move(elsewhere.path)
    else:
        disk.remount("ro")
    assert encode(take) == "encoding"
    assert expire() == 0
    assert files() == []
    if away == "missing":
        elsewhere.move(disk.path)
    else:
        disk.remount("rw")
    assert encode(take) == "ready"
    assert len(files()) == 3


def test_half_a_clip_of_a_killed_worker_on_a_full_disk_makes_room(disk: Disk, camera_x: Camera) -> None:
    row = put(camera_x, size=CLIP)
    half = file_of(row).with_name("." + file_of(row).name)
    half.write_bytes(bytes(3_000_000))
    os.utime(half, (0, 0))
    expire()
    assert not half.exists()


def test_a_read_only_disk_is_said_and_loses_no_row(disk: Disk, camera_x: Camera) -> None:
    old = put(camera_x, days=100)
    disk.remount("ro")
    assert storage.look().problem == "read_only"
    assert not storage.ready_to_write()
    assert expire() == 0, "a row without its file would be a lie"
    assert list(Recording.objects.all()) == [old]
    assert health.recordings_storage().figures["problem"] == "read_only"
    disk.remount("rw")
    assert storage.ready_to_write()
    assert expire() == 1
    assert files() == []


def test_a_disk_taken_out_and_put_back(disk: Disk, camera_x: Camera, tmp_path: Path) -> None:
    rows = {put(camera_x, days=100), put(camera_x, days=1)}
    elsewhere = Disk(tmp_path / "elsewhere")
    elsewhere.path.mkdir()
    disk.move(elsewhere.path)
    try:
        assert storage.look().problem == "missing"
        assert not storage.ready_to_write()
        assert expire() == 0
        assert list(disk.path.iterdir()) == [], "nothing is written below the mount"
        assert set(Recording.objects.filter(state="ready")) == rows
        assert evidence.verify()[0].kind == "storage"
        elsewhere.move(disk.path)
    finally:
        elsewhere.unmount()
    assert storage.look().problem == ""
    assert expire() == 1
    assert evidence.verify() == []


def test_another_disk_in_its_place_is_not_written_to(disk: Disk, camera_x: Camera) -> None:
    put(camera_x)
    assert Disk(disk.path).mount()  # On top of it.
    assert storage.look().problem == "missing"
    assert expire() == 0
    assert list(disk.path.iterdir()) == []


def test_a_disk_without_free_names_is_full(disk: Disk, camera_x: Camera) -> None:
    put(camera_x)
    disk.remount("nr_inodes=20")
    with pytest.raises(OSError, match="No space left"):
        for n in range(20):
            (disk.path / str(n)).touch()
    assert storage.look().problem == "full"
    (disk.path / "0").unlink()
    assert storage.look().problem == ""


def test_a_disk_that_even_the_database_cannot_write_to_gets_room_again(disk: Disk) -> None:
    disk.unmount()
    assert disk.mount(16 * MB)
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "omil.settings", "DATABASE_URL": "", "REDIS_URL": "unix:///nowhere"}
    env |= {"OMIL_DATA_DIR": str(disk.path / "var"), "OMIL_RECORDINGS_FREE_BYTES": str(2 * MB)}
    env["OMIL_FREE_SPACE_BYTES"] = "0"
    command = [sys.executable, "-c", ALL_ON_ONE]
    done = subprocess.run(command, env=env, cwd=ROOT, check=False, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == ["No space left on device", "0 False", "True True True", "True []"], done.stderr
