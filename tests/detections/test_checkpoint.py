from __future__ import annotations

import zlib
from dataclasses import replace
from pathlib import Path

import msgpack
import pytest

from detections import checkpoint
from detections.checkpoint import HEAD, NAMES, Checkpoint

LAST = Checkpoint(n=7, captured_at=12.5, outcome=1, people=2, tracker={"ids": [1, 2]}, visits={"open": [{"id": "a"}]})


def test_what_is_written_is_read(tmp_path: Path) -> None:
    last = checkpoint.write(tmp_path, LAST)
    for n in (8, 9, 10):
        last = checkpoint.write(tmp_path, replace(last, n=n))
        assert checkpoint.read(tmp_path) == last == replace(LAST, n=n)


def test_the_next_owner_goes_on_where_the_last_one_stood(tmp_path: Path) -> None:
    """It overwrites the older of the two files, whichever its forerunner wrote last."""
    for n in (8, 9, 10, 11):
        checkpoint.write(tmp_path, replace(checkpoint.read(tmp_path), n=n))
        assert checkpoint.read(tmp_path).n == n
    assert sorted(path.name for path in tmp_path.iterdir()) == list(NAMES)


def test_a_shorter_one_is_not_mixed_with_what_stood_there(tmp_path: Path) -> None:
    last = checkpoint.write(tmp_path, replace(LAST, visits={"open": ["a long state"] * 100}))
    last = checkpoint.write(tmp_path, replace(last, n=8))
    checkpoint.write(tmp_path, replace(last, n=9, visits={}))
    assert checkpoint.read(tmp_path) == replace(LAST, n=9, visits={})


def test_a_new_camera_begins_at_nothing(tmp_path: Path) -> None:
    assert checkpoint.read(tmp_path) == Checkpoint()


def test_another_version_keeps_the_place_in_the_log(tmp_path: Path) -> None:
    path = tmp_path / NAMES[checkpoint.write(tmp_path, LAST).slot]
    raw = msgpack.unpackb(path.read_bytes()[HEAD.size :])
    body = msgpack.packb({**raw, "version": 99, "something": "new"})
    path.write_bytes(HEAD.pack(len(body), zlib.crc32(body)) + body)
    assert checkpoint.read(tmp_path) == Checkpoint(n=7, captured_at=12.5)


@pytest.mark.parametrize("written", [0, 3, 8, 20, -1])
def test_a_write_that_is_cut_short_leaves_the_one_before(tmp_path: Path, written: int) -> None:
    before = checkpoint.write(tmp_path, checkpoint.write(tmp_path, LAST))
    last = checkpoint.write(tmp_path, replace(before, n=8))
    path = tmp_path / NAMES[last.slot]
    path.write_bytes(path.read_bytes()[:written])
    assert checkpoint.read(tmp_path) == before
    assert checkpoint.read(tmp_path).slot == before.slot  # So the next one does not overwrite it.


def test_a_full_disk_is_an_error_and_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    last = checkpoint.write(tmp_path, LAST)

    def cut(path: Path, record: bytes) -> None:
        path.write_bytes(record[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "put", cut)
    with pytest.raises(OSError, match="No space"):
        checkpoint.write(tmp_path, replace(last, n=8))
    assert checkpoint.read(tmp_path) == LAST
