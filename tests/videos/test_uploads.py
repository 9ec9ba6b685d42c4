"""The tus server: what a client of the protocol does, what is refused, and that nothing of a refused file stays."""

from __future__ import annotations

import os
import re
import time
from base64 import b64encode
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import Membership, Role, Unit, User
from tests.videos.conftest import left_over
from videos import intake, places, removal, upload_views
from videos.models import Video

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("empty_valkey")]
URL = "/videos/upload/"


def metadata(**values: str) -> str:
    return ",".join(f"{name} {b64encode(value.encode()).decode()}" for name, value in values.items())


class Tus:
    """A client of the protocol, by hand."""

    def __init__(self, user: User) -> None:
        self.client = Client()
        self.client.force_login(user)

    def create(self, size: object, version: str = "1.0.0", **values: str) -> Any:
        headers = {"Tus-Resumable": version, "Upload-Length": str(size), "Upload-Metadata": metadata(**values)}
        return self.client.post(URL, headers=headers)

    def patch(self, url: str, data: bytes, offset: object = 0, kind: str = upload_views.PATCH_TYPE) -> Any:
        headers = {"Tus-Resumable": "1.0.0", "Upload-Offset": str(offset)}
        return self.client.patch(url, data, content_type=kind, headers=headers)

    def offset(self, url: str) -> int:
        answer = self.client.head(url, headers={"Tus-Resumable": "1.0.0"})
        assert answer.status_code == 200
        return int(answer["Upload-Offset"])

    def delete(self, url: str) -> Any:
        return self.client.delete(url, headers={"Tus-Resumable": "1.0.0"})

    def upload(self, data: bytes, **values: str) -> Any:
        made = self.create(len(data), **{"filename": "film.mp4", **values})
        return self.patch(made["Location"], data) if made.status_code == 201 else made


@pytest.fixture
def tus(bob: User) -> Tus:
    return Tus(bob)


def test_a_file_comes_whole_in_pieces(tus: Tus, film: Path) -> None:
    data = film.read_bytes()
    made = tus.create(len(data), filename="양산 gate.mp4", per_s="10", poses="1")
    assert made.status_code == 201
    assert made["Tus-Resumable"] == "1.0.0"
    assert "Upload-Expires" in made
    url = made["Location"]
    at = 0
    for end in (1_000, 1_001, len(data)):
        assert tus.offset(url) == at
        answer = tus.patch(url, data[at:end], at)
        assert answer.status_code == 204
        assert int(answer["Upload-Offset"]) == end
        at = end
    video = Video.objects.get()
    assert (video.state, video.title, video.per_s, video.wants_poses) == ("waiting", "양산 gate.mp4", 10, True)
    assert (video.width, video.height, video.container, video.codec, video.fps) == (160, 120, "mp4", "h264", 10)
    assert video.is_playable
    assert places.upload_of(video.pk).read_bytes() == data
    assert tus.offset(url) == len(data)  # For a client that missed the last answer.


def test_what_a_server_offers_is_told(tus: Tus, settings: Settings) -> None:
    answer = tus.client.options(URL)
    assert answer.status_code == 204
    assert answer["Tus-Version"] == "1.0.0"
    assert answer["Tus-Extension"] == "creation,termination,expiration"
    assert answer["Tus-Max-Size"] == str(settings.VIDEO_MAX_BYTES)


def test_a_piece_at_the_wrong_place_is_refused(tus: Tus, film: Path) -> None:
    data = film.read_bytes()
    url = tus.create(len(data))["Location"]
    assert tus.patch(url, data[5:10], 5).status_code == 409
    assert tus.patch(url, data[:10], 0).status_code == 204
    assert tus.patch(url, data[:10], 0).status_code == 409
    assert tus.offset(url) == 10


def test_two_requests_at_once_do_not_mix(tus: Tus, film: Path) -> None:
    url = tus.create(1_000)["Location"]
    with intake._opened(places.upload_of(Video.objects.get().pk)):
        assert tus.patch(url, b"x" * 10).status_code == 423
    assert tus.offset(url) == 0


def test_a_child_of_the_server_does_not_hold_an_upload(tus: Tus, film: Path) -> None:
    """Another upload's file is being looked at by a process of its own, which is started in the midst of this."""
    data = film.read_bytes()
    url = tus.create(len(data), filename="film.mp4")["Location"]
    video = Video.objects.get()
    with intake._opened(places.upload_of(video.pk)) as file:
        inherited = os.dup(file)  # As a child has it between fork and exec.
    assert tus.patch(url, data).status_code == 204
    os.close(inherited)
    video.refresh_from_db()
    assert video.state == Video.State.WAITING


@pytest.mark.parametrize("who", ["client", "clock"])
def test_what_came_whole_without_an_answer_becomes_a_video(tus: Tus, film: Path, who: str) -> None:
    data = film.read_bytes()
    url = tus.create(len(data), filename="film.mp4")["Location"]
    video = Video.objects.get()
    intake.add(video, 0, [data])
    if who == "client":
        assert tus.offset(url) == len(data)
    else:
        intake.complete_forgotten(time.time())
        video.refresh_from_db()
        assert video.state == Video.State.UPLOADING  # A request may be at it yet.
        intake.complete_forgotten(time.time() + intake.FORGOTTEN_S + 1)
    video.refresh_from_db()
    assert video.state == Video.State.WAITING


def test_an_upload_can_be_given_up(tus: Tus) -> None:
    url = tus.create(1_000)["Location"]
    assert tus.patch(url, b"x" * 10).status_code == 204
    assert tus.delete(url).status_code == 204
    assert tus.client.head(url, headers={"Tus-Resumable": "1.0.0"}).status_code == 404
    assert tus.patch(url, b"x" * 10, 10).status_code == 404
    assert left_over() == []


@pytest.mark.parametrize(
    ("size", "code", "status"),
    [
        ("0", "empty", 422),
        ("-1", "no_length", 422),
        ("x", "no_length", 422),
        ("", "no_length", 422),
        ("9" * 30, "no_length", 422),
        (10**13, "too_big", 413),
    ],
)
def test_a_size_that_cannot_be_is_refused(tus: Tus, size: object, code: str, status: int) -> None:
    answer = tus.create(size, filename="film.mp4")
    assert answer.status_code == status
    assert answer.json()["code"] == code
    assert answer.json()["message"]
    assert left_over() == []


def test_more_than_was_announced_is_refused(tus: Tus, film: Path) -> None:
    url = tus.create(100)["Location"]
    for data, offset in ((b"x" * 101, 0), (b"x" * 10, 95)):
        answer = tus.patch(url, data, offset)
        assert (answer.status_code, answer.json()["code"]) == (413, "too_much")
        assert answer.json()["message"] == "More was sent than was announced."
        assert tus.offset(url) == 0


def test_a_piece_that_is_too_big_is_refused(tus: Tus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload_views, "MOST_AT_ONCE", 10)
    url = tus.create(100)["Location"]
    answer = tus.patch(url, b"x" * 11)
    assert (answer.status_code, answer.json()["code"]) == (413, "piece_too_big")
    assert tus.offset(url) == 0


def test_another_version_another_type_and_nonsense_are_refused(tus: Tus) -> None:
    assert tus.create(100, version="0.2.2").status_code == 412
    url = tus.create(100)["Location"]
    assert tus.patch(url, b"x", kind="application/octet-stream").status_code == 415
    assert tus.patch(url, b"x", "many").status_code == 422
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": "10", "Upload-Metadata": "filename not-base64!"}
    assert tus.client.post(URL, headers=headers).json()["code"] == "bad_request"
    for per_s in ("0", "31", "nan", "x"):
        assert tus.create(100, per_s=per_s).json()["code"] == "bad_rate"


def test_a_user_has_so_many_unfinished_uploads(tus: Tus, settings: Settings) -> None:
    settings.VIDEO_UPLOADS = 2
    assert [tus.create(100).status_code for _ in range(3)] == [201, 201, 429]


def test_faces_want_an_admins_leave(tus: Tus) -> None:
    answer = tus.create(100, faces="1")
    assert (answer.status_code, answer.json()["code"]) == (403, "faces_off")
    assert left_over() == []


# --- Rights ---


def test_only_who_began_an_upload_goes_on_with_it(tus: Tus, alice: User, charlie: User, gina: User) -> None:
    url = tus.create(100)["Location"]
    for user in (alice, charlie, gina):
        assert Tus(user).patch(url, b"x").status_code == 404
        assert Tus(user).delete(url).status_code == 404
    stranger = Client().patch(url, headers={"Tus-Resumable": "1.0.0"})
    assert (stranger.status_code, stranger.json()["code"]) == (401, "session_ended")
    assert tus.offset(url) == 0


def test_a_guard_post_uploads_nothing(gina: User) -> None:
    assert Tus(gina).create(100).json()["code"] == "no_unit"


def test_nobody_uploads_for_another_unit(tus: Tus, unit_y: Unit) -> None:
    assert tus.create(100, unit=unit_y.slug).json()["code"] == "no_unit"


def test_who_has_two_units_names_one(tus: Tus, bob: User, unit_y: Unit) -> None:
    Membership.objects.create(user=bob, unit=unit_y, role=Role.OPERATOR)
    assert tus.create(100).json()["code"] == "no_unit"
    assert tus.create(100, unit=unit_y.slug).status_code == 201
    assert Video.objects.get().unit == unit_y


def test_rights_that_are_taken_away_end_an_upload(tus: Tus, bob: User) -> None:
    url = tus.create(100)["Location"]
    Membership.objects.filter(user=bob).delete()
    assert tus.patch(url, b"x").status_code == 404


# --- Names ---


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\film.mp4", "film.mp4"),
        ('<script>alert("1")</script>.mp4', "script>.mp4"),  # What is left after the last slash.
        ('it\'s "so" & <b>.mp4', 'it\'s "so" & <b>.mp4'),
        ("한글 이름.mp4", "한글 이름.mp4"),
        ("a\u0000b\nc\u202egnp.mp4", "abcgnp.mp4"),
        ("x" * 500, "x" * 200),
        ("///", "Video"),
        ("", "Video"),
    ],
)
def test_a_name_is_text_and_never_a_path(tus: Tus, film: Path, name: str, title: str) -> None:
    answer = tus.upload(film.read_bytes(), filename=name)
    assert answer.status_code == 204
    video = Video.objects.get()
    assert video.title == title
    assert [path.name for path in places.work_of(video.pk).iterdir()] == ["upload"]
    page = tus.client.get(f"/videos/{video.pk}/").content.decode()
    assert "<b>.mp4" not in page
    assert "<script>alert" not in page
    named = unquote(tus.client.get(f"/videos/{video.pk}/original")["Content-Disposition"])
    assert re.fullmatch(r"""attachment; filename(="[\w.-]+\.mp4"|\*=utf-8''[\w.-]+\.mp4)""", named)


# --- The disk ---


@pytest.mark.usefixtures("no_space")
def test_without_space_an_upload_does_not_begin(tus: Tus) -> None:
    answer = tus.create(100)
    assert (answer.status_code, answer.json()["code"]) == (507, "no_space")
    assert left_over() == []


@pytest.mark.parametrize("error", ["ENOSPC", "EDQUOT"])
def test_a_disk_that_fills_up_on_the_way_keeps_nothing(tus: Tus, monkeypatch: pytest.MonkeyPatch, error: str) -> None:
    import errno

    url = tus.create(1_000)["Location"]
    assert tus.patch(url, b"x" * 400).status_code == 204
    write = os.write

    def full(file: int, data: bytes) -> int:
        if len(data) > 100:
            return write(file, data[:100])
        raise OSError(getattr(errno, error), "full")

    with monkeypatch.context() as patch:
        patch.setattr("os.write", full)
        answer = tus.patch(url, b"x" * 300, 400)
    assert (answer.status_code, answer.json()["code"]) == (507, "no_space")
    assert "Nothing of it was kept" in answer.json()["message"]
    assert left_over() == []


def test_an_upload_removed_on_its_way_is_not_found(tus: Tus, film: Path) -> None:
    data = film.read_bytes()
    url = tus.create(len(data))["Location"]
    assert tus.patch(url, data[:100]).status_code == 204
    removal.remove(Video.objects.get())
    assert tus.patch(url, data[100:], 100).status_code == 404
    assert left_over() == []


def test_a_refusal_is_in_the_users_language(tus: Tus) -> None:
    tus.client.cookies["django_language"] = "ko"
    message = tus.upload(b"this is no film" * 100).json()["message"]
    english = Tus(User.objects.get(username="bob")).upload(b"this is no film" * 100).json()["message"]
    assert english == "This is no video of a kind that is taken: MP4, MOV, MKV, AVI or WebM."
    assert message  # Its Korean is the catalogues' affair.
