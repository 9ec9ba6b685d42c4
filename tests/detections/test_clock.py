from __future__ import annotations

from dataclasses import replace

import pytest

from cameras import folders, presence
from cameras.entries import Entry, Kind
from cameras.packets import FOLDER, Name
from cameras.presence import Presence
from cameras.ring import name_of
from cameras.spool import Spool
from detections.clock import STALE_LINK_S, Watch
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


def test_who_is_there_when_it_is_switched_off_is_let_go(watch: Watch) -> None:
    presence.write(watch.spool.folder, replace(Presence(), open_visits=1))
    watch.look(1_100.0, is_enabled=False)
    assert [entry.captured_at for entry in silences(watch)] == [1_002.0]


def test_a_silent_cameras_pictures_go_in_whatever_form(watch: Watch) -> None:
    look(watch, 0, 3)
    packets, pictures = watch.spool.folder / FOLDER, watch.spool.folder / "ring"
    group = Name(1_002_000_000, 1_003_000_000, 1_002_000_000, 0, "0" * 8)
    for folder, name in ((packets, str(group)), (pictures, name_of("0" * 32, 1, 1_002))):
        folder.mkdir()
        (folder / name).write_bytes(b"picture")
    watch.clean(1_003.0 + STALE_LINK_S)
    assert [*packets.iterdir(), *pictures.iterdir()] != []
    watch.clean(1_005.0 + STALE_LINK_S)
    assert [*packets.iterdir(), *pictures.iterdir()] == []
