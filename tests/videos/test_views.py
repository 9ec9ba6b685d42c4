"""The pages of videos: what they offer to whom, and what they say of a video."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest
from django.test import Client

from accounts.models import Membership, Role, Unit, User
from tests.videos.conftest import Uploaded
from videos.files import download_name
from videos.models import Video, VideoLook

pytestmark = pytest.mark.django_db(transaction=True)


def test_without_a_unit_a_superuser_is_led_to_making_one(client: Client, root: User) -> None:
    client.force_login(root)
    page = client.get("/videos/").content.decode()
    assert "There is no unit yet. Videos belong to a unit: make one first." in page
    assert 'href="/admin/accounts/unit/add/"' in page
    assert "data-files" not in page
    Unit.objects.create(name="Harbour")
    page = client.get("/videos/").content.decode()
    assert "There is no unit yet" not in page
    assert "data-files" in page


@pytest.mark.parametrize("state", [Video.State.UPLOADING, Video.State.WAITING, Video.State.ANALYSING])
def test_nothing_is_cancelled_at_one_click(
    client: Client, bob: User, uploaded: Uploaded, film: Path, state: Video.State
) -> None:
    Video.objects.filter(pk=uploaded(film).pk).update(state=state)
    client.force_login(bob)
    page = client.get("/videos/").content.decode()
    before, form, after = page.partition(f'action="/videos/{Video.objects.get().pk}/delete/"')
    assert form
    assert "</details>" not in before[before.rindex("<details") :]
    assert "</details>" in after
    assert "hx-preserve" in before  # It stays open when the list is fetched anew.


@pytest.mark.parametrize("state", [Video.State.ANALYSING, Video.State.DONE])
def test_a_colleague_may_watch_a_video_but_neither_cancel_nor_delete_it(
    client: Client, alice: User, uploaded: Uploaded, film: Path, unit_x: Unit, state: Video.State
) -> None:
    video = uploaded(film)
    Video.objects.filter(pk=video.pk).update(state=state)
    dora = User.objects.create_user("dora", is_approved=True)
    Membership.objects.create(user=dora, unit=unit_x, role=Role.OPERATOR)
    client.force_login(dora)
    form = f'action="/videos/{video.pk}/delete/"'
    assert form not in client.get("/videos/").content.decode()
    assert form not in client.get(video.get_absolute_url()).content.decode()
    said = client.post(f"/videos/{video.pk}/delete/", follow=True).content.decode()
    assert "Only whoever uploaded a video or a unit admin may cancel or delete it." in said
    assert Video.objects.exists()
    client.force_login(alice)
    assert form in client.get(video.get_absolute_url()).content.decode()
    client.post(f"/videos/{video.pk}/delete/")
    assert not Video.objects.exists()


def test_who_looked_at_a_video_took_or_deleted_it_is_noted(
    client: Client, alice: User, bob: User, charlie: User, uploaded: Uploaded, film: Path
) -> None:
    video = uploaded(film)
    Video.objects.filter(pk=video.pk).update(state=Video.State.DONE, is_playable=True)

    def look(user: User, *addresses: str, **headers: str) -> None:
        client.force_login(user)
        for address in addresses:
            response = client.get(f"/videos/{video.pk}/{address}", headers=headers)
            assert b"".join(response) or response.status_code == 206

    look(bob, "", "", "film", "film")  # One look.
    look(alice, "film", range="bytes=0-9")
    look(alice, "original")
    look(alice, "original", range="bytes=10-")  # The rest of one that was broken off.
    client.head(f"/videos/{video.pk}/original")
    root = User.objects.create_superuser("root")
    look(root, "original", range="bytes=-999999999")  # All of it, by its end.
    client.get(f"/videos/{video.pk}/keypoints.csv")  # There are none.
    client.force_login(charlie)
    for address in ("", "film", "original"):
        assert client.get(f"/videos/{video.pk}/{address}").status_code == 404
    client.force_login(bob)
    client.post(f"/videos/{video.pk}/delete/")
    noted = VideoLook.objects.order_by("id").values_list("user_name", "action", "title")
    actions = [("bob", "viewed"), ("alice", "viewed"), ("alice", "downloaded")]
    actions += [("root", "downloaded"), ("bob", "deleted")]
    assert list(noted) == [(*each, film.name) for each in actions]
    assert VideoLook.objects.manageable_by(alice).count() == 5
    assert not VideoLook.objects.manageable_by(bob).exists()


@pytest.mark.parametrize(
    ("state", "said"),
    [(Video.State.DONE, "Nobody was seen in this video."), (Video.State.FAILED, "This video was not analysed.")],
)
def test_only_an_analysis_that_ended_says_that_nobody_was_seen(
    client: Client, bob: User, uploaded: Uploaded, film: Path, state: Video.State, said: str
) -> None:
    video = uploaded(film)
    Video.objects.filter(pk=video.pk).update(state=state)
    client.force_login(bob)
    page = client.get(video.get_absolute_url()).content.decode()
    both = ("Nobody was seen in this video.", "This video was not analysed.")
    assert [each for each in both if each in page] == [said]


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("양산 gate.mp4", "양산_gate.mkv"),
        ("walk.MOV", "walk.mkv"),
        ("gate 12.30", "gate_12.30.mkv"),  # No ending of a film.
        ("../.profile", "profile.mkv"),
        ('it\'s "so"; <b>', "its_so_b.mkv"),
        ("경" * 200, "경" * 70 + ".mkv"),
        ("???", "video-00000000-0000-4000-8000-000000000001.mkv"),
        (".mp4", "video-00000000-0000-4000-8000-000000000001.mkv"),
    ],
)
def test_a_download_is_named_as_the_video_is(title: str, name: str) -> None:
    video = Video(pk=UUID("00000000-0000-4000-8000-000000000001"), title=title)
    assert download_name(video, ".mkv") == name
