from __future__ import annotations

from pathlib import Path

import pytest

from detections.tracklog import LoggedBox, Row, TrackLog
from tests.build import STREAM

HOUR = 3_600.0 * 100


def row(n: int, at: float) -> Row:
    return Row(n, STREAM, n, at, [LoggedBox(1, None, 0.1, 0.2, 0.3, 0.4, 0.9)])


def test_rows_come_back_by_time_over_hours(tmp_path: Path) -> None:
    log = TrackLog(tmp_path)
    rows = [row(1, HOUR - 1), row(2, HOUR), row(3, HOUR + 5)]
    for each in rows:
        log.append(each)
    assert list(log.rows(HOUR - 10, HOUR + 5)) == rows[:2]
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("leftover", [b"", b'{"n": 4, "str'])
def test_an_owner_that_was_killed_leaves_no_row_twice(tmp_path: Path, leftover: bytes) -> None:
    first = TrackLog(tmp_path)
    for n in (1, 2, 3):
        first.append(row(n, HOUR + n))
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes() + leftover)
    second = TrackLog(tmp_path)  # Its checkpoint says 2: entries 3 and 4 are analysed again.
    second.append(row(3, HOUR + 3))
    second.append(row(4, HOUR + 4))
    assert [each.n for each in second.rows(HOUR, HOUR + 60)] == [1, 2, 3, 4]


def test_a_file_of_nothing_but_an_unfinished_row_is_begun_anew(tmp_path: Path) -> None:
    TrackLog(tmp_path).append(row(1, HOUR))
    (file,) = tmp_path.iterdir()
    file.write_bytes(b'{"n": 1')
    TrackLog(tmp_path).append(row(1, HOUR))
    assert [each.n for each in TrackLog(tmp_path).rows(HOUR, HOUR + 1)] == [1]
