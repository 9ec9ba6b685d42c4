"""Films and pictures of either store: rights, ranges, names, what happens while it is away, and how all of it goes."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import httpx
import pytest
from django.conf import settings as conf
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.test import Client
from django.test.client import AsyncClient
from pytest_django import Settings

from accounts.models import Unit, User
from omil import startup
from omil.logs import redact
from profiles import pictures
from recordings import s3, stores
from tests.kept import KEY, SECRET, InBucket, Kept, content_of, kept_names
from tests.profiles.people import enrol, newcomer, vector
from tests.videos.conftest import Uploaded, analyse, left_over
from tests.videos.films import make
from videos import clock, jobs, places, playable, problems, removal
from videos.models import Video

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("figures")]


@pytest.fixture
def done(kept: Kept, uploaded: Uploaded, film: Path) -> Video:
    return analyse(uploaded(film))


async def body_of(answer: Any) -> bytes:
    return b"".join([chunk async for chunk in answer]) if answer.streaming else bytes(answer.content)


def got(answer: Any) -> httpx.Response:
    """What a browser that follows the redirection has, without our cookies."""
    return httpx.get(answer.headers["Location"], headers={"Range": "bytes=10-19"})


async def test_a_film_is_watched_in_ranges_and_downloaded_under_its_title(
    kept: Kept, done: Video, bob: User, film: Path
) -> None:
    client = AsyncClient()
    await client.aforce_login(bob)
    for what, shown in (("film", ""), ("original", 'attachment; filename="walk.mp4"')):
        answer = await client.get(f"/videos/{done.pk}/{what}", headers={"Range": "bytes=10-19"})
        if kept.is_far:
            assert answer.status_code == 302
            assert "no-store" in answer.headers["Cache-Control"]
            asked = parse_qs(urlsplit(answer.headers["Location"]).query)
            assert int(asked["X-Amz-Expires"][0]) <= 300
            piece = got(answer)
            headers, content = httpx.Headers(piece.headers), piece.content
            assert piece.status_code == 206
        else:
            assert answer.status_code == 206
            headers, content = httpx.Headers(list(answer.headers.items())), await body_of(answer)
        assert content == film.read_bytes()[10:20]
        assert headers["Content-Type"] == "video/mp4"
        assert headers.get("Content-Disposition", "").replace("inline", "") == shown


async def test_pictures_go_through_us(done: Video, bob: User) -> None:
    client = AsyncClient()
    await client.aforce_login(bob)
    answer = await client.get(f"/videos/{done.pk}/poster.jpg")
    content = await body_of(answer)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/jpeg")
    assert content.startswith(b"\xff\xd8")
    again = await client.get(f"/videos/{done.pk}/poster.jpg", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


@pytest.mark.parametrize("what", ["film", "original", "poster.jpg"])
async def test_who_may_not_watch_is_given_no_address(done: Video, charlie: User, what: str) -> None:
    client = AsyncClient()
    assert "next=/videos/" in (await client.get(f"/videos/{done.pk}/{what}")).headers["Location"]
    await client.aforce_login(charlie)
    assert (await client.get(f"/videos/{done.pk}/{what}")).status_code == 404


def test_objects_are_private(in_bucket: InBucket, uploaded: Uploaded, film: Path) -> None:
    video = analyse(uploaded(film))
    address = storages["videos"].signed(video.original_name, kind="video/mp4")  # type: ignore[attr-defined]
    assert httpx.get(address).status_code == 200
    assert httpx.get(address.partition("?")[0]).status_code == 403


def test_an_uploads_end_while_the_store_is_away_is_kept_and_gone_on_with(
    kept: Kept, uploaded: Uploaded, film: Path
) -> None:
    with kept.away():
        video = uploaded(film)
        for _again in range(10):  # More than a video's attempts.
            video = analyse(video)
        assert (video.state, video.problem) == ("waiting", "store_away")
        assert places.upload_of(video.pk).read_bytes() == film.read_bytes()
    assert "store_away" in problems.SENTENCES
    video = analyse(video)
    assert (video.state, video.problem) == ("done", "")
    assert content_of("videos", video.original_name) == film.read_bytes()
    assert not places.work_of(video.pk).exists()


def test_a_store_that_goes_away_before_the_results_are_written(
    kept: Kept, uploaded: Uploaded, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = uploaded(film)
    with monkeypatch.context() as patch:
        patch.setattr("videos.turn.take_in", lambda *_args: None)  # It was taken in before.
        with kept.away():
            for _again in range(10):
                video = analyse(video)
            assert (video.state, video.problem) == ("analysing", "store_away")
    assert analyse(video).state == "done"


def test_a_copy_is_made_once_and_stored_when_it_can_be(
    kept: Kept, uploaded: Uploaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = uploaded(make(tmp_path / "old.avi", codec="mpeg4"))
    assert video.wants_copy
    with kept.away():
        for _again in range(5):
            playable.make(video.pk)
    monkeypatch.setattr(playable, "copy", lambda *_args: pytest.fail("It is made."))
    playable.make(video.pk)
    video.refresh_from_db()
    assert (video.wants_copy, video.has_copy) == (True, True)
    assert video.name_of(places.COPY) in kept_names("videos")


def test_the_original_is_fetched_when_the_work_is_lost(in_bucket: InBucket, uploaded: Uploaded, film: Path) -> None:
    video = uploaded(film)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("videos.publish.publish", lambda *_args: (_ for _ in ()).throw(stores.StoreError("away")))
        analyse(video)
    places.remove_work(video.pk)
    assert analyse(video).state == "done"


def test_deleted_while_the_store_is_away_it_goes_with_the_next_sweep(kept: Kept, done: Video) -> None:
    with kept.away():
        assert removal.remove(done)
        removal.sweep()
    removal.sweep()
    assert left_over() == []


def test_names_are_overwritten_whole(kept: Kept) -> None:
    for alias in ("videos", "profiles"):
        for text in (b"a long text", b"short"):
            stores.put(storages[alias], "one/name.txt", ContentFile(text))
        assert content_of(alias, "one/name.txt") == b"short"
        assert kept_names(alias) == ["one/name.txt"]


def test_errors_are_those_of_a_disk(kept: Kept) -> None:
    for files in (storages["videos"], storages["profiles"]):
        for ask in (files.open, files.size, files.get_modified_time):
            with pytest.raises(FileNotFoundError):
                ask("nobody/nothing.jpg")
        files.delete("nobody/nothing.jpg")
    assert pictures.read("nobody/nothing.jpg") is None
    with kept.away(), pytest.raises(OSError, match=r"."):
        stores.put(storages["profiles"], "nobody/nothing.jpg", ContentFile(b"1"))


def test_pages_that_need_an_absent_store_say_so(in_bucket: InBucket, uploaded: Uploaded, film: Path, bob: User) -> None:
    video = analyse(uploaded(film))
    client = Client()
    client.force_login(bob)
    with in_bucket.away():
        answer = client.get(f"/videos/{video.pk}/frames.json?from=0&to=1")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
        assert client.get(f"/videos/{video.pk}/").status_code == 200


def test_health_names_the_store_that_is_away(in_bucket: InBucket, root: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "KNOWN_S", 0.0)
    Path(conf.DATA_DIR).mkdir(exist_ok=True)
    client = Client()
    client.force_login(root)
    assert client.get("/healthz").json()["parts"]["store"]["status"] == "ok"
    with in_bucket.away():
        told = client.get("/healthz").json()["parts"]["store"]
    assert (told["status"], told["problem"]) == ("down", "away")
    assert in_bucket.bucket in told["name"]
    assert SECRET not in str(told)
    assert KEY not in str(told)


def test_a_bucket_that_is_not_there_stops_the_start(in_bucket: InBucket, settings: Settings) -> None:
    assert startup.refused_by_store() == ""
    options = {**settings.STORAGES["videos"]["OPTIONS"], "bucket_name": "another"}
    settings.STORAGES = {**settings.STORAGES, "videos": {**settings.STORAGES["videos"], "OPTIONS": options}}
    assert "OMIL_STORE: there is no such bucket" in startup.refused_by_store()


@contextmanager
def asking_for_credentials(endpoint: str) -> Iterator[None]:
    httpx.post(f"{endpoint}/moto-api/reset-auth", content=b"0").raise_for_status()
    try:
        yield
    finally:
        httpx.post(f"{endpoint}/moto-api/reset-auth", content=b"inf").raise_for_status()


def test_wrong_credentials_stop_the_start_and_name_the_variable(
    in_bucket: InBucket, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "KNOWN_S", 0.0)
    iam = boto3.client(
        "iam",
        endpoint_url=in_bucket.endpoint, region_name="us-east-1", aws_access_key_id=KEY, aws_secret_access_key=SECRET,
    )  # fmt: skip
    iam.create_user(UserName="site")
    allowed = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    iam.put_user_policy(UserName="site", PolicyName="all", PolicyDocument=json.dumps(allowed))
    right = iam.create_access_key(UserName="site")["AccessKey"]

    def said(key: str, secret: str) -> str:
        options = {**settings.STORAGES["videos"]["OPTIONS"], "access_key": key, "secret_key": secret}
        settings.STORAGES = {**settings.STORAGES, "videos": {**settings.STORAGES["videos"], "OPTIONS": options}}
        return startup.refused_by_store()

    with asking_for_credentials(in_bucket.endpoint):
        assert said(right["AccessKeyId"], right["SecretAccessKey"]) == ""
        assert said("nobody", right["SecretAccessKey"]).startswith("OMIL_STORE_KEY:")
        wrong = said(right["AccessKeyId"], "not-the-secret")
        assert wrong.startswith("OMIL_STORE_SECRET:")
        assert "not-the-secret" not in wrong


def test_nothing_secret_is_logged(
    in_bucket: InBucket, uploaded: Uploaded, film: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        video = analyse(uploaded(film))
        address = storages["videos"].signed(video.original_name, kind="video/mp4")  # type: ignore[attr-defined]
    assert SECRET not in caplog.text
    assert KEY in address
    assert KEY not in redact(address)
    assert not re.search(r"Signature=[0-9a-f]", redact(address))
    for name in ("boto3", "botocore", "s3transfer", "urllib3"):
        assert logging.getLogger(name).level == logging.WARNING


def test_pictures_of_nobody_go_with_the_sweep(
    kept: Kept, unit_x: Unit, uploaded: Uploaded, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (placed,) = enrol(unit_x.pk, uploaded(film).pk, newcomer(vector(1)))
    held = kept_names("profiles")
    pictures.write("waiting/left.jpg", b"1")
    pictures.write("00000000-0000-0000-0000-000000000001/left.jpg", b"1")
    assert pictures.sweep() == 0  # They may be somebody's in a moment.
    monkeypatch.setattr(pictures, "FRESH", timedelta(seconds=-5))
    assert pictures.sweep() == 2
    assert kept_names("profiles") == held
    assert placed.profile


def test_the_clock_asks_again(kept: Kept, uploaded: Uploaded, film: Path, empty_valkey: str) -> None:
    with kept.away():
        video = uploaded(film)
        jobs.analyse(str(video.pk))
        clock.ring_forgotten()
    assert Video.objects.filter(pk=video.pk, problem="store_away").exists()
