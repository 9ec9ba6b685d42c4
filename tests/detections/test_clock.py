from __future__ import annotations

from dataclasses import replace

import pytest

from cameras import folders, presence
from cameras.entries import Entry, Kind
from cameras.presence import Presence
from cameras.spool import Spool
from detections.clock import Watch
from tests.build import make_frame


@pytest.fixture
def watch() -> Watch:
    """Of a camera that was last heard a thousand and two seconds after the epoch."""
    spool = Spool(folders.of(1))
    for seq in range(3):
        spool.put(make_frame(seq, received_at=1_000.0 + seq), Kind.NO_MOTION, "")
    return Watch(1)


def silences(watch: Watch) -> list[Entry]:
    return [entry for entry in watch.spool.after(0) if entry.kind is Kind.NO_SIGHT]


def look(watch: Watch, first: int, last: int) -> None:
    for second in range(first, last + 1):
        watch.look(1_002.0 + second, is_enabled=True)


def test_a_camera_that_is_heard_is_not_called_silent(watch: Watch) -> None:
    look(watch, 0, 3)
    assert silences(watch) == []


def test_the_first_minute_of_a_silence_is_noted_every_second(watch: Watch) -> None:
    look(watch, 0, 200)
    assert [entry.received_at - 1_002.0 for entry in silences(watch)] == list(range(4, 61))
    assert {entry.captured_at for entry in silences(watch)} == {1_002.0}


def test_while_visits_are_open_it_is_noted_for_as_long_as_it_lasts(watch: Watch) -> None:
    presence.write(watch.spool.folder, replace(Presence(), open_visits=1))
    look(watch, 0, 100)
    assert len(silences(watch)) == 97


def test_a_clock_that_starts_late_in_a_silence_notes_it_once(watch: Watch) -> None:
    look(watch, 100, 110)
    assert len(silences(watch)) == 1


def test_a_camera_that_is_switched_off_is_not_silent(watch: Watch) -> None:
    watch.look(1_100.0, is_enabled=False)
    assert silences(watch) == []


def test_a_silence_is_noticed_although_the_clock_was_set_back_by_an_hour(watch: Watch) -> None:
    for second in range(10):
        watch.look(1_002.0 - 3_600 + second, is_enabled=True)
    assert [entry.received_at - entry.captured_at for entry in silences(watch)] == [4, 5, 6, 7, 8, 9]
