"""Which pictures make the next part, and what is known of the parts there are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cameras.ring import name_of
from recordings.parts import Parts, Progress, cut


def names(*at_s: float) -> list[Path]:
    return [Path(name_of("a" * 32, number + 1, 1_000 + at)) for number, at in enumerate(at_s)]


@pytest.mark.parametrize(
    ("at_s", "linked_s", "is_over", "expected", "next_s"),
    [
        ((), 100, True, None, None),
        # Not enough yet: five seconds are there, but not the picture after them.
        ((0, 1, 4.9), 100, False, None, None),
        ((0, 1, 4.9, 5), 100, False, 3, 5),
        # That picture is linked, but an earlier one may still come.
        ((0, 1, 4.9, 5), 5, False, None, None),
        ((0, 1, 4.9, 5, 9), 5.1, False, 3, 5),
        # What is left of a take that is over is a part however short.
        ((0, 1), 0, True, 2, None),
        ((0,), 0, True, 1, None),
        # Over or not, a part is no longer than it should be.
        ((0, 1, 4.9, 5, 9), 100, True, 3, 5),
        # A silence longer than a part.
        ((0, 60, 61), 100, False, 1, 60),
    ],
)
def test_a_part_takes_the_next_seconds(
    at_s: tuple[float, ...], linked_s: float, is_over: bool, expected: int | None, next_s: float | None
) -> None:
    pictures = names(*at_s)
    chunk = cut(pictures, linked_until=1_000 + linked_s, is_over=is_over, part_s=5)
    if expected is None:
        assert chunk is None
    else:
        assert chunk is not None
        assert chunk.pictures == pictures[:expected]
        assert chunk.next_at == (None if next_s is None else pytest.approx(1_000 + next_s))


def test_progress_is_read_as_it_was_written(tmp_path: Path) -> None:
    parts = Parts(tmp_path / "parts")
    assert parts.read() == Progress()
    progress = Progress(next_number=2, first_at=12.5, last_name="x", width=640, height=480, frames=7, preset="fast")
    parts.write(progress)
    assert parts.read() == progress


def test_progress_of_another_version_is_refused(tmp_path: Path) -> None:
    parts = Parts(tmp_path / "parts")
    parts.write(Progress())
    told = json.loads((parts.folder / "state.json").read_text())
    (parts.folder / "state.json").write_text(json.dumps({**told, "version": 99}))
    with pytest.raises(ValueError, match="version"):
        parts.read()


def test_a_part_that_nobody_vouches_for_is_none(tmp_path: Path) -> None:
    parts = Parts(tmp_path / "parts")
    parts.write(Progress(next_number=1))
    for name in ("0000.m4s", "0001.m4s", ".0001.m4s"):
        (parts.folder / name).write_bytes(b"x")
    assert parts.files() == [parts.folder / "0000.m4s"]
