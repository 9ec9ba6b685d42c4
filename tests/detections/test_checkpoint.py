from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgpack
import pytest

from detections import checkpoint
from detections.checkpoint import Checkpoint

LAST = Checkpoint(n=7, captured_at=12.5, outcome=1, people=2, tracker={"ids": [1, 2]}, visits={"open": [{"id": "a"}]})


def test_what_is_written_is_read(tmp_path: Path) -> None:
    checkpoint.write(tmp_path, LAST)
    checkpoint.write(tmp_path, replace(LAST, n=8))
    assert checkpoint.read(tmp_path) == replace(LAST, n=8)


def test_a_new_camera_begins_at_nothing(tmp_path: Path) -> None:
    assert checkpoint.read(tmp_path) == Checkpoint()


def test_another_version_keeps_the_place_in_the_log(tmp_path: Path) -> None:
    checkpoint.write(tmp_path, LAST)
    path = tmp_path / checkpoint.NAME
    raw = msgpack.unpackb(path.read_bytes())
    path.write_bytes(msgpack.packb({**raw, "version": 99, "something": "new"}))
    assert checkpoint.read(tmp_path) == Checkpoint(n=7, captured_at=12.5)


def test_a_write_that_is_cut_short_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint.write(tmp_path, LAST)

    def cut(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", cut)
    with pytest.raises(OSError, match="No space"):
        checkpoint.write(tmp_path, replace(LAST, n=8))
    assert checkpoint.read(tmp_path) == LAST
