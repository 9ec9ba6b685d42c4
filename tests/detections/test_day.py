"""One day of a camera: its minutes, also where a day is not 24 hours long, and where its visits lie."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from cameras.models import CoverageMinute
from detections import day

SEOUL, BERLIN, KOLKATA = (ZoneInfo(name) for name in ("Asia/Seoul", "Europe/Berlin", "Asia/Kolkata"))
FULL = (1 << 60) - 1


def row(at: datetime, **changes: int) -> CoverageMinute:
    return CoverageMinute(minute=at, **{"received": 60, "judged_mask": FULL, **changes})


@pytest.mark.parametrize(
    ("zone", "when", "minutes"),
    [
        (SEOUL, date(2026, 3, 4), 1440),
        (BERLIN, date(2026, 3, 29), 1380),  # The clocks go forward.
        (BERLIN, date(2026, 10, 25), 1500),  # The clocks go back.
    ],
)
def test_a_day_has_as_many_minutes_as_its_zone_gives_it(zone: ZoneInfo, when: date, minutes: int) -> None:
    bounds = day.Bounds.of(when, zone)
    assert bounds.minutes == minutes
    assert bounds.at(minutes) == bounds.end
    kinds = day.kinds_of(bounds, {}, bounds.end + timedelta(days=1))
    assert kinds == ["none"] * minutes
    segments = day.segments_of(bounds, kinds, [])
    assert sum(segment.length for segment in segments) == minutes
    assert [first.first + first.length for first in segments[:-1]] == [segment.first for segment in segments[1:]]


def test_what_has_not_begun_is_neither_clear_nor_missing() -> None:
    bounds = day.Bounds.of(date(2026, 3, 4), SEOUL)
    now = bounds.at(600) + timedelta(seconds=30)
    kinds = day.kinds_of(bounds, {}, now)
    assert kinds[:601] == ["none"] * 601
    assert set(kinds[601:]) == {"ahead"}
    (last,) = [segment for segment in day.segments_of(bounds, kinds, []) if segment.first <= 600 < segment.first + 360]
    assert sum(span.width for span in last.spans) == pytest.approx(100 * 241 / 360, abs=0.01)


def test_the_running_minute_is_clear_as_far_as_it_has_been_seen() -> None:
    bounds = day.Bounds.of(date(2026, 3, 4), SEOUL)
    now = bounds.at(600) + timedelta(seconds=30)
    seen = {600: row(bounds.at(600), judged_mask=(1 << 26) - 1)}
    assert day.kinds_of(bounds, seen, now)[600] == "clear"
    # Ten seconds on, and no more was judged.
    assert day.kinds_of(bounds, seen, now + timedelta(seconds=10))[600] == "partly"


def test_rows_find_their_minute_in_any_zone() -> None:
    for zone in (SEOUL, BERLIN, KOLKATA, UTC):
        bounds = day.Bounds.of(date(2026, 10, 25), zone)  # type: ignore[arg-type]
        rows = [row(bounds.at(index).astimezone(UTC)) for index in (0, 61, bounds.minutes - 1)]
        assert list(day.by_index(bounds, rows)) == [0, 61, bounds.minutes - 1]


def test_equal_minutes_are_drawn_as_one() -> None:
    bounds = day.Bounds.of(date(2026, 3, 4), UTC)  # type: ignore[arg-type]
    minutes = {index: row(bounds.at(index)) for index in range(0, 90)}
    minutes[90] = row(bounds.at(90), people_mask=1)
    kinds = day.kinds_of(bounds, minutes, bounds.end + timedelta(hours=1))
    first = day.segments_of(bounds, kinds, [])[0]
    assert [(span.kind, span.left, span.width) for span in first.spans] == [
        ("clear", 0.0, 25.0),
        ("people", 25.0, 0.278),
        ("none", 25.278, 74.722),
    ]
    assert all(left.left + left.width == pytest.approx(right.left, abs=0.01) for left, right in pairwise(first.spans))


def test_a_visit_over_a_border_is_drawn_on_both_sides() -> None:
    bounds = day.Bounds.of(date(2026, 3, 4), UTC)  # type: ignore[arg-type]
    stay = (bounds.at(350), bounds.at(370))
    segments = day.segments_of(bounds, ["none"] * 1440, [stay, (bounds.at(-20), bounds.at(5))])
    assert [(span.left, span.width) for span in segments[0].visits] == [(97.222, 2.778), (0.0, 1.389)]
    assert [(span.left, span.width) for span in segments[1].visits] == [(0.0, 2.778)]
    assert segments[2].visits == segments[3].visits == []


def test_hours_carry_their_local_names_and_count_their_minutes() -> None:
    bounds = day.Bounds.of(date(2026, 10, 25), BERLIN)
    minutes = {61: row(bounds.at(61), people_mask=1, max_people=4)}
    kinds = day.kinds_of(bounds, minutes, bounds.end + timedelta(hours=1))
    hours = day.hours_of(bounds, kinds, minutes)
    assert [f"{hour.starts_at:%H}" for hour in hours[:5]] == ["00", "01", "02", "02", "03"]  # Two o'clock comes twice.
    assert dict(zip(day.KINDS, hours[1].minutes, strict=True)) == {
        "clear": 0,
        "people": 1,
        "partly": 0,
        "unanalysed": 0,
        "none": 59,
    }
    assert hours[1].most_people == 4
    ticks = [tick.label for segment in day.segments_of(bounds, kinds, []) for tick in segment.ticks]
    assert len(ticks) == 25


def test_hours_that_have_not_begun_are_left_out() -> None:
    bounds = day.Bounds.of(date(2026, 3, 4), SEOUL)
    kinds = day.kinds_of(bounds, {}, bounds.at(125))
    assert len(day.hours_of(bounds, kinds, {})) == 3
