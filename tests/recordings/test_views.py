"""The pages of clips: what the list's filter and pages show, what the player is told, and who may keep and delete."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as conf
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.asserts import assertContains, assertNotContains, assertRedirects

from accounts.models import User
from cameras import folders
from cameras.models import Camera
from detections.models import Visit
from detections.tracklog import LoggedBox, Row, TrackLog
from recordings import footage, storage, views
from recordings.models import AuditEntry, Recording
from tests.recordings.footage import NOON, make_clip

pytestmark = pytest.mark.django_db
LIST = "/recordings/"


def row(camera: Camera, start: datetime = NOON, length_s: float = 20, **changes: Any) -> Recording:
    """A clip without a file."""
    values: dict[str, Any] = {"state": Recording.State.READY, "path": "1/x.mp4", "max_people": 1}
    end = start + timedelta(seconds=length_s)
    return Recording.objects.create(camera=camera, start=start, end=end, **{**values, **changes})


def shown(response: Any) -> list[str]:
    return re.findall(r'data-clip="([0-9a-f-]{36})"', response.content.decode())


def actions(clip: Recording) -> list[str]:
    return list(AuditEntry.objects.filter(recording_id=clip.pk).order_by("id").values_list("action", flat=True))


# --- The list ---


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ({}, {"short", "long", "open", "yesterday"}),
        ({"day": "2026-03-04"}, {"short", "long", "open"}),
        ({"day": "2026-03-03"}, {"yesterday", "open"}),  # It goes on over midnight.
        ({"day": "2026-03-04", "since": "12:30"}, {"long"}),
        ({"day": "2026-03-04", "until": "11:00"}, {"open"}),
        ({"people": "2"}, {"long"}),
        ({"people": "0"}, {"open"}),
        ({"length": "under-30s"}, {"short", "yesterday"}),
        ({"length": "over-10m"}, {"long"}),
        ({"kept": "on"}, {"short"}),
        ({"since": "10:00"}, set()),  # Of which day?
        ({"day": "not a day"}, set()),
        ({"camera": "gate-y"}, set()),
    ],
)
def test_the_filter(client: Client, bob: User, camera_x: Camera, query: dict[str, str], wanted: set[str]) -> None:
    midnight = datetime(2026, 3, 4, tzinfo=UTC)
    clips = {
        "short": row(camera_x, is_kept=True),
        "long": row(camera_x, NOON + timedelta(hours=1), 700, max_people=3),
        "open": row(camera_x, midnight - timedelta(seconds=20), 60, max_people=0, state=Recording.State.RECORDING),
        "yesterday": row(camera_x, NOON - timedelta(days=1)),
    }
    client.force_login(bob)
    found = shown(client.get(LIST, query))
    assert {name for name, clip in clips.items() if str(clip.pk) in found} == wanted


def test_pages_follow_one_another_without_gap_or_repetition(client: Client, bob: User, camera_x: Camera) -> None:
    clips = [row(camera_x, NOON + timedelta(minutes=number // 2)) for number in range(2 * views.PAGE_LENGTH + 5)]
    client.force_login(bob)
    found, address = [], LIST
    for _ in range(5):
        response = client.get(address, headers={"HX-Request": "true"})
        found += shown(response)
        following = re.search(r'href="(\?[^"]*cursor=[^"]*)"', response.content.decode())
        if following is None:
            break
        address = LIST + following[1].replace("&amp;", "&")
    assert len(found) == len(set(found)) == len(clips)
    times = {str(clip.pk): clip.start for clip in clips}
    assert [times[each] for each in found] == sorted(times.values(), reverse=True)


def test_another_unit_sees_neither_clip_nor_camera(client: Client, charlie: User, camera_x: Camera) -> None:
    clip = row(camera_x)
    client.force_login(charlie)
    response = client.get(LIST, {"camera": camera_x.slug})
    assert shown(response) == []
    assertNotContains(response, camera_x.name)
    assert client.get(clip.get_absolute_url()).status_code == 404


def test_the_only_camera_need_not_be_chosen(
    client: Client, bob: User, root: User, camera_x: Camera, camera_y: Camera
) -> None:
    client.force_login(bob)
    assertContains(client.get(LIST), "data-timeline")
    client.force_login(root)
    assertNotContains(client.get(LIST), "data-timeline")


# --- The player ---


def test_the_player_is_told_every_frames_time_and_its_boxes(client: Client, bob: User, camera_x: Camera) -> None:
    times = [0, 0.2, 0.41, 1.0, 1.05, 3.3]
    clip = make_clip(camera_x, times=times)
    log = TrackLog(folders.tracks_of(camera_x.pk))
    for number, at in enumerate(times[:3]):
        box = LoggedBox(1, None, 0.1, 0.2, 0.3, 0.4, 0.9)
        log.append(Row(number + 1, "0" * 32, number + 1, clip.start.timestamp() + at, [box]))
    client.force_login(bob)
    address = reverse("recordings:frames", args=[clip.pk])
    told = client.get(address).json()
    assert told["times"] == pytest.approx(times, abs=0.0005)
    boxes = client.get(address, {"from": "0", "to": "60"}).json()["boxes"]
    assert [at for at, _boxes in boxes] == pytest.approx(times[:3], abs=0.001)
    assert boxes[0][1] == [[None, 0.1, 0.2, 0.3, 0.4]]
    assert client.get(address, {"from": "0.3", "to": "60"}).json()["boxes"][0][0] == pytest.approx(0.41, abs=0.001)


def test_visits_of_the_clip_are_told_from_its_own_start(
    client: Client, bob: User, camera_x: Camera, camera_y: Camera
) -> None:
    clip = row(camera_x, length_s=30)
    for camera, since, until in ((camera_x, -5, 4), (camera_x, 10, 60), (camera_x, -50, -40), (camera_y, 1, 2)):
        first, last = (clip.start + timedelta(seconds=at) for at in (since, until))
        values = {"stream": "0" * 32, "first_seq": 1, "state": "ended"}
        Visit.objects.create(camera=camera, first_seen=first, last_seen=last, **values)
    client.force_login(bob)
    told = client.get(reverse("recordings:frames", args=[clip.pk])).json()["visits"]
    assert [(visit["start"], visit["end"]) for visit in told] == [(0, 4), (10, 30)]
    assertContains(client.get(clip.get_absolute_url()), "data-jump", count=2)


def test_who_is_still_present_is_in_every_clip_since_they_came(client: Client, bob: User, camera_x: Camera) -> None:
    clip = row(camera_x, length_s=30)
    came = clip.start - timedelta(minutes=10)
    values = {"stream": "0" * 32, "first_seq": 1, "state": Visit.State.PRESENT}
    Visit.objects.create(camera=camera_x, first_seen=came, last_seen=came + timedelta(seconds=6), **values)
    client.force_login(bob)
    told = client.get(reverse("recordings:frames", args=[clip.pk])).json()["visits"]
    assert [(visit["start"], visit["end"]) for visit in told] == [(0, 30)]


def test_a_film_that_is_not_there_is_said_to_be_missing(client: Client, bob: User, camera_x: Camera) -> None:
    clip = row(camera_x)
    client.force_login(bob)
    assertContains(client.get(clip.get_absolute_url()), "The file of this recording is not there")
    assert client.get(reverse("recordings:video", args=[clip.pk])).status_code == 404
    assert client.get(reverse("recordings:frames", args=[clip.pk])).json()["times"] == []


@pytest.mark.parametrize("asked", ["", "abc", "-5", "nan", "1e400"])
def test_a_bad_moment_begins_at_the_beginning(client: Client, bob: User, camera_x: Camera, asked: str) -> None:
    client.force_login(bob)
    assertContains(client.get(make_clip(camera_x).get_absolute_url(), {"t": asked}), 'data-at="0.000"')


# --- Who did what ---


def test_viewing_is_noted_once_and_every_download(client: Client, alice: User, bob: User, camera_x: Camera) -> None:
    clip = make_clip(camera_x)
    client.force_login(bob)
    for name in ("video", "video", "download", "download"):
        client.get(reverse(f"recordings:{name}", args=[clip.pk])).close()
    client.get(reverse("recordings:download", args=[clip.pk]), headers={"range": "bytes=50-"}).close()
    assert actions(clip) == ["viewed", "downloaded", "downloaded"]
    client.force_login(alice)
    for asked in ("bytes=-999999", "bytes=1-"):  # All of it, in another order.
        client.get(reverse("recordings:download", args=[clip.pk]), headers={"range": asked}).close()
    assert actions(clip) == ["viewed", *["downloaded"] * 3]


def test_an_operator_keeps_and_only_an_admin_releases(client: Client, alice: User, bob: User, camera_x: Camera) -> None:
    clip = row(camera_x)
    address = reverse("recordings:keep", args=[clip.pk])
    client.force_login(bob)
    assertRedirects(client.post(address), clip.get_absolute_url(), fetch_redirect_response=False)
    client.post(address, {"keep": "no"})
    assert Recording.objects.get().is_kept
    client.force_login(alice)
    client.post(address, {"keep": "no"})
    assert not Recording.objects.get().is_kept
    assert actions(clip) == ["kept", "released"]


def test_nothing_is_deleted_while_its_storage_is_away(client: Client, alice: User, camera_x: Camera) -> None:
    clip = make_clip(camera_x)
    client.force_login(alice)
    root = Path(conf.RECORDINGS_DIR)
    storage.look()  # It is known from now on.
    root.rename(root.with_name("unplugged"))
    storage._cached.clear()
    answer = client.post(reverse("recordings:delete", args=[clip.pk]), follow=True)
    assert "nothing can be deleted now" in answer.content.decode()
    assert Recording.objects.filter(pk=clip.pk).exists()


def test_only_an_admin_deletes_and_never_what_is_kept(
    client: Client,
    alice: User,
    bob: User,
    camera_x: Camera,
    django_capture_on_commit_callbacks: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("recordings.announce.recording", lambda *_told: None)
    clip = make_clip(camera_x, is_kept=True)
    file = Path(conf.RECORDINGS_DIR) / clip.path
    address = reverse("recordings:delete", args=[clip.pk])
    for user in (bob, alice):
        client.force_login(user)
        client.post(address)
        assert file.exists()
    Recording.objects.update(is_kept=False)
    with django_capture_on_commit_callbacks(execute=True):
        client.post(address)
    assert not file.exists()
    assert not Recording.objects.exists()
    assert actions(clip) == ["deleted"]


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example/", "javascript:alert(1)"])
def test_a_form_leads_nowhere_else(client: Client, bob: User, camera_x: Camera, target: str) -> None:
    clip = row(camera_x)
    client.force_login(bob)
    response = client.post(reverse("recordings:keep", args=[clip.pk]), {"next": target})
    assert response["Location"] == clip.get_absolute_url()


# --- Of a visit ---


def test_a_visits_page_leads_to_the_moment_in_its_clips(
    client: Client, bob: User, camera_x: Camera, camera_y: Camera
) -> None:
    came = NOON + timedelta(seconds=8.5)
    visit = Visit.objects.create(
        camera=camera_x, stream="ab", first_seq=1, first_seen=came, last_seen=NOON + timedelta(seconds=45)
    )
    first, second = row(camera_x), row(camera_x, NOON + timedelta(seconds=20))
    strangers = [row(camera_x, NOON - timedelta(seconds=60)), row(camera_x, NOON + timedelta(minutes=2)), row(camera_y)]
    client.force_login(bob)
    page = client.get(reverse("detections:visit", args=[visit.pk]))
    assertContains(page, f'href="{first.get_absolute_url()}?t=8.500"')
    assertContains(page, f'href="{second.get_absolute_url()}?t=0.000"')
    for stranger in strangers:
        assertNotContains(page, str(stranger.pk))


def test_a_visit_of_which_nothing_was_kept_names_no_recording(client: Client, bob: User, camera_x: Camera) -> None:
    visit = Visit.objects.create(camera=camera_x, stream="ab", first_seq=1, first_seen=NOON, last_seen=NOON)
    client.force_login(bob)
    assertNotContains(client.get(reverse("detections:visit", args=[visit.pk])), "<dt>Recordings</dt>")


# --- The dashboard ---


def test_a_tile_says_which_camera_is_being_recorded(
    client: Client, bob: User, camera_x: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = row(camera_x, timezone.now(), state=Recording.State.RECORDING, path="")
    row(camera_x)
    client.force_login(bob)
    assertContains(client.get("/"), f'data-recordings="{clip.pk}"')


def test_names_of_films_are_plain(camera_x: Camera) -> None:
    assert footage.name_of(row(camera_x)) == "gate-x-20260304-120000"
