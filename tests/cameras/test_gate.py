"""The gate: every rule by which a frame is admitted or refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cameras import images
from cameras.entries import REASON_CODES, Kind
from cameras.gate import AnalysisView, Gate, Judgement, Reason, Rules, Saturated
from cameras.images import BadImage, Picture
from cameras.motion import LEARNING_FRAMES
from cameras.presence import NOBODY, Presence
from tests.build import make_entry, make_frame

STEP_S = 0.2
WIDTH, HEIGHT = 640, 480
PERSON = (500, 120, 540, 220)  # Left, top, right, bottom of what moves; red, so that a finder can see it.


def scene(*boxes: tuple[int, int, int, int], seed: int = 0) -> bytes:
    """A room with some texture and noise, and a red box for every person."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    grey = 110 + 25 * np.sin(rows / 9) * np.sin(columns / 13) + np.random.default_rng(seed).normal(0, 3, rows.shape)
    bgr = np.repeat(np.clip(grey, 0, 255)[..., None], 3, axis=2).astype(np.uint8)
    for left, top, right, bottom in boxes:
        bgr[top:bottom, left:right] = (20, 20, 230)
    return images.encode_jpeg(bgr)


EMPTY = [scene(seed=seed) for seed in range(6)]
OCCUPIED = scene(PERSON)


class Finder:
    """Stands for the small detector: sees red where it covers enough of what it is shown."""

    def __init__(
        self, *, confidence: float = 0.9, least_share: float = 0.0, fails_with: Exception | None = None
    ) -> None:
        self.confidence = confidence
        self.least_share = least_share
        self.fails_with = fails_with
        self.sizes_wh: list[tuple[int, int]] = []

    def __call__(self, picture: Picture) -> float:
        self.sizes_wh.append((picture.shape[1], picture.shape[0]))
        if self.fails_with:
            raise self.fails_with
        red = (picture[..., 2] > 150) & (picture[..., 0] < 90)
        return self.confidence if red.mean() > max(self.least_share, 0.001) else 0.05


class Post:
    """A camera at its gate: feeds frames, and keeps what analysis has said of it."""

    def __init__(self, finder: Callable[[Picture], float] | None, rules: Rules | None = None) -> None:
        self.gate = Gate(rules or Rules(sample_every=0), finder)
        self.presence = NOBODY
        self.analysis = AnalysisView()
        self.at = 1_000.0
        self.n = 0

    def feed(self, jpeg: bytes | None = None, *, after_s: float = STEP_S, is_sound: bool = False) -> Judgement:
        self.at += after_s
        self.n += 1
        jpeg = EMPTY[self.n % len(EMPTY)] if jpeg is None else jpeg
        frame = make_frame(self.n, self.at, jpeg=jpeg, is_sound=is_sound)
        judgement = self.gate.judge(frame, presence=self.presence, analysis=self.analysis, now=frame.received_at)
        if judgement.admitted:
            self.gate.admitted(make_entry(self.n, Kind.ADMITTED, self.at, reason=judgement.reason))
        return judgement

    def answer(self, *, present: bool = False) -> None:
        """Analysis is through with everything so far."""
        self.presence = Presence(n=self.n, captured_at=self.at, present=present)

    def taught(self) -> Post:
        for _frame in range(LEARNING_FRAMES + 2):
            self.feed()
            self.answer()
        return self


def post(finder: Callable[[Picture], float] | None, **rules: Any) -> Post:
    return Post(finder, replace(Rules(sample_every=0), **rules)).taught()


# --- Refusing ---


def test_what_does_not_move_is_refused_without_a_look() -> None:
    finder = Finder()
    camera = post(finder)
    looks = len(finder.sizes_wh)
    for _frame in range(10):
        assert camera.feed() == Judgement(Reason.NO_MOTION)
    assert len(finder.sizes_wh) == looks


def test_what_moves_and_is_nobody_is_refused_after_a_look() -> None:
    finder = Finder(confidence=0.15)
    camera = post(finder)
    looks = len(finder.sizes_wh)
    assert camera.feed(OCCUPIED) == Judgement(Reason.NO_PERSON, 0.15)
    assert len(finder.sizes_wh) == looks + 1


def test_nobody_is_looked_at_until_it_is_the_scene() -> None:
    finder = Finder(confidence=0.05)
    camera = post(finder)
    reasons = [camera.feed(OCCUPIED).reason for _frame in range(80)]
    assert set(reasons[:5]) == {Reason.NO_PERSON}
    assert set(reasons[-5:]) == {Reason.NO_MOTION}


def test_until_the_scene_is_known_the_detector_is_asked() -> None:
    finder = Finder()
    camera = Post(finder)
    assert camera.feed() == Judgement(Reason.NO_PERSON, 0.05)
    assert camera.feed(OCCUPIED) == Judgement(Reason.PERSON, 0.9)
    assert finder.sizes_wh == [(320, 240)] * 2


def test_a_judgement_says_what_the_source_is_told() -> None:
    for reason in Reason:
        judgement = Judgement(reason)
        refused = reason in (Reason.NO_MOTION, Reason.NO_PERSON)
        assert judgement.verdict == (reason if refused else "admitted")
        assert judgement.admitted is not refused
        assert judgement.sample is (reason is Reason.SAMPLE)


def test_every_reason_to_admit_can_be_logged() -> None:
    assert {reason for reason in Reason if Judgement(reason).admitted} <= set(REASON_CODES)


# --- The person the gate sees ---


@pytest.mark.parametrize(("confidence", "admitted"), [(0.19, False), (0.2, True)])
def test_a_person_counts_from_the_confidence_set(confidence: float, admitted: bool) -> None:
    assert post(Finder(confidence=confidence)).feed(OCCUPIED).admitted is admitted


def test_what_moved_is_looked_at_enlarged() -> None:
    """In the whole picture this person covers half as much of it as the finder needs."""
    finder = Finder(least_share=0.025)
    camera = post(finder)
    assert camera.feed(OCCUPIED).reason is Reason.PERSON
    assert finder.sizes_wh[-1] == pytest.approx((320, 240), abs=3)


def test_regions_and_the_whole_picture_take_turns() -> None:
    finder = Finder(least_share=1)
    camera = post(finder, luma_px=160)
    seen: list[float] = []

    def look(picture: Picture) -> float:
        seen.append(float(((picture[..., 2] > 150) & (picture[..., 0] < 90)).mean()))
        return 0.0

    camera.gate.find_person = look
    both = scene(PERSON, (60, 350, 120, 440))
    for _frame in range(6):
        camera.feed(both)
    whole = np.isclose(seen, 9_400 / (WIDTH * HEIGHT), atol=0.001)
    assert list(whole) == [False, False, True] * 2
    assert len({round(share, 3) for share in seen}) >= 3


def test_a_person_seen_holds_the_gate_until_analysis_has_answered_and_for_a_second() -> None:
    camera = post(Finder(), answer_s=60)
    assert camera.feed(OCCUPIED).reason is Reason.PERSON
    assert [camera.feed().reason for _frame in range(10)] == [Reason.HOLD] * 10  # Not answered.
    camera.answer()
    assert camera.feed().reason is Reason.NO_PERSON  # A second has long passed, and somebody looked.
    assert camera.feed().reason is Reason.NO_MOTION


def test_the_second_is_one_of_capture_time() -> None:
    camera = post(Finder())
    camera.feed(OCCUPIED)
    reasons = []
    for _frame in range(7):
        camera.answer()
        reasons.append(camera.feed(after_s=0.24).reason)
    assert reasons == [Reason.HOLD] * 4 + [Reason.NO_PERSON] + [Reason.NO_MOTION] * 2


def test_a_frame_that_was_not_logged_holds_nothing() -> None:
    """It was refused as busy after the gate had admitted it."""
    camera = post(Finder())
    camera.gate.judge(
        make_frame(50, camera.at + 0.1, jpeg=OCCUPIED), presence=NOBODY, analysis=AnalysisView(), now=camera.at
    )
    assert not camera.feed().admitted


def test_a_restart_does_not_forget_the_person_who_waits_for_an_answer() -> None:
    camera = Post(Finder(), Rules(answer_s=60))
    camera.gate.admitted(make_entry(900, Kind.ADMITTED, camera.at, reason="person"))
    assert camera.feed().reason is Reason.HOLD


# --- What analysis says ---


def test_while_analysis_sees_somebody_motion_is_not_consulted() -> None:
    finder = Finder()
    camera = post(finder)
    looks = len(finder.sizes_wh)
    camera.answer(present=True)
    still = [camera.feed(EMPTY[0]) for _frame in range(30)]
    assert still == [Judgement(Reason.PRESENCE)] * 30
    assert len(finder.sizes_wh) == looks


def test_only_analysis_ends_a_presence_and_then_somebody_looks() -> None:
    finder = Finder()
    camera = post(finder)
    camera.answer(present=True)
    for _frame in range(100):
        assert camera.feed(OCCUPIED).reason is Reason.PRESENCE
        camera.answer(present=True)
    camera.answer(present=False)
    assert camera.feed(OCCUPIED).reason is Reason.PERSON


def test_after_a_presence_one_look_at_the_whole_picture_closes_the_gate() -> None:
    finder = Finder()
    camera = post(finder)
    camera.answer(present=True)
    camera.feed()
    camera.answer()
    assert camera.feed() == Judgement(Reason.NO_PERSON, 0.05)
    assert finder.sizes_wh[-1] == (320, 240)
    assert camera.feed().reason is Reason.NO_MOTION


def test_someone_whom_only_analysis_knew_is_found_where_the_scene_differs() -> None:
    finder = Finder(least_share=0.025)
    camera = post(finder)
    camera.answer(present=True)
    camera.feed(OCCUPIED)
    camera.answer()
    assert camera.feed(OCCUPIED).reason is Reason.PERSON


# --- Unknown is not clear ---


def test_while_analysis_is_down_everything_is_admitted() -> None:
    camera = post(Finder())
    camera.analysis = AnalysisView(is_down=True)
    assert {camera.feed().reason for _frame in range(10)} == {Reason.ANALYSIS_SILENT}
    camera.analysis = AnalysisView()
    assert camera.feed().reason is Reason.NO_PERSON


def test_an_answer_that_does_not_come_opens_the_gate() -> None:
    camera = post(Finder(confidence=0.0), hold_s=0)
    camera.gate.admitted(make_entry(camera.n + 1, Kind.ADMITTED, camera.at, reason="hold", received_at=camera.at))
    reasons = [camera.feed(after_s=0.3).reason for _frame in range(5)]
    assert reasons == [Reason.NO_MOTION] * 3 + [Reason.ANALYSIS_SILENT] * 2
    camera.answer()
    assert camera.feed().reason is Reason.NO_PERSON
    assert camera.feed().reason is Reason.NO_MOTION


@pytest.mark.parametrize("reason", ["sample", "analysis_silent"])
def test_what_silence_admitted_does_not_keep_the_gate_open(reason: str) -> None:
    """Or gates that a short stall has opened would keep analysis too busy to answer, for ever."""
    camera = post(Finder())
    camera.gate.admitted(make_entry(camera.n + 1, Kind.ADMITTED, camera.at, reason=reason))
    assert not any(camera.feed().admitted for _frame in range(20))


def test_a_saturated_detector_admits() -> None:
    finder = Finder(fails_with=Saturated())
    assert Post(finder).feed().reason is Reason.GATE_SATURATED


def test_after_a_presence_a_saturated_detector_keeps_the_look_due() -> None:
    finder = Finder()
    camera = post(finder)
    camera.answer(present=True)
    camera.feed()
    camera.answer()
    finder.fails_with = Saturated()
    assert camera.feed().reason is Reason.GATE_SATURATED
    camera.answer()
    finder.fails_with = None
    assert camera.feed().reason is Reason.NO_PERSON


def test_a_failing_detector_admits_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    camera = Post(Finder(fails_with=RuntimeError("broken")))
    assert {camera.feed().reason for _frame in range(5)} == {Reason.GATE_ERROR}
    assert len(caplog.records) == 1


def test_where_analysis_is_full_nobody_is_asked_and_quiet_stays_refused() -> None:
    finder = Finder()
    camera = post(finder, sample_every=1)
    looks = len(finder.sizes_wh)
    camera.analysis = AnalysisView(is_full=True)
    assert camera.feed(OCCUPIED).reason is Reason.GATE_SATURATED
    assert camera.feed().reason is Reason.NO_MOTION
    assert len(finder.sizes_wh) == looks


# --- Without a detector ---


def test_without_a_detector_motion_decides() -> None:
    camera = Post(None)
    for _frame in range(LEARNING_FRAMES):
        assert camera.feed().reason is Reason.LEARNING
        camera.answer()
    assert camera.feed().reason is Reason.NO_MOTION
    assert camera.feed(OCCUPIED).reason is Reason.MOTION
    camera.answer()
    assert camera.feed().reason is Reason.NO_MOTION


def test_without_a_detector_somebody_who_stands_still_moves_for_long() -> None:
    camera = Post(None, Rules(sample_every=0, answer_s=1e9)).taught()
    assert {camera.feed(OCCUPIED).reason for _frame in range(60)} == {Reason.MOTION}


# --- Samples ---


def test_one_in_so_many_refused_frames_is_admitted_as_a_sample() -> None:
    camera = Post(Finder(), Rules(sample_every=10))
    assert [number for number in range(95) if camera.feed().sample] == list(range(0, 95, 10))


def test_the_first_refused_frame_is_a_sample_so_that_analysis_gets_ready() -> None:
    camera = Post(Finder(), Rules(sample_every=10))
    assert [camera.feed().sample for _frame in range(10)] == [True] + [False] * 9


def test_both_kinds_of_refused_frames_are_sampled() -> None:
    camera = Post(Finder(confidence=0.1), Rules(sample_every=1))
    assert camera.feed(OCCUPIED) == Judgement(Reason.SAMPLE, 0.1)


# --- Damaged pictures ---


def damaged() -> bytes:
    at = OCCUPIED.index(b"\xff\xda") + 14
    return OCCUPIED[: at + 3_000] + OCCUPIED[-2:]


@pytest.mark.parametrize(
    "prepare",
    [
        lambda camera: None,  # A frame that moved.
        lambda camera: camera.answer(present=True),
        lambda camera: setattr(camera, "analysis", AnalysisView(is_down=True)),
        lambda camera: setattr(camera, "analysis", AnalysisView(is_full=True)),
        lambda camera: setattr(camera.gate, "find_person", None),
    ],
    ids=["moved", "presence", "silent", "full", "fallback"],
)
def test_a_damaged_picture_is_never_admitted(prepare: Callable[[Post], None]) -> None:
    camera = post(Finder())
    prepare(camera)
    with pytest.raises(BadImage) as refused:
        camera.feed(damaged())
    assert refused.value.reason == "corrupt"
    assert isinstance(camera.feed(), Judgement)


def test_omils_own_picture_goes_on_without_a_look_for_damage() -> None:
    camera = post(Finder())
    camera.answer(present=True)
    assert camera.feed(damaged(), is_sound=True) == Judgement(Reason.PRESENCE)
