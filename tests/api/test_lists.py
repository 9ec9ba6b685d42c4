"""Visits, recordings and coverage by the API: filters, pages, files, and the number of queries."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import Unit, User
from cameras.models import Camera, CoverageMinute
from cameras.pull import problems
from recordings import storage
from recordings.models import AuditEntry, Recording
from tests.api.conftest import CLIP, NOW, make_clip, make_visit, program

pytestmark = pytest.mark.django_db


def _file(clip: Recording) -> None:
    path = Path(settings.RECORDINGS_DIR) / clip.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(CLIP)


def _ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [item["id"] for item in answer.json()["items"]]


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ({}, [3, 2, 1, 0]),
        ({"camera": "gate-x"}, [3, 2, 1, 0]),
        ({"camera": "gate-y"}, []),  # Another unit's, and no camera at all, look the same.
        ({"camera": "nowhere"}, []),
        ({"state": "present"}, [3]),
        ({"from": "2026-03-04T12:01:10Z"}, [3, 2, 1]),  # The second visit was still there.
        ({"from": "2026-03-04T21:01:10+09:00", "to": "2026-03-04T12:02:00Z"}, [1]),
        ({"to": "0001-01-01T00:00:00+23:59"}, []),
        ({"from": "9999-12-31T23:59:59-12:00"}, []),
        ({"from": "2026-03-04t12:02:60.123456789z"}, [3]),  # A leap second, and digits beyond what is kept.
    ],
)
def test_visits_are_filtered(
    bob: User, camera_x: Camera, camera_y: Camera, query: dict[str, str], wanted: list[int]
) -> None:
    visits = [make_visit(camera_x, number) for number in range(3)]
    visits.append(make_visit(camera_x, 3, state="present", end_reason="", ended_at=None))
    make_visit(camera_y)
    assert _ids(program(bob, "read").get("/api/visits", query)) == [str(visits[number].pk) for number in wanted]


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ({"from": "2026-03-04"}, "query.from"),
        ({"from": "1790000000"}, "query.from"),
        ({"from": "2026-03-04T12:00:00"}, "query.from"),  # Without a zone nobody knows when that is.
        ({"state": "gone"}, "query.state"),
        ({"limit": "0"}, "query.limit"),
        ({"limit": "201"}, "query.limit"),
        ({"cursor": "nonsense"}, "query.cursor"),
        ({"cursor": "Y2FtZXJhc35-MQ"}, "query.cursor"),  # Of another list.
        ({"camera": "a\x00b"}, "query.camera"),
    ],
)
def test_a_filter_that_is_none_is_refused(bob: User, camera_x: Camera, query: dict[str, str], where: str) -> None:
    answer = program(bob, "read").get("/api/visits", query)
    assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, where)


@pytest.mark.parametrize(("path", "make"), [("/api/visits", make_visit), ("/api/recordings", make_clip)])
def test_pages_hold_their_place_while_new_rows_come(bob: User, camera_x: Camera, path: str, make: Any) -> None:
    rows = [make(camera_x, number) for number in range(5)]
    rows += [make(camera_x, 4, **({"path": "same"} if make is make_clip else {}))]  # At the very same time.
    expected = [str(row.pk) for row in type(rows[0]).objects.all()]
    client, found = program(bob, "read"), []
    cursor: Any = ""
    for number in range(3):
        answer = client.get(path, {"limit": 2, "cursor": cursor})
        found += _ids(answer)
        cursor = answer.json()["next"]
        make(camera_x, 10 + number)
    assert cursor is None
    assert found == expected


def test_a_list_asks_the_database_as_often_however_long_it_is(
    bob: User, alice: User, unit_x: Unit, camera_x: Camera, valkey: str
) -> None:
    client = program(alice)

    def count() -> dict[str, int]:
        counts = {}
        for path in ("/api/cameras", "/api/visits", "/api/recordings", "/api/state"):
            with CaptureQueriesContext(
                connection,
            ) as queries:
                assert client.get(path).status_code == 200
            counts[path] = len(queries)
        return counts

    client.get("/api/cameras")  # Notes that the token was used.
    make_visit(camera_x)
    make_clip(camera_x)
    before = count()
    for number in range(1, 20):
        camera = Camera.objects.create(name=f"Gate {number}", unit=unit_x)
        make_visit(camera, number)
        make_clip(camera, number)
    assert count() == before
    assert max(before.values()) <= 4


def test_a_visit_shows_its_picture(bob: User, charlie: User, camera_x: Camera) -> None:
    visit = make_visit(camera_x, picture="visits/1/a.jpg")
    file = Path(settings.MEDIA_ROOT) / visit.picture
    file.parent.mkdir(parents=True)
    file.write_bytes(b"a picture")
    shown = program(bob, "read").get(f"/api/visits/{visit.pk}").json()
    assert (shown["camera"], shown["first_seen"], shown["duration_s"]) == (camera_x.slug, "2026-03-04T12:00:00Z", 20)
    picture = program(bob, "read").get(shown["picture"])
    assert (picture.content, picture["Content-Type"]) == (b"a picture", "image/jpeg")
    assert program(charlie, "read").get(shown["picture"]).status_code == 404
    assert program(bob, "watch").get(shown["picture"]).status_code == 403
    assert Client().get(shown["picture"]).status_code == 401


def test_a_film_is_taken_whole_and_in_ranges_and_that_is_noted(bob: User, charlie: User, camera_x: Camera) -> None:
    clip = make_clip(camera_x)
    _file(clip)
    client = program(bob, "read")
    link = client.get(f"/api/recordings/{clip.pk}").json()["video"]
    whole = client.get(link)
    assert (whole.status_code, whole.getvalue(), whole["Content-Type"]) == (200, CLIP, "video/mp4")
    part = client.get(link, headers={"Range": "bytes=2-5"})
    assert (part.status_code, part.getvalue()) == (206, CLIP[2:6])
    beyond = client.get(link, headers={"Range": "bytes=99999-"})
    assert (beyond.status_code, beyond["Content-Type"]) == (416, "application/problem+json")
    assert program(charlie, "read").get(link).status_code == 404
    noted = AuditEntry.objects.values_list("user__username", "action", "recording_id")
    assert list(noted) == [("bob", "downloaded", clip.pk)]


def test_keeping_is_for_watchers_and_letting_go_for_managers(manager: Client, bob: User, camera_x: Camera) -> None:
    clip = make_clip(camera_x)
    place = f"/api/recordings/{clip.pk}"
    assert program(bob, "read").post(f"{place}/keep").status_code == 403
    assert program(bob).post(f"{place}/keep").json()["is_kept"] is True
    assert program(bob).post(f"{place}/release").status_code == 403
    assert manager.delete(place).status_code == 409
    assert manager.post(f"{place}/release").json()["is_kept"] is False
    assert program(bob).delete(place).status_code == 403
    assert manager.delete(place).status_code == 204
    assert not Recording.objects.exists()


def test_nothing_is_deleted_while_the_storage_is_away(manager: Client, camera_x: Camera) -> None:
    storage.adopt()
    (storage.root() / storage.IDENTITY).unlink()
    clip = make_clip(camera_x)
    storage._cached.clear()
    assert manager.delete(f"/api/recordings/{clip.pk}").status_code == 409
    assert Recording.objects.exists()
    alarms = manager.get("/api/state").json()["alarms"]
    assert [alarm["code"] for alarm in alarms] == ["storage.missing"]


def test_coverage_calls_nothing_clear_that_nobody_saw(bob: User, camera_x: Camera) -> None:
    every = (1 << 60) - 1
    CoverageMinute.objects.create(camera=camera_x, minute=NOW, received=300, no_motion=300, judged_mask=every)
    CoverageMinute.objects.create(
        camera=camera_x,
        minute=NOW + timedelta(minutes=1),
        received=9,
        admitted=9,
        analysed=9,
        judged_mask=7,
        people_mask=3,
        max_people=2,
    )
    query = {"from": "2026-03-04T12:00:30Z", "to": "2026-03-04T12:03:00Z"}
    shown = program(bob, "read").get(f"/api/cameras/{camera_x.slug}/coverage", query).json()
    assert [(each["minute"], each["kind"], each["people_s"]) for each in shown["minutes"]] == [
        ("2026-03-04T12:00:00Z", "clear", 0),
        ("2026-03-04T12:01:00Z", "people", 2),
        ("2026-03-04T12:02:00Z", "none", 0),
    ]


@pytest.mark.parametrize(
    ("query", "status", "minutes"),
    [
        ({"from": "2026-03-04T12:00:00Z", "to": "2026-03-05T14:00:00Z"}, 200, 26 * 60),
        ({"from": "2026-03-04T12:00:00Z", "to": "2026-03-05T14:00:01Z"}, 422, None),
        ({"from": "2026-03-05T12:00:00Z", "to": "2026-03-04T12:00:00Z"}, 200, 0),
        ({"to": "0001-01-01T00:00:00Z"}, 200, 60),
        ({"from": "9999-12-31T23:59:59Z"}, 200, 0),
    ],
)
def test_the_range_of_coverage_is_bounded(
    bob: User, camera_x: Camera, query: dict[str, str], status: int, minutes: int | None
) -> None:
    answer = program(bob, "read").get(f"/api/cameras/{camera_x.slug}/coverage", query)
    assert answer.status_code == status
    if minutes is not None:
        assert len(answer.json()["minutes"]) == minutes


def test_an_unknown_id_is_not_found(bob: User, camera_x: Camera) -> None:
    client = program(bob)
    for path in ("visits", "recordings"):
        assert client.get(f"/api/{path}/{uuid4()}").status_code == 404


def test_the_state_says_what_is_wrong_with_a_source(bob: User, camera_x: Camera, valkey: str) -> None:
    Camera.objects.filter(pk=camera_x.pk).update(source="rtsp://guard:hunter2@10.0.0.7/", kind="pull")
    problems.write(camera_x.pk, problems.Standing("failed", "refused", "port 554", time.time() - 60))
    client = program(bob, "watch")
    (state,) = client.get("/api/state").json()["cameras"]
    assert state == client.get(f"/api/cameras/{camera_x.slug}/state").json()
    assert (state["state"], state["problem"]["code"]) == ("silent", "refused")
    assert "port 554" in state["problem"]["text"]
    (alarm,) = client.get("/api/state").json()["alarms"]
    assert (alarm["code"], alarm["cameras"]) == ("camera.source", ["Gate X"])
    assert alarm["since"].endswith("Z")
