from __future__ import annotations

from pathlib import Path

import pytest

from cameras.coverage import FULL, RollUp, Tally, kind_of, tally
from cameras.entries import Entry, Flag, Kind, Outcome
from cameras.spool import Spool
from tests.build import make_entry, make_frame

MINUTE = 60_000


def tallied(*found: Entry) -> Tally:
    return tally(found, {MINUTE})[MINUTE]


def test_received_and_admitted_add_up() -> None:
    at = float(MINUTE)
    counts = tallied(
        make_entry(1, Kind.NO_MOTION, at),
        make_entry(2, Kind.NO_PERSON, at + 1),
        make_entry(3, Kind.ADMITTED, at + 2),
        make_entry(4, Kind.ADMITTED, at + 3, outcome=Outcome.ANALYSED, people=2),
        make_entry(5, Kind.ADMITTED, at + 4, outcome=Outcome.FAILED),
        make_entry(6, Kind.ADMITTED, at + 5, outcome=Outcome.ANALYSED, flags=Flag.SAMPLE, people=1),
        make_entry(7, Kind.BUSY, at + 6, size=3),
        make_entry(8, Kind.INVALID, at + 7, size=2),
        make_entry(9, Kind.NO_SIGHT, at + 8),
    )
    assert counts.received == counts.invalid + counts.busy + counts.no_motion + counts.no_person + counts.admitted == 11
    assert counts.admitted == counts.analysed + counts.waiting + counts.failed == 4
    assert (counts.samples, counts.misses, counts.max_people) == (1, 1, 2)
    assert counts.judged_mask == 0b101011, "what waits, failed, was busy or invalid was not judged"
    assert counts.people_mask == 0b101000


def test_a_frozen_picture_is_not_sight() -> None:
    counts = tallied(make_entry(1, Kind.NO_MOTION, MINUTE + 5.0, flags=Flag.FROZEN))
    assert (counts.judged_mask, counts.frozen_mask) == (0, 1 << 5)


@pytest.mark.parametrize(
    ("received", "judged", "people", "elapsed_s", "kind"),
    [
        (0, 0, 0, 60, "none"),
        (300, FULL, 0, 60, "clear"),
        (300, FULL, 1, 60, "people"),
        (300, 1, 1, 60, "people"),
        (300, FULL >> 1, 0, 60, "partly"),  # A single second unjudged, and the minute is not clear.
        (300, 0, 0, 60, "unanalysed"),
        (100, 0b11111, 0, 5, "clear"),  # The running minute so far.
        (100, 0b11101, 0, 5, "partly"),
        (1, 0, 0, 0, "unanalysed"),
    ],
)
def test_a_minute_is_clear_only_when_every_second_was_judged_without_a_person(
    received: int, judged: int, people: int, elapsed_s: int, kind: str
) -> None:
    assert kind_of(Tally(received=received, judged_mask=judged, people_mask=people), elapsed_s=elapsed_s) == kind


def test_a_minute_without_a_row_has_no_picture() -> None:
    assert kind_of(None) == "none"


class Minutes:
    """A camera's log and its roll-up, with the rows they would leave in the database."""

    def __init__(self, folder: Path) -> None:
        self.spool = Spool(folder)
        self.roll_up = RollUp(self.spool)
        self.rows: dict[int, Tally] = {}

    def put(self, seq: int, kind: Kind = Kind.ADMITTED) -> int:
        return self.spool.put(make_frame(seq, MINUTE + seq), kind, "").n

    def count(self, analysed_n: int) -> set[int]:
        changed = self.roll_up.changed(analysed_n)
        self.rows.update(changed)
        return set(changed)


def test_the_roll_up_counts_a_minute_again_only_when_something_happened_to_it(tmp_path: Path) -> None:
    minutes = Minutes(tmp_path)
    for seq in range(0, 130, 10):
        minutes.put(seq)
    assert minutes.count(0) == {MINUTE, MINUTE + 60, MINUTE + 120}
    assert minutes.count(0) == set()
    for n in (1, 2):
        minutes.spool.settle(n, Outcome.ANALYSED, 1)
    assert MINUTE in minutes.count(2)
    assert (minutes.rows[MINUTE].admitted, minutes.rows[MINUTE].analysed, minutes.rows[MINUTE].waiting) == (6, 2, 4)
    minutes.put(131)
    assert minutes.count(13) >= {MINUTE + 120}
    assert minutes.rows[MINUTE + 120].admitted == 2
    assert sum(row.received for row in minutes.rows.values()) == 14


def test_a_roll_up_that_starts_again_counts_the_same(tmp_path: Path) -> None:
    minutes = Minutes(tmp_path)
    for seq in range(100):
        minutes.put(seq, Kind.NO_MOTION if seq % 3 else Kind.ADMITTED)
    minutes.count(0)
    again = Minutes(tmp_path)
    again.count(0)
    assert again.rows == minutes.rows
