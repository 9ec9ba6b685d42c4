"""A camera's day on one axis: whole, bounded, and hardly dearer when it is crowded."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from cameras.models import Camera, CoverageMinute
from detections.day import Bounds
from detections.models import Visit
from recordings import timeline
from recordings.models import Recording

pytestmark = pytest.mark.django_db
DAY = datetime(2026, 3, 4, tzinfo=UTC)
BOUNDS = Bounds.of(date(2026, 3, 4), ZoneInfo("UTC"))
LATER = DAY + timedelta(days=30)
EMPTY_DAY, FULL_DAY = "2026-03-01", "2026-03-04"
CLIPS, VISITS = 2_000, 50_000


def clips(camera: Camera, count: int, *, start: datetime = DAY, every_s: float = 43, length_s: float = 20) -> None:
    starts = [start + timedelta(seconds=every_s * number) for number in range(count)]
    ready, length = Recording.State.READY, timedelta(seconds=length_s)
    Recording.objects.bulk_create(
        Recording(camera=camera, state=ready, start=at, end=at + length, path="x.mp4") for at in starts
    )


def visits(camera: Camera, count: int, *, every_s: float = 1.7, length_s: float = 12) -> None:
    Visit.objects.bulk_create(
        (
            Visit(camera=camera, stream="0" * 32, first_seq=number, state="ended", first_seen=at, last_seen=until)
            for number in range(count)
            for at in [DAY + timedelta(seconds=every_s * number)]
            for until in [at + timedelta(seconds=length_s)]
        ),
        batch_size=2_000,
    )


def look(camera: Camera, start: datetime = BOUNDS.start, end: datetime = BOUNDS.end) -> timeline.Timeline:
    return timeline.look(camera, start, end, LATER)


def test_a_quiet_day_shows_every_clip_and_visit(camera_x: Camera, camera_y: Camera) -> None:
    clips(camera_x, 3)
    clips(camera_y, 5)
    visits(camera_x, 4)
    found = look(camera_x)
    at = DAY.timestamp()
    assert [(clip["start"] - at, clip["end"] - at) for clip in found["clips"]["items"]] == [
        (0, 20),
        (43, 63),
        (86, 106),
    ]
    assert [visit["start"] - at for visit in found["visits"]["items"]] == pytest.approx([0, 1.7, 3.4, 5.1])
    assert found["clips"]["bins"] == found["visits"]["bins"] == []


def test_what_began_before_and_still_lasts_is_shown(camera_x: Camera) -> None:
    clips(camera_x, 1, start=DAY - timedelta(seconds=30), length_s=60)
    clips(camera_x, 1, start=DAY - timedelta(seconds=300), length_s=60)
    assert len(look(camera_x)["clips"]["items"]) == 1


def test_a_crowd_is_counted_and_none_is_lost(camera_x: Camera) -> None:
    clips(camera_x, timeline.MOST_ITEMS + 1, every_s=60)
    lane = look(camera_x)["clips"]
    assert lane["items"] == []
    assert sum(each["count"] for each in lane["bins"]) == timeline.MOST_ITEMS + 1
    assert len(lane["bins"]) <= timeline.BINS
    closer = look(camera_x, DAY, DAY + timedelta(hours=1))["clips"]
    assert (len(closer["items"]), closer["bins"]) == (60, [])


def test_coverage_is_told_in_runs(camera_x: Camera) -> None:
    full = (1 << 60) - 1
    for minute in (600, 601, 603):
        at = DAY + timedelta(minutes=minute)
        CoverageMinute.objects.create(camera=camera_x, minute=at, received=60, judged_mask=full)
    runs = [
        (kind, (start - DAY.timestamp()) / 60, (end - DAY.timestamp()) / 60)
        for kind, start, end in look(camera_x)["coverage"]
    ]
    assert runs == [("none", 0, 600), ("clear", 600, 602), ("none", 602, 603), ("clear", 603, 604), ("none", 604, 1440)]


def took_s(act: Callable[[], object]) -> float:
    """The best of several: what else the machine does is not the page's fault."""
    times = []
    for _ in range(5):
        began = time.perf_counter()
        act()
        times.append(time.perf_counter() - began)
    return min(times)


@pytest.mark.timeout(240)
def test_a_crowded_day_costs_no_more_queries_and_under_three_times_the_time(
    client: Client, bob: User, camera_x: Camera, record_property: Callable[[str, object], None]
) -> None:
    clips(camera_x, CLIPS)
    visits(camera_x, VISITS)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    client.force_login(bob)

    def page(day: str) -> object:
        response = client.get("/recordings/", {"camera": camera_x.slug, "day": day})
        assert response.status_code == 200
        return response

    def lanes(day: str) -> object:
        at = datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp()
        query = {"camera": camera_x.slug, "from": str(at), "to": str(at + 86_400)}
        response = client.get("/recordings/timeline.json", query)
        assert response.status_code == 200
        return response

    for ask in (page, lanes):
        queries, times = {}, {}
        for day in (EMPTY_DAY, FULL_DAY):
            ask(day)
            with CaptureQueriesContext(
                connection,
            ) as captured:
                ask(day)
            queries[day] = len(captured)
            times[day] = took_s(lambda ask=ask, day=day: ask(day))  # type: ignore[misc]
        record_property(f"{ask.__name__}_s", times)
        assert queries[FULL_DAY] == queries[EMPTY_DAY]
        assert times[FULL_DAY] < 3 * times[EMPTY_DAY], times


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"from": "x", "to": "y"},
        {"from": "nan", "to": "10"},
        {"from": "0", "to": "inf"},
        {"from": "100", "to": "50"},
        {"from": "0", "to": "1000000"},
        {"from": "-5", "to": "100"},
        {"from": "1e300", "to": "1e301"},
    ],
)
def test_nonsense_is_refused(client: Client, bob: User, camera_x: Camera, query: dict[str, str]) -> None:
    client.force_login(bob)
    assert client.get("/recordings/timeline.json", {"camera": camera_x.slug, **query}).status_code == 400


def test_who_is_present_is_there_until_now(camera_x: Camera) -> None:
    """Of them the row is written when they come and next as they go."""
    visits(camera_x, 1)
    Visit.objects.update(state=Visit.State.PRESENT)
    (shown,) = look(camera_x, BOUNDS.start + timedelta(hours=2), BOUNDS.end)["visits"]["items"]
    assert shown["end"] == LATER.timestamp()
