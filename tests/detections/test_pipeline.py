"""The drain and the pipeline with a detector that sees what it is told: exactly once, in order, whatever dies."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.db import DatabaseError
from django.urls import reverse

from cameras import folders, presence
from cameras.entries import Flag, Kind, Outcome
from cameras.frames import Frame
from cameras.models import Camera
from cameras.presence import Presence
from cameras.ring import Ring
from cameras.spool import NO_FLAGS, Spool
from detections import broadcast, checkpoint, jobs, pipeline, store, tracklog, turn
from detections.models import Visit
from tests.build import STREAM
from tests.fakes import FakeDetector, numbered_picture

FPS = 5.0
LAST = 40


def someone_from_10_to_30(number: int) -> list[tuple[float, float, float, float]]:
    left = 40.0 + 2 * number
    return [(left, 60.0, left + 50.0, 200.0)] if 10 <= number <= 30 else []


class Post:
    """One camera's spool to be filled, drained and looked at."""

    def __init__(self, camera: Camera, detector: FakeDetector) -> None:
        self.camera = camera
        self.detector = detector
        self.spool = Spool(folders.of(camera.pk))
        self.ring = Ring(self.spool.folder / "ring", max_bytes=10**8)
        self.started_at = time.time() - 20

    def admit(self, numbers: range, flags: Flag = NO_FLAGS) -> None:
        for number in numbers:
            at = self.started_at + number / FPS
            frame = Frame(self.camera.pk, STREAM, number, at, time.time(), numbered_picture(number))
            self.spool.put(frame, Kind.ADMITTED, "person", flags=flags, picture=self.ring.put(frame))

    def drain(self) -> None:
        jobs.drain(self.camera.pk)

    def rows(self) -> list[tracklog.Row]:
        return list(tracklog.TrackLog(folders.tracks_of(self.camera.pk)).rows(0, time.time() + 3_600))

    def visits(self) -> list[dict[str, Any]]:
        return [dict(visit) for visit in Visit.objects.order_by("first_seen").values()]

    def effects(self) -> tuple[list[tracklog.Row], list[dict[str, Any]], list[tuple[int, Outcome, int]]]:
        return self.rows(), self.visits(), [(e.n, e.outcome, e.people) for e in self.spool.after(0)]

    def presence(self) -> Presence:
        return presence.read(self.spool.folder)


@pytest.fixture
def detector(monkeypatch: pytest.MonkeyPatch, settings: Any) -> FakeDetector:
    fake = FakeDetector(someone_from_10_to_30)
    monkeypatch.setattr(jobs, "get_detector", lambda: fake)
    settings.LINGER_S = 0.0
    return fake


@pytest.fixture
def post(camera_x: Camera, detector: FakeDetector, empty_valkey: str) -> Iterator[Post]:
    turn.worker.cache_clear()
    yield Post(camera_x, detector)
    turn.worker().decoder.shutdown(wait=True)
    turn.worker.cache_clear()


def test_every_admitted_frame_takes_effect_once_and_in_order(post: Post) -> None:
    post.admit(range(1, LAST + 1))
    post.drain()
    assert [number for _camera, number in post.detector.seen] == list(range(1, LAST + 1))
    assert [row.seq for row in post.rows()] == list(range(1, LAST + 1))
    assert all(entry.outcome is Outcome.ANALYSED for entry in post.spool.after(0))
    assert list(post.spool.admitted.iterdir()) == []
    (visit,) = post.visits()
    assert visit["first_seen"].timestamp() == pytest.approx(post.started_at + 10 / FPS, abs=1e-3)
    assert visit["last_seen"].timestamp() == pytest.approx(post.started_at + 30 / FPS, abs=1e-3)
    assert (Path(settings.MEDIA_ROOT) / visit["picture"]).stat().st_size > 500
    shown = [row.boxes for row in post.rows() if row.boxes]
    assert len(shown) == 21
    assert {box.visit for boxes in shown[-5:] for box in boxes} == {str(visit["id"])}
    assert all(
        0 <= edge <= 1 for boxes in shown for box in boxes for edge in (box.left, box.top, box.right, box.bottom)
    )


class Killed(BaseException):
    """The process ends here."""


STEPS: list[tuple[object, str]] = [
    (store, "save"),
    (store, "save_picture"),
    (tracklog.TrackLog, "append"),
    (broadcast, "frame"),
    (checkpoint.Writer, "write"),
    (presence.Writer, "write"),
    (Spool, "settle"),
    (Spool, "release"),
]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("place", "name"), STEPS, ids=range(len(STEPS)))
@pytest.mark.parametrize("nth", [1, 7, 16])
def test_an_owner_killed_at_any_step_leaves_the_same_effects(
    post: Post, monkeypatch: pytest.MonkeyPatch, camera_y: Camera, place: object, name: str, when: str, nth: int
) -> None:
    post.admit(range(1, LAST + 1))
    step: Callable[..., Any] = getattr(place, name)
    calls = 0

    def dies(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls != nth:
            return step(*args, **kwargs)
        if when == "after":
            step(*args, **kwargs)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(place, name, dies)
        try:
            post.drain()
        except Killed:
            killed = True
        else:
            killed = False
    assert killed or nth > calls, "the step must have been reached"
    post.drain()
    rows, visits, entries = post.effects()
    assert [row.seq for row in rows] == list(range(1, LAST + 1))
    assert [(n, outcome) for n, outcome, _people in entries] == [(n, Outcome.ANALYSED) for n in range(1, LAST + 1)]
    undisturbed = undisturbed_run(post, camera_y)
    assert [people for _n, _outcome, people in entries] == [people for _n, _outcome, people in undisturbed[2]]
    times = ("first_seen", "last_seen", "state", "end_reason", "settled_at", "ended_at")
    assert [[visit[key] for key in times] for visit in visits] == [
        [visit[key] for key in times] for visit in undisturbed[1]
    ]
    assert len(visits) == 1


def undisturbed_run(
    post: Post, camera: Camera
) -> tuple[list[tracklog.Row], list[dict[str, Any]], list[tuple[int, Outcome, int]]]:
    other = Post(camera, post.detector)
    other.started_at = post.started_at
    other.admit(range(1, LAST + 1))
    other.drain()
    rows, _visits, entries = other.effects()
    return rows, [dict(visit) for visit in Visit.objects.filter(camera=camera).values()], entries


def test_a_failing_detector_is_an_error_and_never_nobody(post: Post) -> None:
    post.detector.fails_on = set(range(15, 22))  # 1.4 s, more than makes a visit out of sight.
    post.admit(range(1, 27))
    post.drain()
    assert [row.failed for row in post.rows()] == [15 <= number <= 21 for number in range(1, 27)]
    failed = [entry.seq for entry in post.spool.after(0) if entry.outcome is Outcome.FAILED]
    assert failed == list(range(15, 22))
    (visit,) = post.visits()
    assert (visit["state"], post.presence().people) == ("present", 1)


def test_a_picture_that_is_gone_or_broken_fails_alone(post: Post) -> None:
    post.admit(range(10, 16))
    gone, broken = sorted(post.spool.admitted.iterdir())[1:3]
    gone.unlink()
    broken.write_bytes(b"not a picture")
    post.drain()
    assert [row.failed for row in post.rows()] == [False, True, True, False, False, False]


def test_a_database_that_does_not_answer_loses_no_frame(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    post.admit(range(1, LAST + 1))

    def refuse(*_args: Any, **_kwargs: Any) -> None:
        raise DatabaseError("the database is away")

    with monkeypatch.context() as patch:
        patch.setattr(store, "save", refuse)
        with pytest.raises(DatabaseError):
            post.drain()
    post.drain()
    assert [row.seq for row in post.rows()] == list(range(1, LAST + 1))
    assert len(post.visits()) == 1


def test_refused_entries_move_time_and_a_silent_source_ends_a_visit_as_lost(post: Post) -> None:
    post.admit(range(1, 21))  # The person is still there in the last of these.
    post.drain()
    last_at = post.started_at + 20 / FPS
    assert post.presence().present
    for later_s in (3.0, 8.0, 12.0):
        post.spool.append(Kind.NO_SIGHT, "silent", captured_at=last_at, received_at=last_at + later_s)
    post.drain()
    (visit,) = post.visits()
    assert (visit["state"], visit["end_reason"]) == ("ended", "camera_lost")
    assert visit["last_seen"].timestamp() == pytest.approx(last_at, abs=1e-3)
    post.admit(range(21, LAST + 1))  # Sent late, with true capture times: nobody had left.
    post.drain()
    (visit,) = post.visits()
    assert (visit["state"], visit["end_reason"]) == ("out_of_sight", "")
    assert visit["last_seen"].timestamp() == pytest.approx(post.started_at + 30 / FPS, abs=1e-3)
    for later_s in range(1, 12):
        at = post.started_at + LAST / FPS + later_s
        frame = Frame(post.camera.pk, STREAM, 100 + later_s, at, at, b"")
        post.spool.put(frame, Kind.NO_MOTION, "")
    post.drain()
    (visit,) = post.visits()
    assert (visit["state"], visit["end_reason"]) == ("ended", "left")


def test_presence_tells_the_gate_until_no_box_was_seen_for_a_second(post: Post) -> None:
    post.admit(range(1, 31))
    post.drain()
    assert (post.presence().present, post.presence().people, post.presence().n) == (True, 1, 30)
    post.admit(range(31, 35))
    post.drain()
    assert post.presence().present, "0.8 s without a box"
    post.admit(range(35, 37))
    post.drain()
    assert (post.presence().present, post.presence().people) == (False, 0)


def test_a_second_owner_is_turned_away(post: Post) -> None:
    post.admit(range(1, 3))
    with post.spool.owned():
        post.drain()
    assert post.rows() == []
    post.drain()
    assert len(post.rows()) == 2


def test_a_camera_that_is_gone_is_no_error(post: Post) -> None:
    jobs.drain(987_654)


def test_the_address_of_a_best_picture_is_that_of_its_page() -> None:
    visit_id = uuid4()
    assert store.picture_url(visit_id) == reverse("detections:visit-picture", args=[visit_id])


def test_the_drain_is_found_by_the_name_that_is_rung() -> None:
    from django.utils.module_loading import import_string

    from cameras import bell, node

    assert import_string(bell.DRAIN_JOB) is jobs.drain
    assert callable(import_string(node.PERSON_FINDER))


def test_a_quiet_stretch_costs_no_checkpoint_per_frame(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    writes = []
    write = pipeline.write

    def noted(camera: pipeline.Camera) -> None:
        writes.append(camera.last.n)
        write(camera)

    monkeypatch.setattr(pipeline, "write", noted)
    for number in range(1, 500):
        at = post.started_at + number / 50
        post.spool.put(Frame(post.camera.pk, STREAM, number, at, at, b""), Kind.NO_MOTION, "")
    post.drain()
    assert writes == [499]
    assert post.presence().n == 499


def test_a_frozen_picture_keeps_nobody_present(post: Post) -> None:
    post.admit(range(1, 20))
    post.admit(range(20, 31), flags=Flag.FROZEN)  # Somebody is in all of these.
    post.drain()
    (visit,) = post.visits()
    assert visit["state"] == "out_of_sight"
    assert visit["last_seen"].timestamp() == pytest.approx(post.started_at + 19 / FPS, abs=0.01)
    assert not post.presence().present
    post.admit(range(31, 81), flags=Flag.FROZEN)
    post.drain()
    (visit,) = post.visits()
    assert (visit["state"], visit["end_reason"]) == ("ended", "camera_lost")
    assert len(post.rows()) == 80
