from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from detections import checkpoint
from detections.checkpoint import Checkpoint, Writer

LAST = Checkpoint(n=7, captured_at=12.5, outcome=1, people=2, tracker={"ids": [1, 2]}, visits={"open": [{"id": "a"}]})


def test_the_last_one_written_is_read(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    for n in range(1, 6):
        writer.write(replace(LAST, n=n))
        assert checkpoint.read(tmp_path) == replace(LAST, n=n)


def test_the_next_owner_goes_on_from_there(tmp_path: Path) -> None:
    for n in (1, 2, 3, 1):  # A log that began anew has smaller numbers.
        Writer(tmp_path).write(replace(LAST, n=n))
        assert checkpoint.read(tmp_path) == replace(LAST, n=n)


def test_a_shorter_one_leaves_nothing_of_the_longer_one_before(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    for ids in ([1, 2], list(range(500)), [3], []):
        writer.write(replace(LAST, tracker={"ids": ids}))
        assert checkpoint.read(tmp_path).tracker == {"ids": ids}


def test_a_new_camera_begins_at_nothing(tmp_path: Path) -> None:
    assert checkpoint.read(tmp_path) == Checkpoint()
    Writer(tmp_path)
    assert checkpoint.read(tmp_path) == Checkpoint()


def test_another_version_keeps_the_place_in_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "VERSION", 99)
    Writer(tmp_path).write(LAST)
    monkeypatch.undo()
    assert checkpoint.read(tmp_path) == Checkpoint(n=7, captured_at=12.5)


@pytest.mark.parametrize("kept", [0, 3, 20, -1])
def test_one_that_is_cut_short_leaves_the_one_before(tmp_path: Path, kept: int) -> None:
    writer = Writer(tmp_path)
    writer.write(replace(LAST, n=6))
    writer.write(LAST)
    newest = tmp_path / checkpoint.NAMES[0]
    newest.write_bytes(newest.read_bytes()[:kept])
    assert checkpoint.read(tmp_path) == replace(LAST, n=6)
    Writer(tmp_path).write(replace(LAST, n=8))
    assert checkpoint.read(tmp_path) == replace(LAST, n=8)
