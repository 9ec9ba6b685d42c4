"""The storage's identity and problems. What needs a real file system of its own stands in test_disk.py."""

from __future__ import annotations

import errno
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from pytest_django import Settings

from recordings import storage


@pytest.fixture
def root() -> Path:
    return Path(settings.RECORDINGS_DIR)


def test_a_first_start_makes_the_folder_and_remembers_its_identity(root: Path) -> None:
    assert storage.look().problem == ""
    identity = (root / storage.IDENTITY).read_text().strip()
    memory = json.loads((Path(settings.DATA_DIR) / storage.REMEMBERED).read_text())
    assert memory == {"path": str(root), "identity": identity}
    assert sorted(path.name for path in root.iterdir()) == [storage.IDENTITY], "nothing half-written beside it"


def test_processes_that_start_at_once_agree_on_one_identity(root: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        problems = {look.problem for look in pool.map(lambda _: storage.look(), range(32))}
    assert problems == {""}


def test_a_folder_that_has_an_identity_already_keeps_it(root: Path) -> None:
    root.mkdir(parents=True)
    (root / storage.IDENTITY).write_text("from before\n")
    assert storage.look().problem == ""
    assert (root / storage.IDENTITY).read_text() == "from before\n"


def test_an_empty_folder_in_its_place_is_not_it(root: Path, tmp_path: Path) -> None:
    """What a mount point shows while nothing is mounted on it."""
    storage.look()
    root.rename(tmp_path / "away")
    assert storage.look().problem == "missing"
    assert not root.exists(), "nothing is made where it should be"
    root.mkdir()
    assert storage.look().problem == "missing"
    assert not storage.ready_to_write()
    assert list(root.iterdir()) == []
    root.rmdir()
    (tmp_path / "away").rename(root)
    assert storage.look().problem == ""
    assert storage.ready_to_write()


def test_another_storage_in_its_place_is_not_it_until_it_is_adopted(root: Path) -> None:
    storage.look()
    (root / storage.IDENTITY).write_text("another\n")
    assert storage.look().problem == "missing"
    call_command("adopt_storage")
    assert storage.look().problem == ""


def test_another_path_was_chosen_on_purpose(settings: Settings, tmp_path: Path) -> None:
    storage.look()
    settings.RECORDINGS_DIR = tmp_path / "elsewhere"
    assert storage.look().problem == ""


@pytest.mark.parametrize(
    ("free", "names", "flags", "problem"),
    [
        (760, 10, 0, ""),  # Below the floor of 1,000, where keeping makes room.
        (740, 10, 0, "full"),
        (5_000, 0, 0, "full"),  # No names are left.
        (5_000, 10, os.ST_RDONLY, "read_only"),
        (10, 10, os.ST_RDONLY, "read_only"),
    ],
)
def test_what_the_file_system_says(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, free: int, names: int, flags: int, problem: str
) -> None:
    settings.RECORDINGS_FREE_BYTES = 1_000
    storage.look()
    # bsize, frsize, blocks, bfree, bavail, files, ffree, favail, flag, namemax
    told = os.statvfs_result((1, 1, 10_000, free, free, 100, names, names, flags, 255))
    monkeypatch.setattr(os, "statvfs", lambda _path: told)
    assert storage.look().problem == problem


@pytest.mark.parametrize(
    ("number", "problem"),
    [
        (errno.EROFS, "read_only"),
        (errno.EACCES, "read_only"),
        (errno.ENOSPC, "full"),
        (errno.EIO, "missing"),
        (errno.ESTALE, "missing"),
    ],
)
def test_an_error_is_a_problem_and_is_not_raised(monkeypatch: pytest.MonkeyPatch, number: int, problem: str) -> None:
    def refuse(*_: Any) -> Any:
        raise OSError(number, os.strerror(number))

    storage.look()
    monkeypatch.setattr(os, "statvfs", refuse)
    assert storage.look().problem == problem


def test_pages_ask_the_disk_once_in_two_seconds(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    assert storage.state().problem == ""
    root.rename(tmp_path / "away")
    clock[0] += 1.9
    assert storage.state().problem == ""
    assert not storage.ready_to_write(), "who is about to write looks afresh"
    clock[0] += 0.2
    assert storage.state().problem == "missing"
