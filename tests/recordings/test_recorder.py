from __future__ import annotations

import threading
import time

import pytest
from django.db import OperationalError
from pytest_django import Settings

from cameras import folders
from cameras.entries import Kind
from cameras.models import Camera
from recordings import bell, recorder, rows, takes
from recordings.models import Recording, RecordingRules
from recordings.takes import Take, TakeFolder
from tests.recordings.post import FPS, START, Post, Told

pytestmark = pytest.mark.django_db

# --- What is in a take ---


def test_a_take_holds_every_picture_of_its_range_whatever_its_verdict(post: Post, told: Told) -> None:
    post.nobody(12).people(2, 10).nobody(12).settle()
    (take,) = post.takes()
    assert take.start - START == 7
    assert take.end == pytest.approx(START + 26.8, abs=1e-3)
    assert post.spans() == [(7, 26.8, 100)]
    assert (take.is_over, take.end_reason, take.max_people) == (True, "over", 2)
    assert post.rows() == [("encoding", "presence", 7, 26.8, 2, "over")]
    assert told == [("started", "recording"), ("ended", "encoding")]


def test_pictures_are_linked_and_not_copied(post: Post) -> None:
    post.nobody(3).people(1, 8).settle()
    ring = {path.name: path.stat().st_ino for path in post.ring.folder.iterdir()}
    (folder,) = takes.folders_of(post.camera.pk)
    linked = {path.name: path.stat().st_ino for path in folder.pictures()}
    assert linked.items() <= ring.items()
    assert len(linked) == len(ring) == 11 * FPS


def test_a_presence_that_comes_to_nothing_leaves_nothing(post: Post, told: Told) -> None:
    post.nobody(5).people(1, 3)
    assert [take.is_confirmed for take in post.takes()] == [False]
    post.nobody(5).settle()
    assert takes.folders_of(post.camera.pk) == []
    assert post.rows() == []
    assert told == []


def test_the_pictures_before_a_presence_that_must_last_long_are_kept_while_it_lasts(
    post: Post, settings: Settings
) -> None:
    settings.RECORD_START_AFTER_S = 60
    post.nobody(10).people(1, 70).nobody(12).settle()
    assert post.spans() == [(5, 84.8, 400)]


def test_an_open_take_says_how_far_it_may_be_encoded(post: Post) -> None:
    post.nobody(5).people(1, 10).nobody(4)
    (take,) = post.takes()
    assert take.end is None
    assert take.last_at - START == pytest.approx(18.6, abs=0.5)
    assert take.linked_until > take.last_at
    assert all(at < take.linked_until - START for at in post.pictures(take))


def test_nothing_beyond_what_is_kept_for_certain_may_be_encoded(post: Post, settings: Settings) -> None:
    settings.RECORD_STOP_AFTER_S = 60
    post.nobody(5).people(1, 10).nobody(50)
    (take,) = post.takes()
    assert take.linked_until - START == pytest.approx(19.8, abs=0.001)
    assert post.pictures(take)[-1] > 60, "what somebody who comes back would need is kept"
    post.nobody(20).settle()
    assert post.spans() == [(0, 19.8, 100)]


def test_two_clips_may_share_pictures(post: Post, settings: Settings) -> None:
    settings.RECORD_STOP_AFTER_S, settings.RECORD_AFTER_S, settings.RECORD_BEFORE_S = 2.5, 8, 1
    post.nobody(10).people(1, 10).nobody(4).people(2, 10).nobody(12).settle()
    assert post.spans() == [(9, 27.8, 95), (23, 41.8, 95)]


def test_clips_that_follow_one_another_share_none(post: Post, settings: Settings) -> None:
    settings.CLIP_S = 30
    post.nobody(10).people(1, 70).nobody(12).settle()
    assert post.spans() == [(5, 34.8, 150), (35, 64.8, 150), (65, 84.8, 100)]
    assert [row[5] for row in post.rows()] == ["limit", "limit", "over"]


def test_a_clip_that_goes_on_late_gets_the_pictures_that_only_the_one_before_it_has(
    post: Post, settings: Settings
) -> None:
    settings.CLIP_S, settings.RECORD_STOP_AFTER_S = 30, 120
    post.nobody(10).people(1, 20).nobody(60).people(1, 1).nobody(1)
    assert [span[:2] for span in post.spans()][:2] == [(5, 34.8), (35, 64.8)]
    post.nobody(125).settle()
    assert post.spans() == [(5, 34.8, 150), (35, 64.8, 150), (65, 94.8, 150), (95, 95.8, 5)]


# --- Analysis away, camera away, clock, rules ---


def test_a_minute_without_analysis_is_kept_and_marked(post: Post) -> None:
    post.nobody(12).unanalysed(60).nobody(12).settle()
    (take,) = post.takes()
    assert (take.reason, take.is_unanalysed) == ("unanalysed", True)
    assert post.spans() == [(7, 76.8, 350)]
    row = Recording.objects.get()
    assert row.is_unanalysed
    assert row.reason == "unanalysed"


def test_of_longer_than_analysis_can_wait_the_pictures_are_kept_all_the_same(post: Post) -> None:
    post.nobody(12).unanalysed(60).busy(60).nobody(12).settle()
    ((first, last, count),) = post.spans()
    assert first == 7
    assert last == pytest.approx(136, abs=1)
    assert count == round((last - first) * FPS) + 1


def test_a_picture_just_taken_is_left_to_analysis(post: Post, settings: Settings) -> None:
    post.nobody(3)
    n = post.frame(Kind.ADMITTED, None)
    post.work()
    assert post.takes() == []
    post.now += 2.5
    post.work()
    assert post.takes() == []
    post.spool.settle(n, 1, 0)  # type: ignore[arg-type]
    post.now += 5
    post.work()
    assert post.takes() == []
    assert post.recorder.cutters[post.camera.pk].decider.n == n


def test_a_camera_that_is_gone_ends_its_clip_cleanly(post: Post, told: Told) -> None:
    post.nobody(10).people(1, 10).silent(40).settle()
    assert post.spans() == [(5, 19.8, 75)]
    assert post.rows() == [("encoding", "presence", 5, 19.8, 1, "camera_lost")]
    assert told[-1] == ("ended", "encoding")


def test_a_camera_that_is_switched_off_ends_its_clip(post: Post) -> None:
    post.nobody(10).people(1, 10)
    Camera.objects.update(is_enabled=False)
    post.silent(4)
    assert [row[5] for row in post.rows()] == ["camera_lost"]
    assert post.spans() == [(5, 19.8, 75)]


def test_the_clock_set_back_by_an_hour_gives_two_clips_and_mixes_no_pictures(post: Post) -> None:
    post.nobody(10).people(1, 10)
    post.now -= 3_600
    post.people(2, 20).nobody(12).settle()
    assert post.spans() == [(-3_580, -3_555.2, 125), (5, 19.8, 75)]
    assert [row[5] for row in post.rows()] == ["over", "clock"]
    assert len(list(post.ring.folder.iterdir())) <= 32 * FPS, "the ring forgets what seems to be of the future"


def test_a_camera_of_its_own_rules(post: Post) -> None:
    RecordingRules.objects.create(camera=post.camera, start_after_s=1, before_s=0, after_s=2)
    post.nobody(10).people(1, 2).nobody(10).settle()
    assert post.spans() == [(10, 13.8, 20)]


def test_always_on_and_then_never(post: Post) -> None:
    rules = RecordingRules.objects.create(camera=post.camera, mode="continuous")
    post.nobody(10)
    rules.mode = "off"
    rules.save()
    post.people(1, 20).settle()
    assert [(row[1], row[2], row[5]) for row in post.rows()] == [("continuous", 0, "switched_off")]
    assert post.rows()[0][3] == pytest.approx(12, abs=0.6), "the rules are read every two seconds"


def test_a_camera_that_is_deleted_is_forgotten(post: Post) -> None:
    post.nobody(10).people(1, 10)
    post.camera.delete()
    post.people(1, 3)
    assert post.recorder.cutters == {}
    assert Recording.objects.count() == 0


def test_a_log_that_began_anew_is_read_from_its_beginning(post: Post) -> None:
    post.nobody(10).people(1, 10)
    for segment in post.spool.log.glob("*.log"):
        segment.unlink()
    post.nobody(2).people(1, 10).nobody(12).settle()
    assert [row[5] for row in post.rows()] == ["camera_lost", "over"]


# --- Whatever fails ---


def test_while_the_database_is_away_takes_go_on(post: Post, told: Told) -> None:
    post.nobody(2)
    post.is_database_away = True
    post.nobody(8).people(1, 10).nobody(12)
    assert post.rows() == []
    assert post.spans() == [(5, 24.8, 100)]
    assert not post.takes()[0].is_over
    post.is_database_away = False
    post.settle()
    assert post.rows() == [("encoding", "presence", 5, 24.8, 1, "over")]
    assert post.takes()[0].is_over


def test_before_the_rules_are_known_nothing_is_decided(post: Post) -> None:
    post.is_database_away = True
    post.nobody(5).people(1, 10)
    assert post.recorder.cutters == {}
    post.is_database_away = False
    post.nobody(12).settle()
    assert post.spans() == [(0, 19.8, 100)]


def test_a_camera_whose_files_fail_does_not_stop_the_others(
    post: Post, camera_y: Camera, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    other = Post(camera_y)
    other.recorder = post.recorder
    make = TakeFolder.make

    def refuse(self: TakeFolder) -> None:
        if self.camera_id == post.camera.pk:
            raise OSError(28, "No space left on device")
        make(self)

    with monkeypatch.context() as patched:
        patched.setattr(TakeFolder, "make", refuse)
        for one in (post, other):
            one.nobody(8).people(1, 1)
        for _ in range(5):
            post.people(1, 1)
            other.people(1, 1)
        assert len(other.takes()) == 1
        assert post.takes() == []
    assert len([record for record in caplog.records if "No space left" in record.message]) == 1
    post.nobody(12)
    other.nobody(12)
    post.settle()
    assert post.spans() == [(3, 18.8, 80)]
    assert other.spans() == [(3, 18.8, 80)]


def test_a_take_that_somebody_removed_is_let_go(post: Post) -> None:
    post.nobody(10).people(1, 10)
    takes.folders_of(post.camera.pk)[0].remove()
    post.people(1, 10).nobody(12).settle()
    ((first, last, _count),) = post.spans()
    assert first == pytest.approx(15, abs=0.6)
    assert last == 34.8


def test_takes_of_which_the_ring_has_nothing_left_leave_nothing(post: Post) -> None:
    """The recorder was away for longer than the ring reaches back."""
    post.work()
    cutters, post.recorder.tick = post.recorder.tick, lambda: None  # type: ignore[method-assign]
    post.nobody(10).people(1, 10).nobody(60)
    post.recorder.tick = cutters  # type: ignore[method-assign]
    post.settle(5)
    assert takes.folders_of(post.camera.pk) == []
    assert post.rows() == []


# --- Rows and bells ---


def test_a_row_that_only_grows_is_written_now_and_then(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    times: list[float] = []
    real = rows.save

    def save(take: Take, *, first_at: float) -> None:
        times.append(post.now)
        real(take, first_at=first_at)

    monkeypatch.setattr(rows, "save", save)
    post.nobody(8).people(1, 30)
    assert len(times) == 1 + 24 // recorder.ROW_EVERY_S
    (row,) = post.rows()
    assert post.now - row[3] <= recorder.ROW_EVERY_S + 1


def test_a_row_that_was_given_up_is_left_alone(post: Post) -> None:
    post.nobody(8).people(1, 8)
    Recording.objects.update(state="failed")
    post.people(1, 8).nobody(12).settle()
    assert [row[0] for row in post.rows()] == ["failed"]


def test_media_workers_are_rung_for_each_part_and_for_the_end(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[float] = []
    monkeypatch.setattr(bell, "ring", lambda camera_id, take_id: rung.append(post.now))
    post.nobody(8).people(1, 3)
    post.recorder.ring()
    assert rung == [], "the take is not confirmed"
    post.people(1, 4)
    post.recorder.ring()
    assert len(rung) == 1, "ten seconds are linked"
    for picture in takes.folders_of(post.camera.pk)[0].pictures():
        picture.unlink()
    post.people(1, 1)
    post.recorder.ring()
    assert len(rung) == 1
    post.nobody(12).settle()
    post.recorder.ring()
    assert len(rung) == 2, "it is over"
    post.recorder.ring()
    assert len(rung) == 2
    post.now += 5
    post.recorder.ring()
    assert len(rung) == 3, "nobody has come for it"


def test_the_beat_says_that_the_recorder_is_at_work(settings: Settings, transactional_db: None) -> None:
    settings.RUN_DIR.mkdir(parents=True)
    assert not recorder.is_at_work(0)
    recorder._work(recorder.Recorder())
    assert recorder.is_at_work(time.time())
    assert not recorder.is_at_work(time.time() + 6)


def test_the_loop_goes_on_after_what_fails(caplog: pytest.LogCaptureFixture) -> None:
    stop, calls = threading.Event(), []

    def work() -> None:
        calls.append(1)
        if len(calls) == 4:
            stop.set()
        raise OperationalError("the database is away")

    recorder._repeat(stop, 0.01, work)
    assert len(calls) == 4
    assert len([record for record in caplog.records if "is away" in record.message]) == 1


def test_the_recorder_makes_no_folder_for_a_camera_that_has_none(camera_x: Camera) -> None:
    work = recorder.Recorder()
    work.tell()
    work.tick()
    assert not folders.of(camera_x.pk).exists()
