from __future__ import annotations

import random
from itertools import pairwise

import pytest

from detections.stays import Stay
from detections.visits import Rules, Visits
from tests.detections.played import START, Played, people, room, standing, times

HERE = standing(300)
RED, BLUE = (40, 40, 200), (200, 60, 40)


def away_and_back(played: Played, *, seen_s: float, away_s: float, back_s: float, fps: float = 10) -> None:
    played.stands(HERE, 0, seen_s, fps)
    played.nobody(seen_s, seen_s + away_s - 1 / fps, fps)
    played.stands(HERE, seen_s + away_s - 1 / fps, seen_s + away_s + back_s, fps)


# --- Starting ---


@pytest.mark.parametrize("fps", [2, 5, 10, 30])
def test_a_track_becomes_a_visit_after_a_second_and_began_with_its_first_box(fps: float) -> None:
    played = Played()
    played.nobody(0, 1, fps)
    played.stands(HERE, 1, 4, fps)
    ((at, event, state), *_) = played.events
    assert (event, state) == ("started", "present")
    assert at == pytest.approx(2, abs=1 / fps)
    (span,) = played.spans
    assert span == pytest.approx((1, 4 - 1 / fps), abs=0.01)


def test_who_is_seen_for_less_than_a_second_is_no_visit() -> None:
    played = Played()
    played.stands(HERE, 0, 0.9)
    played.nobody(0.9, 15)
    assert played.told == []


def test_noise_that_is_there_in_one_frame_of_four_is_no_visit() -> None:
    played = Played()
    for index, at in enumerate(times(0, 10, 10)):
        played.frame(at, people(HERE) if index % 4 == 0 else people())
    assert played.told == []


def test_two_people_who_come_in_the_same_frame_are_two_visits() -> None:
    played = Played()
    for at in times(0, 3, 10):
        update = played.frame(at, people(standing(150), standing(450)))
    assert len({visit.id for visit in played.ended}) == 2
    assert {visit.first_seq for visit in played.ended} == {0}
    assert played.visits.people == 2
    assert sorted(update.visit_of) == [1, 2]
    assert set(update.visit_of.values()) == {visit.id for visit in played.ended}


def test_a_box_belongs_to_no_visit_before_it_is_one() -> None:
    played = Played()
    assert played.frame(0, people(HERE)).visit_of == {}
    assert played.visits.open == []
    assert played.visits.people == 0
    assert played.visits.is_present(START)  # The gate stays open for them all the same.


def test_the_same_log_gives_the_same_ids_and_another_camera_others() -> None:
    def first_id(camera_id: int) -> str:
        played = Played()
        played.visits = Visits(camera_id, Rules())
        played.stands(HERE, 0, 2)
        return str(played.ended[0].id)

    assert first_id(1) == first_id(1)
    assert first_id(1) != first_id(2)


# --- Losing and ending ---


def test_a_visit_is_out_of_sight_after_a_second_and_ended_after_ten() -> None:
    played = Played()
    played.stands(HERE, 0, 8)
    played.nobody(8, 20)
    events = [(event, state) for _, event, state in played.events]
    assert events == [
        ("started", "present"),
        ("settled", "present"),
        ("changed", "out_of_sight"),
        ("ended", "ended"),
    ]
    (lost_at, _, _), (ended_at, _, _) = played.events[2:]
    assert lost_at == pytest.approx(7.9 + 1, abs=0.11)
    assert ended_at == pytest.approx(7.9 + 10, abs=0.11)
    (visit,) = played.ended
    assert visit.end_reason == "left"
    assert visit.last_seen == pytest.approx(START + 7.9)  # The last box's time, not that of closing.
    assert visit.ended_at == pytest.approx(START + 17.9)
    assert played.visits.open == []


def test_out_of_sight_is_not_there() -> None:
    played = Played()
    played.stands(HERE, 0, 3)
    played.nobody(3, 3.5)
    assert (played.visits.people, played.visits.is_present(START + 3.5)) == (1, True)
    played.nobody(3.5, 4.5)
    assert (played.visits.people, played.visits.is_present(START + 4.5)) == (0, False)
    assert [visit.state for visit in played.visits.open] == ["out_of_sight"]
    assert played.visits.last_box_at == pytest.approx(START + 2.9)


def test_frames_that_the_gate_refused_move_time_on() -> None:
    played = Played()
    played.stands(HERE, 0, 3)
    for at in times(3, 14, 10):
        played.advance(at)
    assert [event for _, event, _ in played.events] == ["started", "changed", "ended"]
    assert played.ended[0].end_reason == "left"


def test_a_camera_s_own_rules_hold() -> None:
    played = Played(rules=Rules(confirm_s=0.5, gap_s=4, sight_lost_s=2))
    played.stands(HERE, 0, 3)
    played.nobody(3, 10)
    assert [round(at, 1) for at, _, _ in played.events] == [0.5, pytest.approx(5, abs=0.11), pytest.approx(7, abs=0.11)]


# --- Coming back ---


@pytest.mark.parametrize("fps", [3, 10])
@pytest.mark.parametrize(
    ("away_s", "visits"),
    [
        (0.6, 1),  # Hardly gone: the tracker bridges it.
        (3.0, 1),
        (9.5, 1),  # In time, though confirmed only after the ten seconds.
        (11.0, 2),  # Later than ten seconds is always new.
    ],
)
def test_somebody_back_within_ten_seconds_is_the_same_visit(away_s: float, visits: int, fps: float) -> None:
    played = Played()
    away_and_back(played, seen_s=5, away_s=away_s, back_s=3, fps=fps)
    assert len(played.ended) == visits
    assert played.ended[-1].state == "present"


def test_a_visit_that_goes_on_does_not_show_as_a_new_one_first() -> None:
    played = Played()
    away_and_back(played, seen_s=5, away_s=3, back_s=3)
    assert [event for _, event, _ in played.events].count("started") == 1
    back_at = next(at for at, event, state in played.events if (event, state) == ("changed", "present"))
    assert back_at <= 8 + 0.5  # Clearly the same: before the second of confirmation is over.
    assert played.ended[0].track_ids == (1, 2)


def test_a_visit_waits_for_who_may_be_its_person() -> None:
    played = Played()
    played.stands(HERE, 0, 3)
    played.nobody(3, 12.8)
    played.frame(12.8, people(HERE))  # 9.9 s after the last box; too little to judge by.
    played.nobody(12.9, 13.3)  # The ten seconds pass.
    assert [event for _, event, _ in played.events] == ["started", "changed"]
    played.stands(HERE, 13.3, 15)
    assert len(played.ended) == 1
    assert played.ended[0].state == "present"


def test_a_short_return_belongs_to_the_visit_too() -> None:
    played = Played()
    played.stands(HERE, 0, 3)
    played.nobody(3, 6)
    played.stands(HERE, 6, 6.2)
    played.nobody(6.2, 18)
    (span,) = played.spans
    assert span == pytest.approx((0, 6.1))
    assert played.ended[0].ended_at == pytest.approx(START + 16.1)


def test_somebody_else_in_the_same_place_is_a_new_visit() -> None:
    played = Played()
    for at in times(0, 12, 10):
        there = at < 5 or at >= 8
        colour = RED if at < 5 else BLUE
        played.frame(at, people(HERE) if there else people(), room((HERE, colour)) if there else room())
    assert len(played.ended) == 2


def test_the_same_person_in_the_same_place_is_not() -> None:
    played = Played()
    for at in times(0, 12, 10):
        there = at < 5 or at >= 8
        played.frame(at, people(HERE) if there else people(), room((HERE, RED)) if there else room())
    assert len(played.ended) == 1


def test_who_comes_in_by_another_edge_is_new_whatever_they_wear() -> None:
    played = Played()
    for at in times(0, 3, 10):  # Out at the right.
        x = 300 + 170 * at
        box = (x - 40, 200.0, min(640.0, x + 40), 400.0)
        played.frame(at, people(box) if x < 650 else people(), room((box, RED)))
    for at in times(3, 4.5, 10):
        played.frame(at, people(), room())
    for at in times(4.5, 8, 10):  # In at the bottom.
        bottom = max(400.0, 640 - 160 * (at - 4.5))
        box = (160.0, bottom - 200, 240.0, min(480.0, bottom))
        played.frame(at, people(box) if box[1] < 460 else people(), room((box, RED)))
    assert len(played.ended) == 2


def test_of_two_who_come_back_each_goes_on_with_their_own_visit() -> None:
    played = Played()
    left, right = standing(220), standing(380)
    for at in times(0, 4, 10):
        played.frame(at, people(left, right), room((left, RED), (right, BLUE)))
    for at in times(4, 6, 10):
        played.frame(at, people(), room())
    for at in times(6, 9, 10):  # The other way round in the detector's order.
        played.frame(at, people(right, left), room((left, RED), (right, BLUE)))
    first, second = played.ended
    update = played.frame(9, people(left), room((left, RED), (right, BLUE)))
    assert len(played.ended) == 2
    assert list(update.visit_of.values()) == [first.id]
    assert second.id not in update.visit_of.values()


def test_a_camera_that_changes_its_pictures_size_keeps_its_visits() -> None:
    played = Played()
    played.stands(HERE, 0, 3)
    played.size_wh = (320, 240)
    half = standing(150, feet=200, height=100)
    played.stands(half, 3, 5)
    played.nobody(5, 7)
    played.size_wh = (640, 480)
    played.stands(HERE, 7, 9)
    (visit,) = played.ended
    assert visit.state == "present"
    assert visit.track_ids == (1, 2)


# --- Settling ---


def test_a_visit_settles_after_five_unchanged_results_a_second_apart() -> None:
    played = Played()
    played.stands(HERE, 0, 20)
    (settled_at,) = (at for at, event, _ in played.events if event == "settled")
    assert settled_at == pytest.approx(1 + 5, abs=0.1)
    assert played.ended[0].settled_at == pytest.approx(START + settled_at)
    (span,) = played.spans
    assert span == pytest.approx((0, 19.9))  # Seeing and tracking go on.


def test_a_changed_result_begins_the_count_anew() -> None:
    played = Played()
    played.stands(HERE, 0, 4)  # Three results, then out of sight.
    played.nobody(4, 7)
    played.stands(HERE, 7, 20)
    (settled_at,) = (at for at, event, _ in played.events if event == "settled")
    assert settled_at == pytest.approx(7.5 + 5, abs=0.5)


def test_a_settled_visit_stays_so() -> None:
    played = Played()
    played.stands(HERE, 0, 10)
    played.nobody(10, 13)
    played.stands(HERE, 13, 30)
    assert [event for _, event, _ in played.events].count("settled") == 1
    assert played.ended[0].settled_at is not None


# --- Rows ---


@pytest.mark.parametrize(("on_s", "off_s"), [(1.5, 1.5), (3.0, 2.5), (0.4, 1.3), (5.0, 8.0), (0.2, 0.6), (2.0, 4.0)])
def test_a_visit_is_written_at_most_eight_times_however_its_sight_flickers(on_s: float, off_s: float) -> None:
    played = Played()
    played.stands(HERE, 0, 2)
    at = 2.0
    while at < 180:
        played.nobody(at, at + off_s)
        played.stands(HERE, at + off_s, at + off_s + on_s)
        at += off_s + on_s
    played.nobody(at, at + 12)
    assert len(played.ended) == 1
    assert max(played.writes.values()) <= 8
    assert played.ended[0].state == "ended"


def test_people_are_counted_exactly_while_their_rows_are_spared() -> None:
    played = Played()
    counted = []
    for index, at in enumerate(times(0, 80, 10)):
        there = index < 20 or index % 40 < 20  # Two seconds there, two seconds away.
        played.frame(at, people(HERE) if there else people())
        if index > 40:
            counted.append((index % 40, played.visits.people))
    assert {count for phase, count in counted if phase < 15 and phase > 12} == {1}
    assert {count for phase, count in counted if phase > 33} == {0}


def test_nothing_is_told_while_nothing_changes() -> None:
    played = Played()
    played.stands(HERE, 0, 60)
    assert [event for _, event, _ in played.events] == ["started", "settled"]


# --- Best picture ---


def test_the_best_picture_is_taken_when_a_visit_starts_and_then_only_when_better() -> None:
    played = Played()
    taken = []
    for at in times(0, 20, 10):
        height = 150 + 10 * at  # Somebody comes nearer and nearer.
        box = standing(300, feet=400, height=height)
        update = played.frame(at, people(box), room((box, RED)))
        taken += [(at, best.xyxy[3] - best.xyxy[1], best.visit) for best in update.best]
    assert taken[0][0] == pytest.approx(1)
    assert all(visit.has_picture and visit.id == played.ended[0].id for _, _, visit in taken)
    heights = [height for _, height, _ in taken]
    assert all(later > 1.1 * earlier for earlier, later in pairwise(heights))
    assert len(taken) <= 6


def test_the_best_picture_is_not_taken_again_of_somebody_who_stands() -> None:
    played = Played()
    chance = random.Random(2)
    for at in times(0, 30, 10):
        box = standing(300 + chance.gauss(0, 3), height=200 + chance.gauss(0, 5))
        played.frame(at, people(box, confidence=chance.uniform(0.75, 0.95)), room((box, RED)))
    assert played.pictures[played.ended[0].id] <= 3


def test_a_person_cut_off_at_the_side_makes_a_worse_picture() -> None:
    played = Played()
    inside, cut = standing(300), (0.0, 200.0, 60.0, 400.0)
    for at in times(0, 2, 10):
        played.frame(at, people(cut), room((cut, RED)))
    before = played.ended[0].best_score
    for at in times(2, 6, 10):
        x = 40 + 65 * (at - 2)
        played.frame(at, people(standing(x)), room((inside, RED)))
    assert len(played.ended) == 1
    assert played.visits.open[0].best_score > 1.2 * before


def test_without_a_picture_none_is_the_best() -> None:
    played = Played()
    played.stands(HERE, 0, 3)
    assert played.ended[0].has_picture is False
    assert played.ended[0].best_score == 0


def test_a_stay_kept_by_an_earlier_version_goes_on() -> None:
    stay = Stay("5" * 32, 1, START, START, START, [1])
    # It also kept whether a model had seen it.
    assert Stay.restored([*stay.values(), True]).values() == stay.values()
