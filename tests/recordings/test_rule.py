from __future__ import annotations

import pytest

from cameras.entries import Entry, Kind
from recordings.rule import Cut, Decider, Rules
from tests.recordings.scripts import START, Clip, Script, as_waiting, clips, cuts_of, spans

# What the log tells once a second is over: at five pictures a second the last of ten seconds is at 9.8.


def test_a_presence_is_kept_with_what_came_before_and_after_it() -> None:
    script = Script().nobody(20).people(2, 4).people(3, 6).nobody(20)
    assert clips(script) == [Clip(15, 34.8, "presence", "over", False, 3)]


@pytest.mark.parametrize(
    ("present_s", "count"),
    [
        (4.8, 0),  # Its last sight is 4.6 s after its first.
        (5.2, 1),
    ],
)
def test_a_presence_counts_once_it_has_lasted(present_s: float, count: int) -> None:
    assert len(clips(Script().nobody(10).people(1, present_s).nobody(20))) == count


def test_with_no_time_to_wait_the_first_sight_is_a_clip() -> None:
    assert spans(Script().nobody(10).people(1, 0.2).nobody(20), Rules(start_after_s=0)) == [(5, 15)]


@pytest.mark.parametrize(
    ("lost_s", "count"),
    [
        (0.6, 1),  # The next sight is 0.8 s after the last.
        (1.0, 0),  # Judged empty one second after the last sight: neither half has lasted.
    ],
)
def test_sight_lost_for_less_than_a_second_is_no_absence(lost_s: float, count: int) -> None:
    script = Script().nobody(10).people(1, 4).looked_in_vain(lost_s).people(1, 4).nobody(20)
    assert len(clips(script)) == count


def test_a_presence_that_comes_to_nothing_does_not_lengthen_the_next() -> None:
    script = Script().nobody(10).people(4, 2).nobody(2).people(1, 8).nobody(20)
    assert clips(script) == [Clip(9, 26.8, "presence", "over", False, 1)]


def test_an_absence_shorter_than_the_stop_is_inside_the_clip() -> None:
    script = Script().nobody(10).people(1, 10).nobody(4).people(1, 1).nobody(20)
    assert spans(script) == [(5, 29.8)]


def test_somebody_who_comes_while_the_end_is_still_being_kept_has_a_clip_of_their_own() -> None:
    rules = Rules(stop_after_s=2.5, before_s=1, after_s=8)
    script = Script().nobody(10).people(1, 10).nobody(4).people(2, 10).nobody(20)
    assert spans(script, rules) == [(9, 27.8), (23, 41.8)]


def test_slow_pictures_without_an_empty_one_between_them_are_one_presence() -> None:
    script = Script()
    for second in range(0, 20, 2):
        script.add(Kind.ADMITTED, second, outcome=1, people=1)
    script.now = 20
    assert spans(script.nobody(20)) == [(-5, 23)]


def test_a_frozen_picture_keeps_nobody() -> None:
    assert clips(Script().nobody(10).people(1, 10).frozen(60)) == [Clip(5, 24.8, "presence", "over", False, 1)]
    assert clips(Script().frozen(60)) == []


# --- Without analysis ---


def test_what_nobody_analysed_is_kept_from_the_first_picture_on_and_says_so() -> None:
    script = Script().nobody(20).unanalysed(60).nobody(30)
    assert clips(script) == [Clip(15, 84.8, "unanalysed", "over", True, 0)]


def test_analysis_that_fails_in_the_middle_of_a_presence_marks_its_clip() -> None:
    script = Script().nobody(20).people(2, 10).unanalysed(60).nobody(30)
    assert clips(script) == [Clip(15, 94.8, "presence", "over", True, 2)]


def test_a_picture_that_cannot_be_analysed_is_not_called_clear() -> None:
    assert clips(Script().nobody(20).failed(0.2).nobody(30)) == [Clip(15, 25, "unanalysed", "over", True, 0)]


def test_what_may_still_be_analysed_is_waited_for_and_nothing_after_it_is_taken() -> None:
    entries = Script().nobody(1).people(1, 0.2).nobody(1).entries
    decider = Decider(7)
    assert all(decider.take(entry, is_overdue=False) for entry in entries[:5])
    assert not decider.take(as_waiting(entries[5]), is_overdue=False)
    assert (decider.n, decider.cuts) == (5, [])
    assert decider.take(entries[5], is_overdue=False)
    assert decider.cuts[0].max_people == 1


def test_seconds_refused_as_busy_do_not_end_a_clip_and_do_not_begin_one() -> None:
    assert clips(Script().nobody(10).busy(60).nobody(10)) == []
    script = Script().nobody(10).unanalysed(60).busy(60).nobody(30)
    assert clips(script) == [Clip(5, 134, "unanalysed", "over", True, 0)]


def test_a_busy_second_of_which_pictures_were_judged_is_no_doubt() -> None:
    script = Script().nobody(10).people(1, 10)
    for _ in range(12):
        script.nobody(1).add(Kind.BUSY, script.now - 1, received_at=script.now, size=2, reason="capacity")
    assert clips(script) == [Clip(5, 24.8, "presence", "over", False, 1)]


def test_frames_that_a_full_disk_refused_are_nothing_to_keep() -> None:
    script = Script().nobody(10).people(1, 10).busy(60, "disk_full").nobody(20)
    assert clips(script) == [Clip(5, 19.8, "presence", "camera_lost", False, 1)]


# --- The camera goes away, the clock changes, the rules do ---


def test_a_camera_that_is_gone_ends_the_clip_with_its_last_picture() -> None:
    assert clips(Script().nobody(10).people(1, 10).silent(36)) == [Clip(5, 19.8, "presence", "camera_lost", False, 1)]


def test_a_camera_that_is_gone_after_everybody_has_left_loses_nothing_of_the_end() -> None:
    script = Script().nobody(10).people(1, 10).nobody(2).silent(60)
    assert clips(script) == [Clip(5, 21.8, "presence", "camera_lost", False, 1)]
    script = Script().nobody(10).people(1, 10).nobody(5.2).silent(60)
    assert clips(script) == [Clip(5, 24.8, "presence", "over", False, 1)]


def test_pictures_that_come_late_after_a_silence_are_of_the_same_clip() -> None:
    assert spans(Script().nobody(10).people(1, 10).silent(30).people(1, 10).nobody(20)) == [(5, 64.8)]


def test_a_silence_that_nobody_noted_counts_by_the_next_picture() -> None:
    script = Script().nobody(10).people(1, 10)
    script.now += 40
    assert [clip.end_reason for clip in clips(script.people(1, 10).nobody(20))] == ["camera_lost", "over"]


def test_a_presence_not_yet_long_enough_goes_with_its_camera() -> None:
    assert clips(Script().nobody(10).people(1, 3).silent(60)) == []


def test_a_clock_set_back_by_an_hour_ends_the_clip_and_begins_afresh() -> None:
    script = Script().nobody(10).people(1, 10).back(3_600).people(2, 10).nobody(20)
    assert clips(script) == [
        Clip(5, 19.8, "presence", "clock", False, 1),
        Clip(-3_585, -3_565.2, "presence", "over", False, 2),
    ]


def test_pictures_a_little_out_of_order_change_nothing() -> None:
    script = Script().nobody(10).people(1, 10)
    script.add(Kind.ADMITTED, 5, outcome=1, people=1)
    assert spans(script.nobody(20)) == [(5, 24.8)]


def test_midnight_is_a_moment_like_any_other() -> None:
    to_midnight = 86_400 - START % 86_400
    script = Script(now=to_midnight - 15).nobody(10).people(1, 10).nobody(20)
    assert spans(script) == [(to_midnight - 10, to_midnight + 9.8)]


def test_a_clip_is_only_so_long_and_the_next_begins_where_it_ends() -> None:
    script = Script().nobody(10).people(1, 130).nobody(20)
    rules = Rules(clip_s=60)
    assert clips(script, rules) == [
        Clip(5, 65, "presence", "limit", False, 1),
        Clip(65, 125, "presence", "limit", False, 1),
        Clip(125, 144.8, "presence", "over", False, 1),
    ]


def test_a_clip_that_waits_for_its_end_does_not_grow_beyond_what_it_keeps() -> None:
    """Nobody knows for two minutes whether somebody comes back: the film goes on only if they do."""
    rules = Rules(clip_s=60, stop_after_s=120)
    script = Script().nobody(10).people(1, 40).nobody(130)
    assert spans(script, rules) == [(5, 54.8)]
    script = Script().nobody(10).people(1, 40).nobody(60).people(1, 1).nobody(130)
    assert spans(script, rules) == [(5, 65), (65, 115.8)]


def test_always_on_is_one_clip_after_the_other() -> None:
    rules = Rules(mode="continuous", clip_s=60)
    script = Script().nobody(30).people(2, 10).nobody(85)
    cuts, decider = cuts_of(script.entries, rules)
    assert [(cut.start - START, cut.end and cut.end - START, cut.max_people) for cut in cuts] == [
        (0, 60, 2),
        (60, 120, 0),
        (120, None, 0),
    ]
    assert cuts[0].reason == "continuous"
    decider.lose()
    assert decider.cuts[-1].end_reason == "camera_lost"


def test_always_on_is_marked_where_nobody_analysed_it() -> None:
    rules = Rules(mode="continuous", clip_s=60)
    marks = [clip.is_unanalysed for clip in clips(Script().nobody(70).unanalysed(20).nobody(100), rules)]
    assert marks == [False, True, False, False]


def test_never_is_never() -> None:
    assert clips(Script().people(1, 60).unanalysed(60), Rules(mode="off")) == []


def test_another_mode_ends_what_the_old_one_began() -> None:
    _, decider = cuts_of(Script().nobody(10).people(1, 10).entries, Rules())
    decider.follow(Rules(mode="off"))
    (cut,) = decider.cuts
    assert (cut.end, cut.end_reason, cut.is_over) == (START + 19.8, "switched_off", True)


def test_other_times_hold_for_the_clip_that_is_open() -> None:
    _, decider = cuts_of(Script().nobody(10).people(1, 10).entries, Rules())
    decider.follow(Rules(after_s=2))
    for entry in Script(now=20).nobody(10).entries:
        decider.take(entry, is_overdue=False)
    assert decider.cuts[0].end == START + 21.8


# --- Killed ---


def test_killed_after_every_entry_it_decides_the_same() -> None:
    script = Script().nobody(10).people(1, 3).nobody(3).people(2, 10).nobody(7).people(1, 9).unanalysed(70).nobody(9)
    script.silent(40).back(3_600).people(1, 7).nobody(20)
    rules = Rules(clip_s=60)
    whole, _ = cuts_of(script.entries, rules)
    assert len(whole) > 3
    assert cuts_of(script.entries, rules, restarts=True)[0] == whole


def test_clips_of_two_cameras_and_two_moments_have_ids_of_their_own() -> None:
    entries = Script().nobody(10).people(1, 10).nobody(20).people(1, 10).nobody(20).entries
    ids = {cut.id for camera in (1, 2) for cut in _all(Decider(camera), entries)}
    assert len(ids) == 4


def _all(decider: Decider, entries: list[Entry]) -> list[Cut]:
    for entry in entries:
        decider.take(entry, is_overdue=True)
    return decider.cuts
