from __future__ import annotations

import pytest

from tests.detections.played import START, Played, people, standing, times

HERE = standing(300)


# --- Failure ---


def test_a_failing_detector_ends_nobody_and_puts_nobody_out_of_sight() -> None:
    played = Played()
    played.stands(HERE, 0, 3)
    for at in times(3, 33, 5):
        played.failed(at)
        assert played.visits.people == 1
        assert played.visits.is_present(START + at)
    assert [event for _, event, _ in played.events] == ["started"]
    played.stands(HERE, 33, 36)
    assert len(played.ended) == 1
    assert played.ended[0].last_seen == pytest.approx(START + 35.9)


def test_after_a_failure_time_counts_again() -> None:
    played = Played()
    played.stands(HERE, 0, 3)
    for at in times(3, 23, 5):
        played.failed(at)
    played.nobody(23, 35)
    (visit,) = played.ended
    assert (visit.state, visit.end_reason) == ("ended", "left")
    ended_at = next(at for at, event, _ in played.events if event == "ended")
    assert ended_at == pytest.approx(33, abs=0.4)


def test_a_failure_before_anything_was_seen_is_not_nobody() -> None:
    played = Played()
    played.failed(0)
    assert played.visits.is_present(START)


def test_a_failure_after_a_silence_does_not_bring_anybody_back() -> None:
    played = Played()
    played.stands(HERE, 0, 3)
    played.no_sight(14)
    played.failed(15)
    assert played.ended[0].state == "ended"
    played.nobody(15.2, 16)
    assert (played.ended[0].state, played.ended[0].end_reason) == ("ended", "camera_lost")


# --- Silence ---


def test_a_silent_source_hides_its_visits_and_ends_them_as_camera_lost() -> None:
    played = Played()
    played.stands(HERE, 0, 8)
    for at in (10, 13, 16, 17, 18, 30):
        played.no_sight(at)
    assert [(at, state) for at, event, state in played.events if event != "settled"] == [
        (1.0, "present"),
        (10, "out_of_sight"),
        (18, "ended"),
    ]
    (visit,) = played.ended
    assert visit.end_reason == "camera_lost"
    assert visit.last_seen == pytest.approx(START + 7.9)
    assert visit.ended_at == pytest.approx(START + 17.9)
    assert played.visits.people == 0
    assert played.visits.open == []


def test_a_late_frame_takes_back_what_silence_ended() -> None:
    undisturbed, disturbed = Played(), Played()
    for played in (undisturbed, disturbed):
        played.stands(HERE, 0, 8)
    for at in (11, 15, 18.5):
        disturbed.no_sight(at)
    assert disturbed.ended[0].state == "ended"
    for played in (undisturbed, disturbed):
        played.stands(HERE, 8, 12)
        played.nobody(12, 30)
    assert disturbed.ended == undisturbed.ended
    assert disturbed.ended[0].end_reason == "left"
    taken_back = [(at, event, state) for at, event, state in disturbed.events if 8 <= at < 9]
    assert taken_back == [(8, "changed", "present")]


def test_after_a_silence_nobody_has_left() -> None:
    played = Played()
    played.stands(HERE, 0, 5)
    played.no_sight(9)
    played.no_sight(16)
    played.nobody(20, 25)
    assert [(visit.state, visit.end_reason) for visit in played.ended] == [("ended", "camera_lost")]
    assert played.writes[played.ended[0].id] <= 4  # The frames confirm what was told.


def test_a_silence_without_a_word_from_the_clock_is_one_too() -> None:
    played = Played()
    played.stands(HERE, 0, 5)
    played.nobody(20, 25)
    assert played.ended[0].end_reason == "camera_lost"


def test_a_silence_that_is_over_before_the_ten_seconds_lets_a_visit_end_as_left() -> None:
    played = Played()
    played.stands(HERE, 0, 5)
    played.no_sight(9)
    played.nobody(10, 20)
    assert played.ended[0].end_reason == "left"


def test_somebody_still_there_after_a_short_silence_is_the_same_visit() -> None:
    played = Played()
    played.stands(HERE, 0, 5)
    played.no_sight(9)
    played.stands(HERE, 12, 15)
    assert len(played.ended) == 1
    assert played.ended[0].state == "present"


def test_what_silence_ended_is_forgotten_when_no_frame_can_be_that_late() -> None:
    played = Played()
    played.stands(HERE, 0, 5)
    for at in (20, 40, 80):
        played.no_sight(at)
    assert played.visits.state()["stays"] == []
    assert [event for _, event, _ in played.events].count("ended") == 1


def test_a_time_that_runs_back_a_little_is_taken_as_the_last_one() -> None:
    played = Played()
    played.stands(HERE, 0, 3)
    played.frame(2.5, people(HERE))
    played.stands(HERE, 3.1, 4)
    (span,) = played.spans
    assert span == pytest.approx((0, 3.9))
