from __future__ import annotations

from pathlib import Path

import pytest

from cameras.ring import Ring, captured_at_of
from tests.build import make_frame


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_picture_is_written_once_under_its_capture_time(tmp_path: Path) -> None:
    ring = Ring(tmp_path, max_bytes=10_000)
    path = ring.put(make_frame(3))
    first = path.stat().st_ino
    assert path.read_bytes() == b"picture 3"
    assert captured_at_of(path.name) == 1_003.0
    assert ring.put(make_frame(3)).stat().st_ino == first


def test_it_drops_the_oldest_pictures_by_age(tmp_path: Path) -> None:
    ring = Ring(tmp_path, max_bytes=10_000)
    paths = [ring.put(make_frame(seq)) for seq in range(5)]
    assert ring.prune(older_than=1_002.0) == 2
    assert [path.exists() for path in paths] == [False, False, True, True, True]


def test_it_drops_the_oldest_pictures_by_size(tmp_path: Path) -> None:
    ring = Ring(tmp_path, max_bytes=25)
    paths = [ring.put(make_frame(seq)) for seq in range(4)]  # Nine bytes each.
    assert ring.prune(older_than=0) == 2
    assert [path.exists() for path in paths] == [False, False, True, True]


def test_what_an_earlier_process_left_still_counts_and_halves_are_removed(tmp_path: Path) -> None:
    Ring(tmp_path, max_bytes=10_000).put(make_frame(1))
    (tmp_path / ".half.jpg").write_bytes(b"ha")
    ring = Ring(tmp_path, max_bytes=10_000)
    assert ".half.jpg" not in names(tmp_path)
    assert ring.prune(older_than=2_000.0) == 1
    assert names(tmp_path) == []


def test_a_disk_that_refuses_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ring = Ring(tmp_path, max_bytes=10_000)

    def refuse(self: Path, data: bytes) -> int:
        self.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(OSError, match="No space left"):
        ring.put(make_frame(1))
    assert names(tmp_path) == []


def test_pictures_from_before_the_clock_was_set_back_go_with_the_first_that_came_after_them(tmp_path: Path) -> None:
    ring = Ring(tmp_path, max_bytes=10_000)
    future = [ring.put(make_frame(seq, captured_at=5_000.0 + seq)) for seq in range(3)]
    after = [ring.put(make_frame(10 + seq, captured_at=1_400.0 + seq)) for seq in range(3)]
    assert ring.prune(older_than=1_400.0) == 0
    assert ring.prune(older_than=1_401.5) == 5
    assert not any(path.exists() for path in future)
    assert [path.exists() for path in after] == [False, False, True]


def test_so_they_do_where_an_earlier_process_had_left_them(tmp_path: Path) -> None:
    before = Ring(tmp_path, max_bytes=10_000)
    future = before.put(make_frame(1, captured_at=5_000.0))
    ring = Ring(tmp_path, max_bytes=10_000)
    late = ring.put(make_frame(2, captured_at=1_400.0))
    assert ring.prune(older_than=1_399.0) == 0
    ring.put(make_frame(3, captured_at=1_431.0))
    assert ring.prune(older_than=1_401.0) == 2
    assert not future.exists()
    assert not late.exists()


def test_a_picture_sent_late_takes_no_newer_one_along(tmp_path: Path) -> None:
    ring = Ring(tmp_path, max_bytes=10_000)
    newer = ring.put(make_frame(2, captured_at=1_400.0))
    ring.put(make_frame(1, captured_at=1_365.0))
    assert ring.prune(older_than=1_370.0) == 0
    assert newer.exists()
