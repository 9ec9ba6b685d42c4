"""What happened to the frames of each camera-minute, derived from the log alone; the clock rolls it up every second.

received = invalid + busy + no_motion + no_person + admitted, and admitted = analysed + waiting + failed. A second
counts as judged when a moving picture of it was refused by the gate or analysed; bit i of a mask is its second i.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, Protocol

from cameras.entries import Entry, Flag, Kind, Outcome
from cameras.spool import Spool

FULL = (1 << 60) - 1
CoverageKind = Literal["clear", "people", "partly", "unanalysed", "none"]


@dataclass(slots=True)
class Tally:
    """The counts of one minute, named like the columns they are stored in."""

    received: int = 0
    invalid: int = 0
    busy: int = 0
    no_motion: int = 0
    no_person: int = 0
    admitted: int = 0
    analysed: int = 0
    waiting: int = 0
    failed: int = 0
    samples: int = 0
    misses: int = 0
    judged_mask: int = 0
    people_mask: int = 0
    frozen_mask: int = 0
    max_people: int = 0

    def add(self, entry: Entry) -> None:
        second = 1 << int(entry.captured_at % 60)
        judged = 0 if entry.flags & (Flag.FROZEN | Flag.OBSCURED) else second
        if entry.flags & Flag.FROZEN:
            self.frozen_mask |= second
        match entry.kind:
            case Kind.INVALID:
                self.received += entry.size
                self.invalid += entry.size
            case Kind.BUSY:
                self.received += entry.size
                self.busy += entry.size
            case Kind.NO_MOTION:
                self.received += 1
                self.no_motion += 1
                self.judged_mask |= judged
            case Kind.NO_PERSON:
                self.received += 1
                self.no_person += 1
                self.judged_mask |= judged
            case Kind.ADMITTED:
                self.received += 1
                self.admitted += 1
                self._add_admitted(entry, second, judged)
            case Kind.NO_SIGHT:
                pass

    def _add_admitted(self, entry: Entry, second: int, judged: int) -> None:
        is_sample = bool(entry.flags & Flag.SAMPLE)
        self.samples += is_sample
        match entry.outcome:
            case Outcome.WAITING:
                self.waiting += 1
            case Outcome.FAILED:
                self.failed += 1
            case Outcome.ANALYSED:
                self.analysed += 1
                self.judged_mask |= judged
                self.misses += is_sample and entry.people > 0
                self.max_people = max(self.max_people, entry.people)
                if entry.people:
                    self.people_mask |= second


class Masked(Protocol):
    """What kind_of needs of a minute; the stored row and a Tally both have it."""

    received: int
    judged_mask: int
    people_mask: int


def kind_of(minute: Masked | None, *, elapsed_s: int = 60) -> CoverageKind:
    """The minute's class. `elapsed_s` of it lie in the past: less than 60 only for the running minute."""
    if minute is None or minute.received == 0:
        return "none"
    if minute.people_mask:
        return "people"
    past = (1 << max(0, min(60, elapsed_s))) - 1
    if past and minute.judged_mask & past == past:
        return "clear"
    return "partly" if minute.judged_mask else "unanalysed"


def minute_of(captured_at: float) -> int:
    """The minute's start in Unix seconds."""
    return int(captured_at // 60) * 60


def tally(found: Iterable[Entry], minutes: set[int]) -> dict[int, Tally]:
    tallies = {minute: Tally() for minute in minutes}
    for entry in found:
        if (kept := tallies.get(minute_of(entry.captured_at))) is not None:
            kept.add(entry)
    return tallies


class RollUp:
    """Keeps one camera's minutes up to date. Only minutes that something happened to are counted again, and from all of
    their entries, so that counting twice changes nothing."""

    def __init__(self, spool: Spool) -> None:
        self.spool = spool
        self._counted_n = 0
        self._settled_n = 0
        self._first_n: dict[int, int] = {}  # By minute: its oldest entry.
        first = spool.after(0, limit=1)
        # The oldest minutes kept may have lost entries already; they were counted while they were whole.
        self._floor = minute_of(first[0].captured_at) + 120 if first and first[0].n > 1 else 0

    def changed(self, analysed_n: int) -> dict[int, Tally]:
        """The tallies of all minutes that gained an entry or an outcome since the last call."""
        fresh = self._entries_after(min(self._counted_n, self._settled_n))
        if not fresh or (fresh[-1].n == self._counted_n and analysed_n == self._settled_n):
            return {}
        for entry in fresh:
            self._first_n.setdefault(minute_of(entry.captured_at), entry.n)
        minutes = {minute for minute in map(minute_of, (entry.captured_at for entry in fresh)) if minute >= self._floor}
        self._counted_n, self._settled_n = fresh[-1].n, analysed_n
        if not minutes:
            return {}
        self._first_n = {minute: n for minute, n in self._first_n.items() if minute > max(minutes) - 3_600}
        from_n = min(self._first_n.get(minute, 1) for minute in minutes)
        return tally(self._entries_after(from_n - 1), minutes)

    def _entries_after(self, n: int) -> list[Entry]:
        found: list[Entry] = []
        while batch := self.spool.after(found[-1].n if found else n):
            found += batch
        return found


def stored_at(minute: int) -> datetime:
    return datetime.fromtimestamp(minute, UTC)
