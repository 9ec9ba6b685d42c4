"""From a complete upload to rows and files: the people of a video, whatever interrupts the work."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from detections.weights import WeightsError
from tests.kept import content_of
from tests.videos import films
from tests.videos.conftest import Uploaded, analyse, left_over, results_of
from videos import bell, checkpoint, clock, jobs, places, problems, removal, turn
from videos.analysis import Analysis, Standing
from videos.models import Video

pytestmark = pytest.mark.usefixtures("figures", "kept")


def test_a_video_is_analysed_over_its_own_clock(uploaded: Uploaded, film: Path) -> None:
    video = analyse(uploaded(film))
    assert (video.state, video.progress, video.problem) == ("done", 1.0, "")
    assert len(video.sha256) == 64
    assert video.started_at is not None
    assert video.done_at is not None
    visit = video.visits.get()
    assert visit.first_s == 0
    assert 3.7 <= visit.last_s <= 4.1
    assert video.samples == 21  # 4 s at 5 a second, with the picture at the end.
    rows = [json.loads(line) for line in results_of(video)["tracks.jsonl"].splitlines()]
    assert [row["sample"] for row in rows] == list(range(21))
    assert all(len(row["boxes"]) == 1 for row in rows)
    assert f"visits/{visit.pk}.jpg" in results_of(video)
    assert not places.work_of(video.pk).exists()


def test_the_original_is_kept_as_it_came(uploaded: Uploaded, film: Path) -> None:
    came = film.read_bytes()
    video = analyse(uploaded(film))
    assert content_of("videos", video.original_name) == came


def test_what_cannot_be_looked_for_is_left_out_and_said(
    uploaded: Uploaded, film: Path, monkeypatch: pytest.MonkeyPatch, client: Client, bob: User
) -> None:
    monkeypatch.setattr("videos.poses.get_pose_finder", lambda: None)
    video = analyse(uploaded(film, wants_poses=True))
    assert (video.state, video.wants_poses, video.remarks) == ("done", False, ["without_poses"])
    assert video.visits.count() == 1
    client.force_login(bob)
    page = client.get(video.get_absolute_url()).content.decode()
    assert problems.sentence("without_poses") in page
    assert "keypoints.csv" not in page


@pytest.mark.parametrize(("asked_for", "remarks"), [("yolo26n.pt", ["own_model"]), ("omil-person", [])])
def test_that_omils_own_model_had_to_do_is_said(
    uploaded: Uploaded,
    film: Path,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    asked_for: str,
    remarks: list[str],
) -> None:
    monkeypatch.setattr(films.WhiteFigures, "name", "omil-person · OpenVINO")
    settings.OMIL_MODEL = asked_for
    assert analyse(uploaded(film)).remarks == remarks


def test_what_was_left_out_until_a_kill_stays_left_out(
    uploaded: Uploaded, film: Path, killing: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("videos.analysis.KEEP_SAMPLES", 3)
    monkeypatch.setattr("videos.poses.get_pose_finder", lambda: None)
    video = uploaded(film, wants_poses=True)
    killing.append(9)
    with pytest.raises(Killed):
        jobs.analyse(str(video.pk))
    assert checkpoint.read(places.work_of(video.pk)).next > 0

    def begin(*_arguments: object) -> None:
        raise AssertionError("Half of a video's poses would pass for all.")

    monkeypatch.setattr("videos.poses.make", begin)  # As with a model that came meanwhile.
    video = analyse(video)
    assert (video.state, video.wants_poses, video.remarks) == ("done", False, ["without_poses"])


@pytest.mark.parametrize(("name", "share"), [("film.mp4", 1 / 8), ("film.avi", 1 / 8), ("film.mkv", 1 / 2)])
def test_where_parts_of_a_film_are_damaged_that_is_said(
    uploaded: Uploaded, tmp_path: Path, name: str, share: float
) -> None:
    codec = "mpeg4" if name.endswith("avi") else "libx264"
    path = films.make(tmp_path / name, seconds=20, size=(320, 240), codec=codec)
    assert analyse(uploaded(path)).remarks == []
    content = bytearray(path.read_bytes())
    middle, length = len(content) // 2, int(len(content) * share)
    content[middle : middle + length] = random.Random(1).randbytes(length)
    path.write_bytes(content)
    video = analyse(uploaded(path))
    assert (video.state, video.remarks) == ("done", ["damaged"])


def test_a_second_analysis_does_nothing(uploaded: Uploaded, film: Path) -> None:
    video = analyse(uploaded(film))
    before = results_of(video)
    jobs.analyse(str(video.pk))
    assert results_of(video) == before
    assert video.visits.count() == 1


def test_two_of_the_same_film_have_the_same_rows(uploaded: Uploaded, film: Path) -> None:
    one, other = analyse(uploaded(film)), analyse(uploaded(film))
    assert results_of(one)["tracks.jsonl"] == results_of(other)["tracks.jsonl"]


class Killed(BaseException):
    """Nothing catches it, as nothing catches a kill."""


@pytest.fixture
def killing(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Kills the work after as many samples as the list says, once each."""
    plan: list[int] = []
    told = turn._Teller.__call__

    def tell(self: turn._Teller, now: Standing) -> bool:
        if plan and now.samples >= plan[0]:
            plan.pop(0)
            raise Killed
        return told(self, now)

    monkeypatch.setattr(turn._Teller, "__call__", tell)
    return plan


@pytest.mark.parametrize("seed", [1, 2])
def test_a_killed_analysis_goes_on_where_it_was(
    uploaded: Uploaded, tmp_path: Path, killing: list[int], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("videos.analysis.KEEP_SAMPLES", 7)
    film = films.make(tmp_path / "walk.mp4", seconds=12)
    undisturbed = analyse(uploaded(film))
    video = uploaded(film)
    killing += sorted(random.Random(seed).sample(range(2, 60), 5))
    begins = []
    while True:
        begins.append(checkpoint.read(places.work_of(video.pk)).next)
        try:
            jobs.analyse(str(video.pk))
            break
        except Killed:
            continue
    assert not killing
    assert begins == sorted(begins)
    assert begins[-1] > 0
    video.refresh_from_db()
    assert results_of(video)["tracks.jsonl"] == results_of(undisturbed)["tracks.jsonl"]
    fields = ("first_s", "last_s", "track_ids")
    assert [*video.visits.values_list(*fields)] == [*undisturbed.visits.values_list(*fields)]
    assert len(results_of(video)) == len(results_of(undisturbed))


def test_what_was_written_after_the_checkpoint_is_written_once(
    uploaded: Uploaded, film: Path, killing: list[int]
) -> None:
    video = uploaded(film)
    killing.append(9)
    with pytest.raises(Killed):
        jobs.analyse(str(video.pk))
    tracks = places.work_of(video.pk) / "tracks.jsonl"
    with tracks.open("ab") as file:
        file.write(b'{"sample":9,"at')  # Half a row, as a kill leaves it.
    video = analyse(video)
    rows = [json.loads(line) for line in results_of(video)["tracks.jsonl"].splitlines()]
    assert [row["sample"] for row in rows] == list(range(21))


@pytest.mark.parametrize("at", [0, 1, 8, 15, 20])
def test_a_cancelled_analysis_leaves_nothing(
    uploaded: Uploaded, film: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    monkeypatch.setattr(turn, "TELL_S", 0)
    video = uploaded(film)
    take = Analysis._take

    def take_and_cancel(self: Analysis, sample: object, prepared: object) -> None:
        take(self, sample, prepared)  # type: ignore[arg-type]
        if self.next_index == at + 1:
            assert removal.remove(video)

    monkeypatch.setattr(Analysis, "_take", take_and_cancel)
    jobs.analyse(str(video.pk))
    assert left_over() == []


def test_a_video_cancelled_while_its_results_are_published_leaves_nothing(
    uploaded: Uploaded, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from videos import publish

    video = uploaded(film)
    results = publish._results

    def cancel(work: Path) -> list[Path]:
        found = results(work)
        removal.remove(video)
        return found

    monkeypatch.setattr(publish, "_results", cancel)
    jobs.analyse(str(video.pk))
    assert left_over() == []


@pytest.mark.django_db(transaction=True)
def test_a_deleted_video_takes_all_with_it(uploaded: Uploaded, film: Path) -> None:
    video = analyse(uploaded(film))
    assert left_over()
    assert removal.remove(video)
    assert left_over() == []
    assert not removal.remove(video)


def test_the_sweep_clears_what_a_killed_deletion_left(uploaded: Uploaded, film: Path) -> None:
    video, kept = analyse(uploaded(film)), analyse(uploaded(film))
    Video.objects.filter(pk=video.pk).delete()
    (places.work_of(video.pk)).mkdir(parents=True)
    assert removal.sweep() == 1
    assert {each.partition("/")[0] for each in left_over() if "/" in each} == {str(kept.pk)}


def test_the_sweep_clears_the_work_folder_of_a_video_that_is_done(uploaded: Uploaded, film: Path) -> None:
    """Its worker was killed between the two."""
    done, waiting = analyse(uploaded(film)), uploaded(film)
    before = left_over()
    work = places.work_of(done.pk)
    work.mkdir(parents=True)
    with places.owned(work):
        removal.sweep()
        assert work.exists()
    removal.sweep()
    assert left_over() == before
    assert places.work_of(waiting.pk).exists()


# --- Who comes first ---


def test_a_turn_ends_for_a_clip_and_goes_on_afterwards(
    uploaded: Uploaded, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn, "LOOK_S", 0)
    undisturbed = analyse(uploaded(film))
    video = uploaded(film)
    monkeypatch.setattr(bell, "clips_wait", lambda: True)
    turns = 0
    while Video.objects.get(pk=video.pk).state != "done":
        before = bell.unrung([video.pk])
        jobs.analyse(str(video.pk))
        turns += 1
        assert turns < 100
        assert not before or turns == 1
    assert turns == 22  # A sample a turn, and one that finds the end.
    assert results_of(video)["tracks.jsonl"] == results_of(undisturbed)["tracks.jsonl"]


def test_another_worker_goes_on_with_what_this_one_paused(
    uploaded: Uploaded, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn, "LOOK_S", 0)
    monkeypatch.setattr(bell, "clips_wait", lambda: True)
    video = uploaded(film)
    jobs.analyse(str(video.pk))
    jobs.analyse(str(video.pk))
    ours = turn._paused.pop(video.pk)
    jobs.analyse(str(video.pk))  # The other worker.
    turn._forget(video.pk)
    turn._paused[video.pk] = ours
    monkeypatch.setattr(bell, "clips_wait", lambda: False)
    video = analyse(video)
    rows = [json.loads(line)["sample"] for line in results_of(video)["tracks.jsonl"].splitlines()]
    assert rows == list(range(21))


def test_two_workers_are_never_at_one_video(uploaded: Uploaded, film: Path) -> None:
    video = uploaded(film)
    with places.owned(places.work_of(video.pk)) as is_owner:
        assert is_owner
        assert analyse(video).state == "waiting"
    assert analyse(video).state == "done"


# --- What goes wrong ---


def test_a_video_that_ends_its_worker_again_and_again_is_given_up(
    uploaded: Uploaded, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = uploaded(film)

    def die(*_args: object, **_options: object) -> None:
        raise Killed

    monkeypatch.setattr(Analysis, "run", die)
    for _time in range(turn.ATTEMPTS):
        with pytest.raises(Killed):
            jobs.analyse(str(video.pk))
    video = analyse(video)
    assert (video.state, video.problem) == ("failed", "crashed")
    assert not places.work_of(video.pk).exists()


def test_a_video_of_which_the_file_is_lost_says_so(uploaded: Uploaded, film: Path) -> None:
    video = uploaded(film)
    places.upload_of(video.pk).unlink()
    video = analyse(video)
    assert (video.state, video.problem) == ("failed", "lost")


def test_without_a_model_a_video_waits_and_says_why(
    uploaded: Uploaded, film: Path, monkeypatch: pytest.MonkeyPatch, figures: films.WhiteFigures
) -> None:
    def none(**_options: object) -> None:
        raise WeightsError("Omil's own model is damaged.")

    with monkeypatch.context() as patch:
        patch.setattr(turn, "get_detector", none)
        video = analyse(uploaded(film))
    assert (video.state, video.problem) == ("waiting", "no_model")
    assert analyse(video).problem == ""


def test_an_error_of_the_database_is_tried_again(
    uploaded: Uploaded, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import OperationalError

    video = uploaded(film)
    with monkeypatch.context() as patch:

        def away(*_args: object, **_options: object) -> bool:
            raise OperationalError("the database is away")

        patch.setattr("videos.publish.publish", away)
        assert analyse(video).state == "analysing"
    assert analyse(video).state == "done"


# --- By the clock ---


def test_the_clock_rings_for_what_nobody_is_at(uploaded: Uploaded, film: Path, empty_valkey: str) -> None:
    import redis

    video = uploaded(film)
    assert bell.unrung([video.pk]) == []
    redis.Redis.from_url(empty_valkey).flushall()
    assert bell.unrung([video.pk]) == [video.pk]
    with places.owned(places.work_of(video.pk)):
        clock.ring_forgotten()
        assert bell.unrung([video.pk]) == [video.pk]
    clock.ring_forgotten()
    assert bell.unrung([video.pk]) == []
    clock.ring_forgotten()
    assert len(bell._queue().get_job_ids()) == 1


def test_an_upload_that_does_not_go_on_is_given_up(uploaded: Uploaded, film: Path, settings: Settings) -> None:
    import time

    from videos import intake
    from videos.intake import Wish

    done = uploaded(film)
    assert done.uploaded_by
    intake.begin(done.uploaded_by, Wish("later.mp4", 1_000, done.unit, 5.0))
    assert removal.expire_uploads(time.time()) == 0
    assert removal.expire_uploads(time.time() + settings.VIDEO_UPLOAD_KEPT_S + 1) == 1
    assert Video.objects.get() == done
