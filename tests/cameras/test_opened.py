from __future__ import annotations

from pathlib import Path

import pytest

from cameras.opened import Opened


def test_pieces_go_where_they_belong(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abcdef")
    opened = Opened(path)
    opened.write_at(2, b"CD")
    opened.write_at(0, b"A")
    assert path.read_bytes() == b"AbCDef"
    lines = Opened(path, is_appended=True)
    lines.append(b"!")
    assert path.read_bytes() == b"AbCDef!"


def test_it_is_made_only_where_that_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Opened(tmp_path / "file")
    assert not (tmp_path / "file").exists()
    Opened(tmp_path / "file", is_made=True)
    assert (tmp_path / "file").exists()


def test_it_notices_that_its_file_has_gone_or_been_replaced(tmp_path: Path) -> None:
    path = tmp_path / "file"
    opened = Opened(path, is_made=True)
    assert opened.is_still(path)
    path.unlink()
    assert not opened.is_still(path)
    path.write_bytes(b"another")
    assert not opened.is_still(path)


def test_a_full_disk_is_an_error() -> None:
    with pytest.raises(OSError, match="No space"):
        Opened(Path("/dev/full")).write_at(0, b"piece")


def test_its_handle_is_closed_with_it(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _turn in range(50):
        Opened(tmp_path / "file", is_made=True).write_at(0, b"piece")
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
