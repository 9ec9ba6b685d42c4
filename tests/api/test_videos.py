"""Videos by the API: uploads with a token, how far they are, their files and what was found in them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.test import Client

from accounts.models import Unit, User
from cameras.models import Camera
from tests.api.conftest import FILM, make_film, program
from tests.videos import films
from videos import places
from videos.models import Video, VideoLook

pytestmark = pytest.mark.django_db
TUS = {"Tus-Resumable": "1.0.0"}
WISH = {"title": "Drill.mp4", "unit": "unit-x", "size": 100}


def _begin(client: Client, **wish: Any) -> Any:
    return client.post("/api/videos", {**WISH, **wish}, "application/json")


def _send(client: Client, place: str, data: bytes, offset: int = 0) -> Any:
    kind = "application/offset+octet-stream"
    return client.patch(place, data, content_type=kind, headers={**TUS, "Upload-Offset": str(offset)})


@pytest.mark.django_db(transaction=True)
def test_a_program_uploads_a_file_in_pieces_and_follows_it(
    bob: User, unit_x: Unit, empty_valkey: str, tmp_path: Path
) -> None:
    data = films.make(tmp_path / "walk.mp4").read_bytes()
    client = program(bob)
    begun = _begin(client, size=len(data), wants_poses=True, per_s=10)
    assert begun.status_code == 201, begun.content
    video = begun.json()
    assert (video["state"], video["per_s"], video["film"], video["page"]) == ("uploading", 10, None, None)
    assert _send(client, video["upload"], data[:1_000]).status_code == 204
    place = f"/api/videos/{video['id']}"
    assert client.get(f"{place}/status").json()["received"] == 1_000
    assert client.head(video["upload"], headers=TUS)["Upload-Offset"] == "1000"
    assert _send(client, video["upload"], data[1_000:], 1_000).status_code == 204
    told = client.get(place).json()
    assert (told["state"], told["upload"], told["size"]) == ("waiting", None, len(data))
    assert b"".join(client.get(told["original"])) == data
    assert client.post(f"{place}/cancel").status_code == 204
    assert not Video.objects.exists()
    assert not places.stored_ids()


@pytest.mark.parametrize(
    ("wish", "status"),
    [
        ({"unit": "unit-y"}, 404),
        ({"size": 10**15}, 413),
        ({"size": 0}, 422),
        ({"per_s": 1_000}, 422),
        ({"wants_faces": True}, 403),  # No admin has switched that on.
        ({"title": "a\x00b"}, 422),
        ({"colour": "red"}, 422),
    ],
)
def test_an_upload_that_is_not_taken_is_told_why(
    bob: User, unit_x: Unit, unit_y: Unit, wish: dict[str, Any], status: int
) -> None:
    answer = _begin(program(bob), **wish)
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")
    assert answer.json()["detail"]
    assert not Video.objects.exists()


def test_tus_takes_a_token_for_managing_and_no_other(bob: User, unit_x: Unit, camera_x: Camera) -> None:
    headers = {**TUS, "Upload-Length": "100"}
    wrong = Client(headers={"Authorization": "Bearer omil_wrong"})
    clients = [program(bob), program(bob, "read"), program(bob, "manage", camera_x), wrong]
    answers = [client.post("/videos/upload/", headers=headers).status_code for client in clients]
    assert answers == [201, 403, 403, 401]


def test_tus_needs_the_csrf_token_of_a_session_and_none_of_a_program(bob: User, unit_x: Unit) -> None:
    headers = {**TUS, "Upload-Length": "100"}
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(bob)
    assert browser.post("/videos/upload/", headers=headers).status_code == 403
    own = program(bob)
    own.handler.enforce_csrf_checks = True
    assert own.post("/videos/upload/", headers=headers).status_code == 201


def test_others_see_no_upload_that_is_not_complete(bob: User, alice: User, unit_x: Unit) -> None:
    id = _begin(program(bob)).json()["id"]
    assert [each["id"] for each in program(bob).get("/api/videos").json()["items"]] == [id]
    assert program(alice).get("/api/videos").json()["items"] == []
    assert program(alice).get(f"/api/videos/{id}").status_code == 404


def test_files_come_whole_and_in_ranges(bob: User, unit_x: Unit) -> None:
    client = program(bob, "read")
    video = client.get(f"/api/videos/{make_film(unit_x).pk}").json()
    for what in ("original", "film", "poster"):
        assert b"".join(client.get(video[what])) == FILM
    part = client.get(video["film"], headers={"Range": "bytes=5-9"})
    assert (part.status_code, b"".join(part), part["Content-Range"]) == (206, FILM[5:10], f"bytes 5-9/{len(FILM)}")
    assert client.get(video["film"], headers={"Range": f"bytes={len(FILM)}-"}).status_code == 416


def test_what_was_found_in_a_video(bob: User, unit_x: Unit) -> None:
    video = make_film(unit_x)
    client, place = program(bob, "read"), f"/api/videos/{video.pk}"
    (person,) = client.get(f"{place}/people").json()["items"]
    assert (person["tracks"], person["profile"]) == ([1], str(video.pk))
    assert b"".join(client.get(person["picture"])) == FILM
    frames = client.get(f"{place}/frames", {"from": "0", "to": "0.3"}).json()
    assert frames["boxes"] == [{"at_s": 0, "boxes": [[1, 0.1, 0.1, 0.5, 0.9]]}]
    assert [each["at_s"] for each in frames["poses"]] == [0, 0.2]
    assert client.get(f"{place}/frames", {"from": 3, "to": 2}).status_code == 422
    told = client.get(f"{place}/keypoints.json")
    samples = json.loads(b"".join(told))["samples"]
    assert [len(each["people"]) for each in samples] == [1, 0]
    rows = list(csv.reader(b"".join(client.get(f"{place}/keypoints.csv")).decode().splitlines()))
    assert [row[1] for row in rows] == ["seconds", "0.0", "0.2"]
    (known,) = client.get(f"{place}/profiles").json()["items"]
    assert (known["profile"]["id"], known["appearance"]["video"]["id"]) == (str(video.pk), str(video.pk))


def test_a_person_who_comes_later_is_on_a_later_page(bob: User, unit_x: Unit) -> None:
    video = make_film(unit_x)
    for first_s in (0.1, 0.1, 0.05, 3.5):
        video.visits.create(id=uuid4(), first_s=first_s, last_s=4)
    client, found = program(bob), []
    cursor: Any = ""
    while cursor is not None:
        page = client.get(f"/api/videos/{video.pk}/people", {"limit": 2, "cursor": cursor}).json()
        found += [each["first_s"] for each in page["items"]]
        cursor = page["next"]
    assert found == [0, 0.05, 0.1, 0.1, 3.5]


def test_videos_are_filtered(bob: User, unit_x: Unit, unit_y: Unit) -> None:
    done, failed = make_film(unit_x), make_film(unit_x, state="failed", problem="no_times")
    make_film(unit_y)
    client = program(bob, "read")

    def found(**query: str) -> list[str]:
        return [each["id"] for each in client.get("/api/videos", query).json()["items"]]

    assert found() == [str(failed.pk), str(done.pk)]
    assert found(state="done") == [str(done.pk)]
    assert found(unit="unit-y") == []
    assert found(to="2026-01-01T00:00:00Z") == []
    problem = client.get(f"/api/videos/{failed.pk}").json()["problem"]
    assert problem["code"] == "no_times"
    assert problem["text"].startswith("This video does not say")
    Video.objects.filter(pk=done.pk).update(remarks=["damaged"])
    (remark,) = client.get(f"/api/videos/{done.pk}", headers={"Accept-Language": "ko"}).json()["remarks"]
    assert remark["text"].startswith("Parts of this film")


@pytest.mark.django_db(transaction=True)
def test_a_video_that_is_done_is_deleted_but_not_cancelled(
    alice: User, bob: User, unit_x: Unit, empty_valkey: str
) -> None:
    client, place = program(alice), f"/api/videos/{make_film(unit_x).pk}"
    assert program(bob).delete(place).status_code == 403, "somebody else has uploaded it"
    assert client.post(f"{place}/cancel").status_code == 409
    assert client.delete(place).status_code == 204
    assert client.get(place).status_code == 404
    assert list(VideoLook.objects.values_list("user_name", "action")) == [("alice", "deleted")]
    assert not Video.objects.exists()
    assert not list(Path(settings.VIDEOS_DIR).iterdir())
