"""Zones in the pipeline: rows for what happened, once, whatever dies; and nothing at all where nothing is drawn."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from cameras import drawing, drawn, folders
from cameras.models import Camera, Zone
from detections import broadcast, checkpoint, store, turn, zoning
from detections.messages import TracksMessage
from detections.models import Visit, ZoneEvent
from detections.zones import Happening
from tests.detections.test_pipeline import FPS, LAST, Killed, Post, detector, post

__all__ = ["detector", "post"]
pytestmark = pytest.mark.django_db
MIDDLE = [[0.33, 0.0], [0.33, 1.0]]
LEFT = [[0.0, 0.5], [0.5, 0.5], [0.5, 1.0], [0.0, 1.0]]


@pytest.fixture
def line(camera_x: Camera) -> Zone:
    return Zone.objects.create(camera=camera_x, name="Door", kind="line", points=MIDDLE)


@pytest.fixture
def area(camera_x: Camera) -> Zone:
    return Zone.objects.create(camera=camera_x, name="Desk", kind="area", points=LEFT, loiter_s=2)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[TracksMessage]:
    """What viewers are told of each frame."""
    found: list[TracksMessage] = []
    monkeypatch.setattr(broadcast, "frame", lambda camera_id, tracks, visits: found.append(tracks))
    return found


def draw(camera: Camera) -> None:
    drawn.write(camera.pk, drawing.drawn_of([camera.pk]).get(camera.pk, []))


def events(post: Post) -> list[tuple[int, str, str, float]]:
    rows = ZoneEvent.objects.order_by("at", "kind")
    assert all(row.camera_id == post.camera.pk for row in rows)
    return [(row.zone_id, row.kind, row.direction, round((row.at.timestamp() - post.started_at) * FPS)) for row in rows]


def test_what_happens_in_zones_is_a_row_each_and_told_to_viewers(
    post: Post, line: Zone, area: Zone, shown: list[TracksMessage]
) -> None:
    draw(post.camera)
    post.admit(range(1, LAST + 1))
    post.drain()
    assert {event[:3] for event in events(post)} == {
        (area.pk, "entered", ""),
        (line.pk, "crossed", "out"),
        (area.pk, "loitered", ""),
    }
    at = {kind: number for _zone, kind, _direction, number in events(post)}
    assert at["entered"] == 13  # Half a second after frame 10, although the visit is confirmed later.
    assert at["crossed"] in (23, 24, 25)  # Well behind the line, which its feet are on at frame 20.
    assert at["loitered"] == 21
    visit = Visit.objects.get()
    assert {event.visit_id for event in ZoneEvent.objects.all()} == {visit.pk}
    inside = [tracks["zones"][str(area.pk)] for tracks in shown]
    assert inside[5] == 0
    assert inside[20] == 1
    assert inside[-1] == 0


@pytest.mark.parametrize("step", ["save_happenings", "save"])
def test_a_kill_at_any_frame_leaves_the_same_rows(
    post: Post, line: Zone, area: Zone, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    draw(post.camera)
    whole: Any = getattr(store, step)
    calls = iter(range(1_000))

    def dies(*arguments: Any) -> None:
        whole(*arguments)
        if (arguments[1] or step == "save") and next(calls) < 12:
            raise Killed

    monkeypatch.setattr(store, step, dies)
    post.admit(range(1, LAST + 1))
    for _attempt in range(40):
        try:
            turn.worker.cache_clear()
            post.drain()
            break
        except Killed:
            continue
    assert sorted(event[1] for event in events(post)) == ["crossed", "entered", "loitered"]


def test_a_camera_without_zones_pays_nothing(
    post: Post, shown: list[TracksMessage], monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    stats: list[str] = []
    monkeypatch.setattr(drawn, "stamp", lambda folder: stats.append(str(folder)))
    monkeypatch.setattr(zoning, "ZoneWatch", lambda *_args, **_more: pytest.fail("there is nothing to watch"))
    post.admit(range(1, 9))
    with django_assert_num_queries(1):  # The camera's own row.
        post.drain()
    assert len(stats) <= 2
    assert all("zones" not in tracks for tracks in shown)
    assert checkpoint.read(post.spool.folder).zones == {}
    assert not ZoneEvent.objects.exists()


def test_zones_that_are_drawn_while_frames_come_hold_within_a_second(
    post: Post, area: Zone, shown: list[TracksMessage], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The drain keeps the camera for as long as nobody else waits: it must not have to begin anew."""
    monkeypatch.setattr(zoning, "LOOK_S", -1.0)
    found, zones = post.detector.boxes_of, drawing.drawn_of()[post.camera.pk]

    def boxes(number: int) -> list[tuple[float, float, float, float]]:
        if number in (12, 28):
            drawn.write(post.camera.pk, zones if number == 12 else [])
        return found(number)

    post.detector.boxes_of = boxes
    post.admit(range(1, LAST + 1))
    post.drain()
    assert "zones" not in shown[5]
    assert shown[20]["zones"] == {str(area.pk): 1}
    assert "zones" not in shown[-1]


def test_what_belongs_to_a_zone_or_a_visit_that_is_gone_is_not_written(post: Post, area: Zone) -> None:
    post.admit(range(1, LAST + 1))
    post.drain()
    visit = str(Visit.objects.get().pk)
    now = time.time()
    wanted = [
        Happening(area.pk, visit, "entered", "", now),
        Happening(area.pk + 1, visit, "entered", "", now),
        Happening(area.pk, visit.replace(visit[:8], "0" * 8), "entered", "", now),
    ]
    for _again in range(2):
        store.save_happenings(post.camera.pk, wanted)
    assert ZoneEvent.objects.count() == 1
    with pytest.raises(IntegrityError), transaction.atomic():
        ZoneEvent.objects.create(camera=post.camera, zone=area, visit_id=visit, kind="entered", at=store.aware(now + 9))


def test_the_file_of_zones_is_what_the_database_says_and_goes_with_the_last_one(
    camera_x: Camera, line: Zone, area: Zone
) -> None:
    Zone.objects.create(camera=camera_x, name="Window", kind="mask", points=LEFT)
    draw(camera_x)
    folder = folders.of(camera_x.pk)
    assert {zone.name for zone in drawn.read(folder)} == {"Door", "Desk"}
    before = drawn.stamp(folder)
    draw(camera_x)
    assert drawn.stamp(folder) == before  # The same is not written again.
    (folder / drawn.NAME).write_text("[{}]")
    assert drawn.read(folder) == ()
    with drawing.changing(camera_x.pk):
        Zone.objects.exclude(kind="mask").delete()
    draw(camera_x)
    assert drawn.stamp(folder) is None
    assert not list(folder.glob(".zones*"))
