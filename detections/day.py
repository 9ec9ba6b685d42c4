"""One day of one camera for its page: what happened in each minute, the same by hour, and where its visits lie."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from cameras.coverage import CoverageKind, kind_of
from cameras.models import CoverageMinute

SEGMENTS = 4
# The roll-up runs every second behind the frames: the last seconds are not yet "not seen".
SETTLE_S = 5
Kind = CoverageKind | Literal["ahead"]
KINDS: tuple[CoverageKind, ...] = get_args(CoverageKind)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of one segment, in percent of its width."""

    kind: str
    left: float
    width: float


@dataclass(frozen=True, slots=True)
class Tick:
    label: str
    left: float


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the strip; `first` is the index of its first minute."""

    first: int
    length: int
    spans: list[Span]
    visits: list[Span]
    ticks: list[Tick]


@dataclass(frozen=True, slots=True)
class Hour:
    """Minutes of each kind within an hour, in the order of KINDS."""

    starts_at: datetime
    minutes: list[int]
    most_people: int


@dataclass(frozen=True, slots=True)
class Bounds:
    """A day of a zone: 23 to 25 hours. `zone` may be any tzinfo Django hands out."""

    day: date
    start: datetime
    end: datetime

    @classmethod
    def of(cls, day: date, zone: ZoneInfo) -> Bounds:
        return cls(day, _midnight(day, zone), _midnight(day + timedelta(days=1), zone))

    @property
    def minutes(self) -> int:
        return round((self.end.astimezone(UTC) - self.start.astimezone(UTC)).total_seconds() / 60)

    def at(self, index: int) -> datetime:
        return (self.start.astimezone(UTC) + timedelta(minutes=index)).astimezone(self.start.tzinfo)

    def index(self, moment: datetime) -> float:
        return (moment - self.start.astimezone(UTC)).total_seconds() / 60


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, tzinfo=zone)


def kinds_of(bounds: Bounds, minutes: dict[int, CoverageMinute], now: datetime) -> list[Kind]:
    """The kind of every minute of the day by its index; what has not begun is ahead."""
    passed_s = bounds.index(now) * 60 - SETTLE_S

    def kind(index: int) -> Kind:
        elapsed_s = int(min(60, passed_s - index * 60))
        if elapsed_s <= 0 and index not in minutes:
            return "ahead"
        return kind_of(minutes.get(index), elapsed_s=elapsed_s)

    return [kind(index) for index in range(bounds.minutes)]


def by_index(bounds: Bounds, rows: Iterable[CoverageMinute]) -> dict[int, CoverageMinute]:
    return {round(bounds.index(row.minute)): row for row in rows}


def segments_of(
    bounds: Bounds, kinds: list[Kind], visits: Iterable[tuple[datetime, datetime]], *, parts: int = SEGMENTS
) -> list[Segment]:
    stays = [(bounds.index(first), bounds.index(last)) for first, last in visits]
    length = -(-len(kinds) // parts)
    return [_segment(bounds, kinds[first : first + length], first, stays) for first in range(0, len(kinds), length)]


def _segment(bounds: Bounds, kinds: list[Kind], first: int, stays: list[tuple[float, float]]) -> Segment:
    length = len(kinds)

    def percent(minutes: float) -> float:
        return round(100 * minutes / length, 3)

    spans, index = [], 0
    for kind, run in groupby(kinds):
        width = len(list(run))
        if kind != "ahead":
            spans.append(Span(kind, percent(index), percent(width)))
        index += width
    visits = [
        Span("visit", percent(max(0.0, begin - first)), percent(max(0.2, min(end, first + length) - max(begin, first))))
        for begin, end in stays
        if begin < first + length and end >= first
    ]
    local = [(index, bounds.at(first + index)) for index in range(length)]
    ticks = [Tick(f"{moment:%H}", percent(index)) for index, moment in local if moment.minute == 0]
    return Segment(first, length, spans, visits, ticks)


def hours_of(bounds: Bounds, kinds: list[Kind], minutes: dict[int, CoverageMinute]) -> list[Hour]:
    """Only hours that have begun."""
    hours = []
    for first in range(0, len(kinds), 60):
        counts = Counter(kinds[first : first + 60])
        if counts["ahead"] == len(kinds[first : first + 60]):
            break
        most = max((minutes[index].max_people for index in range(first, first + 60) if index in minutes), default=0)
        hours.append(Hour(bounds.at(first), [counts[kind] for kind in KINDS], most))
    return hours


def details_of(kinds: list[Kind], minutes: dict[int, CoverageMinute]) -> dict[int, list[int | str]]:
    """For the page's script: by index the kind, then the counts in the order of the page's words for them."""
    return {
        index: [
            kinds[index],
            row.max_people,
            row.received,
            row.no_motion + row.no_person,
            row.analysed,
            row.waiting,
            row.failed,
            row.busy,
            row.invalid,
            row.judged_mask.bit_count(),
        ]
        for index, row in minutes.items()
        if index < len(kinds)
    }
