"""What is collected into the outbox: everything once, also what comes late, and nothing from before."""

from __future__ import annotations

import itertools
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from accounts.models import Membership, User
from api import collect
from api.models import Delivery, Event, Watermark, Webhook
from api.watch import Watch
from api.zones import Zones
from cameras import folders
from cameras.entries import Kind
from cameras.models import Camera, Zone
from cameras.spool import Spool
from detections.models import Visit, ZoneEvent
from recordings.models import Recording
from tests.api.conftest import make_clip, make_visit

pytestmark = pytest.mark.django_db
START = timezone.now() - timedelta(hours=2)


@pytest.fixture(autouse=True)
def began() -> None:
    """Collecting has been at work for two hours."""
    Watermark.objects.create(pk=1, since=START)


def gather(*, is_deep: bool = False) -> list[str]:
    """One look; the types that it found, in order."""
    now = timezone.now()
    last = Event.objects.count()
    collect.store(collect.look(collect.since(now, is_deep=is_deep)), now)
    return list(Event.objects.order_by("seq").values_list("type", flat=True))[last:]


def at(minutes: float) -> dict[str, Any]:
    """A visit's times, so many minutes after the start."""
    first = START + timedelta(minutes=minutes)
    return {"first_seen": first, "last_seen": first + timedelta(seconds=20)}


def test_a_visit_and_its_clip_are_told_once_each_in_their_order(camera_x: Camera) -> None:
    visit = make_visit(camera_x, state="present", ended_at=None, end_reason="", **at(110))
    assert gather() == ["visit.started"]
    assert gather() == []
    Visit.objects.update(state="ended", end_reason="left", ended_at=visit.last_seen)
    clip = make_clip(camera_x, state="encoding", start=visit.first_seen, end=visit.last_seen + timedelta(seconds=5))
    assert gather() == ["visit.ended"]
    Recording.objects.update(state="ready")
    assert gather() == ["recording.ready"]
    assert gather(is_deep=True) == []
    told = {event.type: event.data for event in Event.objects.all()}
    assert told["visit.ended"]["end_reason"] == "left"
    assert told["recording.ready"]["video"] == f"/api/recordings/{clip.pk}/video.mp4"
    assert told["visit.started"]["id"] == str(visit.pk)


def test_what_comes_late_is_found_by_the_deep_look(camera_x: Camera) -> None:
    make_visit(camera_x, **at(10))
    assert gather() == []
    assert gather(is_deep=True) == ["visit.started", "visit.ended"]


def test_what_was_before_collecting_began_is_not_told(camera_x: Camera) -> None:
    make_visit(camera_x, **at(-30))
    make_clip(camera_x)
    assert gather(is_deep=True) == []


def test_looking_again_after_forgetting_tells_nothing_twice(camera_x: Camera, monkeypatch: pytest.MonkeyPatch) -> None:
    Watermark.objects.update(since=START - timedelta(days=90))
    day = timedelta(days=settings.KEEP_DAYS)
    make_visit(camera_x, first_seen=timezone.now() - day, last_seen=timezone.now() - day + timedelta(minutes=5))
    make_visit(camera_x, **at(100))
    assert gather(is_deep=True) == ["visit.started", "visit.ended"]
    Event.objects.update(created_at=timezone.now() - day - timedelta(minutes=1))
    assert collect.forget(timezone.now()) == 2
    assert not Event.objects.exists()


def test_two_that_collect_at_once_tell_everything_once(camera_x: Camera, alice: User) -> None:
    Webhook.objects.create(user=alice, name="A", url="https://example.org/")
    make_visit(camera_x, **at(110))
    now = timezone.now()
    drafts = collect.look(START)
    assert collect._store(drafts, now) == 2
    assert collect._store(drafts, now) == 0  # Had found them before the first had stored them.
    assert Event.objects.count() == Delivery.objects.count() == 2


@pytest.mark.parametrize(
    ("events", "named", "is_member", "is_enabled", "count"),
    [
        ([], False, True, True, 2),
        (["visit.ended"], False, True, True, 1),
        (["recording.ready"], False, True, True, 0),
        ([], True, True, True, 0),  # Of another camera only.
        ([], False, False, True, 0),  # Its user watches nothing any more.
        ([], False, True, False, 0),
    ],
)
def test_a_webhook_gets_what_it_wants_and_may_have(
    alice: User, camera_x: Camera, events: list[str], named: bool, is_member: bool, is_enabled: bool, count: int
) -> None:
    hook = Webhook.objects.create(user=alice, name="A", url="https://example.org/", events=events)
    if named:
        hook.cameras.add(Camera.objects.create(name="Other", unit=camera_x.unit))
    Webhook.objects.update(is_enabled=is_enabled)
    if not is_member:
        Membership.objects.all().delete()
    make_visit(camera_x, **at(110))
    gather()
    assert Delivery.objects.count() == count


def test_a_camera_that_goes_leaves_no_webhook_that_tells_of_all(alice: User, camera_x: Camera) -> None:
    hook = Webhook.objects.create(user=alice, name="A", url="https://example.org/")
    hook.cameras.add(camera_x)
    camera_x.delete()
    hook.refresh_from_db()
    assert not hook.is_enabled


def _hear(camera: Camera, at: float, seq: int) -> None:
    spool = Spool(folders.of(camera.pk))
    spool.append(Kind.NO_MOTION, "", stream="ab" * 16, seq=seq, captured_at=at, received_at=at)


def test_a_camera_falls_silent_and_comes_back(
    camera_x: Camera, valkey: str, monkeypatch: pytest.MonkeyPatch, unit_x: object
) -> None:
    now = timezone.now().timestamp()
    _hear(camera_x, now - 60, 1)
    watch, sequence = Watch(), itertools.count(2)

    def look(watch: Watch) -> list[str]:
        drafts = watch.look(START)
        collect.store(drafts, timezone.now())
        return [draft.type for draft in drafts]

    assert look(watch) == ["camera.silent"]
    assert look(watch) == []
    assert look(Watch()) == []  # Of another process, which knows it from the outbox.
    silent = Event.objects.get()
    assert abs(silent.at.timestamp() - (now - 60)) < 0.01
    _hear(camera_x, timezone.now().timestamp(), next(sequence))
    assert look(watch) == ["camera.back"]
    assert look(watch) == []
    assert Event.objects.count() == 2


def test_a_camera_silent_from_before_is_not_told_of(camera_x: Camera, valkey: str) -> None:
    _hear(camera_x, START.timestamp() - 60, 1)
    assert Watch().look(START) == []


def test_a_problem_of_an_address_is_told_once(camera_x: Camera, valkey: str) -> None:
    Camera.objects.filter(pk=camera_x.pk).update(source="rtsp://10.0.0.7/", kind="pull")
    file = Path(settings.RUN_DIR) / "pull" / f"{camera_x.pk}.json"
    file.parent.mkdir(parents=True)
    since = (START + timedelta(minutes=100)).timestamp()
    file.write_text(json.dumps({"state": "failed", "code": "refused", "detail": "port 554", "since": since}))
    watch = Watch()
    for _ in range(2):
        collect.store(watch.look(START), timezone.now())
    event = Event.objects.get()
    assert (event.type, event.data["code"], event.data["detail"]) == ("camera.problem", "refused", "port 554")


def test_what_happens_in_zones_is_told_once(camera_x: Camera) -> None:
    visit = make_visit(camera_x, **at(100))
    line = Zone.objects.create(camera=camera_x, name="Barrier", kind="line", points=[[0, 0], [1, 1]])
    zones = Zones()
    for number, kind in enumerate(("crossed", "crossed", "entered", "loitered")):
        moment = START + timedelta(minutes=100, seconds=number)
        direction = "out" if kind == "crossed" else ""
        ZoneEvent.objects.create(camera=camera_x, zone=line, visit=visit, kind=kind, direction=direction, at=moment)
    ZoneEvent.objects.create(camera=camera_x, zone=line, visit=visit, kind="crossed", at=START - timedelta(hours=1))
    for found in (zones, zones, Zones()):  # Again, and in another process.
        collect.store(found.look(START), timezone.now())
    told = list(Event.objects.order_by("seq"))
    assert [event.type for event in told] == ["zone.crossed", "zone.crossed", "zone.entered", "zone.loitered"]
    assert told[0].data == {"zone": "Barrier", "kind": "crossed", "direction": "out", "visit": str(visit.pk)}


def test_after_a_long_outage_nothing_that_happened_in_zones_is_left_out(
    camera_x: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look back has more rows than one look takes; the looks after it go less far back and must not skip any."""
    monkeypatch.setattr("api.zones.MOST_AT_ONCE", 3)
    monkeypatch.setattr("api.zones.OVERLAP", 1)
    visit = make_visit(camera_x, **at(100))
    line = Zone.objects.create(camera=camera_x, name="Barrier", kind="line", points=[[0, 0], [1, 1]])
    for number in range(20):
        moment = START + timedelta(minutes=number)
        ZoneEvent.objects.create(camera=camera_x, zone=line, visit=visit, kind="crossed", direction="in", at=moment)
    zones = Zones()
    told = {draft.subject for draft in zones.look(START)}
    for _ in range(10):
        told |= {draft.subject for draft in zones.look(START + timedelta(minutes=18))}
    assert len(told) == 20
