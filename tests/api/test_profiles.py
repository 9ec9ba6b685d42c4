"""Profiles by the API: search, pages, edits, faces, erasure, who is noted to have looked, and the number of queries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Unit, User
from api import people
from api.profile_schemas import ProfilePage
from cameras.models import Camera
from profiles import pictures
from profiles.models import Appearance, Profile, ProfileLook
from tests.api.conftest import FACE, make_appearance, make_film, program
from videos.models import Video

pytestmark = pytest.mark.django_db


def _looks() -> list[tuple[str, Any]]:
    return list(ProfileLook.objects.order_by("pk").values_list("action", "profile_id"))


def make_profiles(unit: Unit, count: int, videos: int) -> list[Profile]:
    """Each in every one of as many videos; the pictures are not there."""
    films = [Video.objects.create(unit=unit, state="done", title=f"Film {number}.mp4") for number in range(videos)]
    now = timezone.now()
    found = Profile.objects.bulk_create(
        Profile(unit=unit, surname=f"Kim {number}", seen_at=now - timedelta(seconds=number)) for number in range(count)
    )
    Appearance.objects.bulk_create(
        Appearance(id=UUID(int=1 + number * videos + at), unit=unit, profile=profile, video=film, quality=-at, crop="x")
        for number, profile in enumerate(found)
        for at, film in enumerate(films)
    )
    return found


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ({}, ["Lee", "Kim", ""]),
        ({"q": "ji kim"}, ["Kim"]),
        ({"q": "SCAR"}, ["Lee"]),
        ({"q": "park"}, []),
        ({"listing": "wanted"}, ["Lee"]),
        ({"is_named": "false"}, [""]),
        ({"unit": "unit-y"}, []),
        ({"to": "2026-03-01T00:00:00Z"}, [""]),
    ],
)
def test_profiles_are_searched(bob: User, unit_x: Unit, unit_y: Unit, query: dict[str, str], wanted: list[str]) -> None:
    made = [{}, {"surname": "Kim", "name": "Ji-woo"}, {"surname": "Lee", "listing": "wanted", "notes": "A scar."}]
    for month, values in enumerate(made, start=2):
        Profile.objects.create(unit=unit_x, seen_at=datetime(2026, month, 2, tzinfo=UTC), **values)
    Profile.objects.create(unit=unit_y, surname="Kim")
    answer = program(bob, "read").get("/api/profiles", query)
    assert [each["surname"] for each in answer.json()["items"]] == wanted
    assert _looks() == [("listed", None)]


@pytest.mark.parametrize("often", [people.OFTEN, 5], ids=["seldom seen", "often seen"])
def test_a_hundred_profiles_with_five_videos_each_take_as_many_queries_as_one(
    bob: User, unit_x: Unit, monkeypatch: pytest.MonkeyPatch, often: int
) -> None:
    monkeypatch.setattr(people, "OFTEN", often)
    make_profiles(unit_x, count=100, videos=6)
    client, counts = program(bob, "read"), []
    client.get("/api/profiles")  # Notes that the token was used.
    for limit in (1, 100):
        with CaptureQueriesContext(connection) as queries:
            answer = client.get("/api/profiles", {"expand": "appearances", "limit": limit})
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 7
    seen = list(Appearance.objects.order_by("-last_at", "-pk"))
    page = ProfilePage.model_validate(answer.json())
    assert [profile.surname for profile in page.items] == [f"Kim {number}" for number in range(100)]
    for profile in page.items:
        assert profile.appearance_count == 6
        assert profile.appearances
        assert len({each.video.id for each in profile.appearances if each.video}) == people.NEWEST
        its = [each for each in seen if each.profile_id == profile.id]
        assert [each.id for each in profile.appearances] == [each.pk for each in its[: people.NEWEST]]
        assert profile.face == f"/api/appearances/{min(its, key=lambda each: (-each.quality, each.pk)).pk}/face.jpg"


@pytest.mark.parametrize("who", ["bob", "root"])
def test_the_newest_profiles_are_read_off_an_index(who: str, request: pytest.FixtureRequest) -> None:
    """However many there are. SQLite says how it goes about it; PostgreSQL decides by what it finds."""
    if connection.vendor != "sqlite":
        pytest.skip("SQLite's plan is read")
    visible = Profile.objects.visible_to(request.getfixturevalue(who)).select_related("unit")
    assert "TEMP B-TREE" not in visible.order_by("-seen_at", "-pk")[:101].explain()


@pytest.mark.parametrize("microsecond", [0, 120, 999_999])
def test_the_database_writes_ids_and_times_as_json_has_them(bob: User, unit_x: Unit, microsecond: int) -> None:
    (profile,) = make_profiles(unit_x, count=1, videos=1)
    first, last = datetime(2026, 3, 4, 5, 6, 7, microsecond, UTC), datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)
    Appearance.objects.update(first_at=first, last_at=last)
    row = program(bob, "read").get(f"/api/profiles/{profile.pk}/appearances").json()["items"][0]
    seen = Appearance.objects.get()
    assert [row["id"], row["profile"], row["video"]["id"]] == [str(seen.pk), str(profile.pk), str(seen.video_id)]
    assert [datetime.fromisoformat(row[name]) for name in ("first_at", "last_at")] == [first, last]
    assert row["first_at"].endswith("Z")


def test_one_profile_with_where_it_was_seen(bob: User, unit_x: Unit, camera_x: Camera) -> None:
    video = make_film(unit_x)
    profile = Profile.objects.get()
    now = timezone.now() + timedelta(days=1)
    values = {"unit": unit_x, "profile": profile, "last_at": now, "crop": "nothing", "first_s": 3}
    seen = Appearance.objects.create(id=UUID(int=9), camera=camera_x, day=now.date(), **values)
    client, place = program(bob, "read"), f"/api/profiles/{profile.pk}"
    told = client.get(place, {"expand": "appearances"}).json()
    assert (told["appearance_count"], told["unit"]["slug"], told["surname"]) == (2, "unit-x", "")
    rows = client.get(f"{place}/appearances").json()["items"]
    assert rows == told["appearances"]
    assert [(row["camera"], row["first_s"], row["day"]) for row in rows] == [
        ("gate-x", None, now.date().isoformat()),
        (None, 0, None),
    ]
    assert rows[0]["id"] == str(seen.pk)
    assert rows[1]["video"] == {"id": str(video.pk), "title": "Drill.mp4", "link": f"/api/videos/{video.pk}"}
    videos = client.get(f"{place}/videos").json()["items"]
    assert [each["id"] for each in videos] == [str(video.pk)]
    assert _looks() == [("viewed", profile.pk)] * 3


def test_what_is_known_is_changed_and_noted(bob: User, unit_x: Unit) -> None:
    profile = Profile.objects.create(unit=unit_x, surname="Kim", notes="old")
    client, place = program(bob), f"/api/profiles/{profile.pk}"
    assert program(bob, "read").patch(place, {"name": "Ji-woo"}, "application/json").status_code == 403
    body = {"name": "Ji-woo", "birth_date": "1990-12-31", "listing": "wanted", "surname": "Kim"}
    told = client.patch(place, body, "application/json").json()
    assert {name: told[name] for name in body} == body
    assert told["notes"] == "old"
    assert ProfileLook.objects.get().detail == "name, birth_date, listing"
    days = [{"birth_date": day} for day in ("2190-01-01", "1990-02-30", "1700-01-01", "")]
    for wrong in (*days, {"sex": "x"}, {"name": "\x00"}, {"id": 1}):
        assert client.patch(place, wrong, "application/json").status_code == 422


def test_a_face_is_shown_and_one_look_noted(bob: User, charlie: User, unit_x: Unit) -> None:
    make_film(unit_x)
    profile = Profile.objects.get()
    client, place = program(bob, "read"), f"/api/profiles/{profile.pk}"
    face = client.get(place).json()["face"]
    ProfileLook.objects.all().delete()
    for _ in range(3):
        answer = client.get(face)
        assert (answer.content, answer["Content-Type"]) == (FACE, "image/jpeg")
        assert "no-store" in answer["Cache-Control"]
    assert _looks() == [("viewed", profile.pk)]
    assert program(charlie).get(face).status_code == 404


def test_what_waits_to_be_confirmed_is_nobodys(bob: User, unit_x: Unit) -> None:
    video = make_film(unit_x)
    Appearance.objects.update(profile=None)
    client = program(bob)
    assert client.get(f"/api/videos/{video.pk}/profiles").json()["items"] == []
    assert client.get(f"/api/appearances/{video.pk}/face.jpg").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_only_a_units_admin_erases_and_is_told_what_went(bob: User, alice: User, unit_x: Unit) -> None:
    make_film(unit_x)
    profile = Profile.objects.get()
    other = make_film(unit_x)
    make_appearance(profile, other)
    crop = profile.appearances.all()[0].crop
    place = f"/api/profiles/{profile.pk}"
    assert program(bob).delete(place).status_code == 403
    gone = program(alice).delete(place)
    assert gone.json() == {"appearances": 2, "pictures": 2, "faces": 0, "negatives": 0, "questions": 0}
    assert not pictures.storage().exists(crop)
    assert program(alice).get(place).status_code == 404
    assert _looks()[-1] == ("erased", profile.pk)
