"""The pages of lessons: who sees what, how one is made, and what a result says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.test import Client
from django.utils import translation

from accounts.models import User
from videos import following, lesson_views
from videos.lesson_models import Lesson, LessonRun
from videos.models import Video
from videos.reference import Judge, Moment, Reference


def a_run(lesson: Lesson, user: User, **changes: Any) -> LessonRun:
    fields: dict[str, Any] = {
        "state": LessonRun.State.ENDED,
        "perfect": 2,
        "good": 1,
        "miss": 1,
        "moments": [[0.5, 0.01], [1.0, 0.02], [15.0, 0.08], [30.0, 0.7]],
    }
    return LessonRun.objects.create(lesson=lesson, user=user, **{**fields, **changes})


def test_a_video_with_poses_becomes_a_lesson_once(client: Client, bob: User, video: Video) -> None:
    client.force_login(bob)
    assert str(video.pk) in client.get("/lessons/").content.decode()
    for _ in range(2):
        response = client.post("/lessons/new/", {"video": str(video.pk)})
        lesson = Lesson.objects.get()
        assert response["Location"] == f"/lessons/{lesson.pk}/"
    page = client.get("/lessons/").content.decode()
    assert f'value="{video.pk}"' not in page
    assert f'href="/lessons/{lesson.pk}/"' in page


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"wants_poses": False}, "no poses were found in it"),
        ({"state": "analysing"}, "no poses were found in it"),
        ({"duration_s": 4_000.0}, "it is longer than half an hour"),
    ],
)
def test_what_nobody_can_follow_becomes_none(
    client: Client, bob: User, video: Video, change: dict[str, Any], said: str
) -> None:
    Video.objects.filter(pk=video.pk).update(**change)
    client.force_login(bob)
    response = client.post("/lessons/new/", {"video": str(video.pk)}, follow=True)
    assert said in response.content.decode()
    assert not Lesson.objects.exists()
    assert 'action="/lessons/new/"' not in client.get(video.get_absolute_url()).content.decode()


def test_of_a_crowd_no_lesson_is_made(client: Client, bob: User, video: Video, monkeypatch: pytest.MonkeyPatch) -> None:
    crowd = replace(following.reference_of(video), crowded=0.8)
    monkeypatch.setattr(following, "reference_of", lambda _video: crowd)
    client.force_login(bob)
    response = client.post("/lessons/new/", {"video": str(video.pk)}, follow=True)
    assert "several people in it are as large" in response.content.decode()
    assert not Lesson.objects.exists()
    page = client.get(video.get_absolute_url()).content.decode()  # It says so from now on, and is not offered again.
    assert "several people in it are as large" in page
    assert 'action="/lessons/new/"' not in page
    assert f'value="{video.pk}"' not in client.get("/lessons/").content.decode()


@pytest.mark.parametrize("named", ["", "nonsense", "00000000-0000-4000-8000-000000000000"])
def test_a_video_must_be_named(client: Client, bob: User, video: Video, named: str) -> None:
    client.force_login(bob)
    response = client.post("/lessons/new/", {"video": named}, follow=True)
    assert "Choose a video." in response.content.decode()


def test_other_units_see_nothing_of_it(client: Client, charlie: User, bob: User, lesson: Lesson) -> None:
    run = a_run(lesson, bob)
    client.force_login(charlie)
    assert str(lesson.pk) not in client.get("/lessons/").content.decode()
    for address in (f"/lessons/{lesson.pk}/", f"/lessons/runs/{run.pk}/"):
        assert client.get(address).status_code == 404
    client.post("/lessons/new/", {"video": str(lesson.video.pk)})
    assert client.post(f"/lessons/{lesson.pk}/delete/").status_code == 404
    assert Lesson.objects.exists()


def test_a_result_is_the_learners_and_the_unit_admins(
    client: Client, alice: User, bob: User, root: User, lesson: Lesson
) -> None:
    own, foreign = a_run(lesson, bob), a_run(lesson, alice)
    for user, run, status in [(bob, own, 200), (alice, own, 200), (root, own, 200), (bob, foreign, 404)]:
        client.force_login(user)
        assert client.get(f"/lessons/runs/{run.pk}/").status_code == status
    client.force_login(bob)
    page = client.get(f"/lessons/{lesson.pk}/").content.decode()
    assert str(own.pk) in page
    assert str(foreign.pk) not in page


def test_a_result_says_the_shares_and_shows_them_over_time(client: Client, bob: User, lesson: Lesson) -> None:
    run = a_run(lesson, bob)
    client.force_login(bob)
    page = client.get(f"/lessons/runs/{run.pk}/").content.decode()
    assert [word in page for word in ("50 %", "25 %", "2 moments", "1 moment<")] == [True] * 4
    kinds = [cell["kind"] for cell in lesson_views.cells_of(run)]
    assert len(kinds) == 62  # Half a second each.
    assert [kind for kind in kinds if kind != "none"] == ["perfect", "perfect", "good", "miss"]
    assert page.count('<rect x="') == 62


def test_names_are_shown_as_they_are_and_run_nothing(client: Client, bob: User, video: Video) -> None:
    Video.objects.filter(pk=video.pk).update(title="<script>alert('경례')</script>")
    client.force_login(bob)
    client.post("/lessons/new/", {"video": str(video.pk)})
    for address in ("/lessons/", Lesson.objects.get().get_absolute_url()):
        page = client.get(address).content.decode()
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page
        assert "경례" in page


def test_deleting_a_lesson_leaves_its_video(client: Client, bob: User, lesson: Lesson) -> None:
    a_run(lesson, bob)
    client.force_login(bob)
    client.post(f"/lessons/{lesson.pk}/delete/")
    assert not Lesson.objects.exists()
    assert not LessonRun.objects.exists()
    assert Video.objects.exists()


def test_without_a_model_the_page_says_what_to_do(client: Client, bob: User, lesson: Lesson, settings: Any) -> None:
    settings.OMIL_POSE_MODEL = "yolo11n-pose.pt"
    client.force_login(bob)
    assert "yolo11n-pose.pt" in client.get(f"/lessons/{lesson.pk}/").content.decode()


def test_a_run_ends_once(lesson: Lesson, bob: User) -> None:
    judge = Judge(Reference.__new__(Reference), [Moment(1.0, 0.01, 0.5), Moment(1.2, None, None)])
    run = following.begin(lesson.pk, bob.pk)
    following.finish(run.pk, judge, is_ended=False)
    following.finish(run.pk, Judge(judge.reference, judge.moments * 2), is_ended=True)
    run.refresh_from_db()
    assert (run.state, run.perfect, run.rest, run.judged) == ("left", 1, 1, 1)
    assert run.moments == [[1.0, 0.01], [1.2, None]]


def test_only_so_many_results_are_kept(lesson: Lesson, bob: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "RUNS_KEPT", 3)
    made = [following.begin(lesson.pk, bob.pk).pk for _ in range(5)]
    assert set(LessonRun.objects.values_list("pk", flat=True)) == set(made[-3:])


def test_in_korean_too(client: Client, bob: User, lesson: Lesson) -> None:
    client.force_login(bob)
    with translation.override("ko"):
        for address in ("/lessons/", f"/lessons/{lesson.pk}/", a_run(lesson, bob).get_absolute_url()):
            assert client.get(address, headers={"accept-language": "ko"}).status_code == 200


def test_the_page_of_its_video_says_that_it_goes_along(client: Client, bob: User, video: Video) -> None:
    client.force_login(bob)
    said = "So do the motion lesson that was made of it and everybody's results."
    for is_there in (False, True):
        if is_there:
            Lesson.objects.create(video=video, title=video.title)
        page = client.get(video.get_absolute_url()).content.decode()
        assert (said in page) is is_there
