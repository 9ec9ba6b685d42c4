"""The first pass: admit a frame to analysis or refuse it, with a reason. Pure, clock passed in; called by the intake.

Two steps. Motion, on a small luma picture; then a small person detector, on the part of the picture that moved or on
the whole of it. By itself the gate only ever opens: while analysis sees somebody it is open, and it closes when
analysis has said otherwise. Whatever it cannot know it admits.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from cameras import images
from cameras.images import Picture
from cameras.motion import Motion, MotionResult, Region
from cameras.obscured import Obscured

logger = logging.getLogger(__name__)

FindPerson = Callable[[Picture], float]  # How sure it is, 0.0 to 1.0, that the picture holds a person.

REMEMBERED = 4_096  # Admitted frames that analysis has not answered.
# The detector is shown the region that moved with some ground around it, at least this share of the picture; above the
# greatest share a part shows little more than the whole.
AROUND, LEAST_SHARE, MOST_SHARE = 1.6, 0.25, 0.7


class Reason(StrEnum):
    """Why a frame was admitted or, the last two, refused."""

    PRESENCE = "presence"  # Analysis sees somebody.
    PERSON = "person"  # The gate's detector sees somebody.
    MOTION = "motion"  # There is no gate's detector.
    HOLD = "hold"  # The gate's detector saw somebody a moment ago, and analysis is to say whether that was so.
    LEARNING = "learning"  # What an empty scene looks like is not known, and there is no gate's detector.
    SAMPLE = "sample"  # One of so many refused frames, to count what the gate misses.
    ANALYSIS_SILENT = "analysis_silent"
    GATE_SATURATED = "gate_saturated"
    GATE_ERROR = "gate_error"
    NO_MOTION = "no_motion"
    NO_PERSON = "no_person"


REFUSALS = {Reason.NO_MOTION, Reason.NO_PERSON}
# An answer to these frames decides whether the gate stays open; without it nothing is known. The others are not among
# them, or a gate that silence has opened would itself keep analysis too busy to answer, and never close.
OPEN_QUESTIONS = {
    Reason.PRESENCE,
    Reason.PERSON,
    Reason.MOTION,
    Reason.HOLD,
    Reason.LEARNING,
    Reason.GATE_SATURATED,
    Reason.GATE_ERROR,
}


class Saturated(Exception):
    """The person detector has more to do than it can; raised by FindPerson."""


class FrameView(Protocol):
    @property
    def jpeg(self) -> bytes: ...
    @property
    def captured_at(self) -> float: ...
    @property
    def is_sound(self) -> bool: ...


class EntryView(Protocol):
    """An admitted frame in the camera's log."""

    @property
    def n(self) -> int: ...
    @property
    def reason(self) -> str: ...
    @property
    def captured_at(self) -> float: ...
    @property
    def received_at(self) -> float: ...


class PresenceView(Protocol):
    """What analysis has last said of the camera: up to which entry, and whether somebody is present."""

    @property
    def n(self) -> int: ...
    @property
    def present(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class AnalysisView:
    """How analysis does. `is_full`: it takes no more frames of this camera now, so that what the gate admits will be
    refused all the same; the detector is then not asked and nothing is sampled."""

    is_down: bool = False
    is_full: bool = False


@dataclass(frozen=True, slots=True)
class Rules:
    """The gate's settings; `ignored` are parts of the picture, such as a clock burnt into it, whose motion is none."""

    confidence: float = 0.2
    image_px: int = 320
    luma_px: int = 160
    sample_every: int = 100
    answer_s: float = 1.0
    hold_s: float = 1.0
    obscured_s: float = 5.0
    ignored: tuple[Region, ...] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """`person_confidence` is what the gate's detector said, None where it was not asked."""

    reason: Reason
    person_confidence: float | None = None

    @property
    def admitted(self) -> bool:
        return self.reason not in REFUSALS

    @property
    def sample(self) -> bool:
        return self.reason is Reason.SAMPLE

    @property
    def verdict(self) -> str:
        """As the source is told: admitted, no_motion or no_person."""
        return "admitted" if self.admitted else self.reason.value


class Gate:
    """One camera's gate. Not safe for two threads at once; what it knows is rebuilt within seconds of a restart."""

    def __init__(self, rules: Rules, find_person: FindPerson | None) -> None:
        self.rules = rules
        self.find_person = find_person
        self._motion = Motion(ignored=rules.ignored)
        self._obscured = Obscured(rules.obscured_s)
        self._unanswered: deque[EntryView] = deque(maxlen=REMEMBERED)
        self._seen: EntryView | None = None  # The last admitted frame in which the gate's own detector saw somebody.
        self._must_look = False  # The last frame passed without a look: motion alone may not refuse the next.
        self._looks = 0  # In a row, each at something that moved and was nobody.
        # The first refusal is a sample too: analysis readies its model for these pictures before anybody comes.
        self._refused = max(0, rules.sample_every - 1)
        self._is_failing = False

    def judge(self, frame: FrameView, *, presence: PresenceView, analysis: AnalysisView, now: float) -> Judgement:
        """Raises BadImage. `now` is on the clock of the entries' `received_at`."""
        if reason := self._is_open(frame, presence, analysis, now):
            _check(frame)
            self._must_look, self._looks = True, 0
            return Judgement(reason)
        luma = images.decode_luma(frame.jpeg, self.rules.luma_px)
        self._obscured.look(luma, frame.captured_at)
        motion = self._motion.moved(luma, frame.captured_at)
        if not motion.moved and not self._must_look:
            self._looks = 0
            return self._refuse(frame, analysis, Judgement(Reason.NO_MOTION))
        judgement = self._ask(frame, motion, analysis)
        self._must_look = self._must_look and judgement.reason is Reason.GATE_SATURATED
        if judgement.reason is not Reason.NO_PERSON:
            return judgement
        if motion.moved:
            self._looks += 1
            self._motion.accept()
        return self._refuse(frame, analysis, judgement)

    def admitted(self, entry: EntryView) -> None:
        """Told of every admitted frame once it is in the log, and after a restart of those that wait there."""
        if entry.reason in OPEN_QUESTIONS:
            self._unanswered.append(entry)
        if entry.reason == Reason.PERSON:
            self._seen = entry

    def is_obscured(self, at: float) -> bool:
        """Whether the camera is covered or black, as far as the gate has looked: while it is open it does not."""
        return self._obscured.is_obscured(at)

    # --- Open without a look ---

    def _is_open(self, frame: FrameView, presence: PresenceView, analysis: AnalysisView, now: float) -> Reason | None:
        while self._unanswered and self._unanswered[0].n <= presence.n:
            self._unanswered.popleft()
        if presence.present:
            return Reason.PRESENCE
        if self._is_held(frame.captured_at, presence.n):
            return Reason.HOLD
        is_late = bool(self._unanswered) and now - self._unanswered[0].received_at > self.rules.answer_s
        return Reason.ANALYSIS_SILENT if analysis.is_down or is_late else None

    def _is_held(self, captured_at: float, answered_n: int) -> bool:
        """Until analysis has answered for the frame with the person in it, and for a while of capture time after it."""
        if self._seen is None:
            return False
        if answered_n < self._seen.n or 0 <= captured_at - self._seen.captured_at <= self.rules.hold_s:
            return True
        self._seen = None
        return False

    # --- The look ---

    def _ask(self, frame: FrameView, motion: MotionResult, analysis: AnalysisView) -> Judgement:
        if self.find_person is None:
            _check(frame)
            # Nobody can say whether what moved was a person, so the scene follows all of it, but slowly.
            self._motion.accept(adopt_s=60)
            return Judgement(Reason.MOTION if motion.is_known else Reason.LEARNING)
        if analysis.is_full:  # It is not taken on, whoever is in it.
            _check(frame)
            return Judgement(Reason.GATE_SATURATED)
        pictures = self._pictures(frame.jpeg, motion)
        confidence = 0.0
        try:
            for picture in pictures:
                confidence = max(confidence, self.find_person(picture))
                if confidence >= self.rules.confidence:
                    break
        except Saturated:
            return Judgement(Reason.GATE_SATURATED)
        except Exception:  # Whatever it raises, a frame that could not be judged is not refused.
            if not self._is_failing:
                logger.exception("the gate's person detector failed; frames are admitted until it works again")
            self._is_failing = True
            return Judgement(Reason.GATE_ERROR)
        self._is_failing = False
        return Judgement(Reason.PERSON if confidence >= self.rules.confidence else Reason.NO_PERSON, confidence)

    def _pictures(self, jpeg: bytes, motion: MotionResult) -> list[Picture]:
        """What to look at now: in turn the regions that moved, enlarged, and the whole picture; after a time without
        looks the whole and the most striking region.

        In the whole picture at this size a person under an eighth of its height is found half as often as by the full
        model; in an enlarged part, oftener.
        """
        parts: list[tuple[Region, float] | None] = []
        for region in motion.regions:
            share = max(LEAST_SHARE, AROUND * max(region[2] - region[0], region[3] - region[1]))
            if share <= MOST_SHARE:
                parts.append((region, share))
        parts.append(None)
        chosen = {None, parts[0]} if self._must_look else {parts[self._looks % len(parts)]}
        return [self._part(jpeg, part) for part in sorted(chosen, key=parts.index, reverse=True)]

    def _part(self, jpeg: bytes, part: tuple[Region, float] | None) -> Picture:
        if part is None:
            return images.decode_small_bgr(jpeg, self.rules.image_px)
        region, share = part
        return cut(images.decode_small_bgr(jpeg, round(self.rules.image_px / share)), region, share)

    def _refuse(self, frame: FrameView, analysis: AnalysisView, judgement: Judgement) -> Judgement:
        """One in so many is admitted all the same; one that is due while analysis is full waits until it is not."""
        self._refused += 1
        every = self.rules.sample_every
        if not every or self._refused < every or analysis.is_full:
            return judgement
        _check(frame)
        self._refused = 0
        return Judgement(Reason.SAMPLE, judgement.person_confidence)


def _check(frame: FrameView) -> None:
    """Raises BadImage where a picture is damaged that goes on without the gate's having decoded it."""
    if not frame.is_sound:
        images.check(frame.jpeg)


def cut(picture: Picture, region: Region, share: float) -> Picture:
    """The part around the region, this share of the picture's width and height, moved inside its edges."""
    left = min(max((region[0] + region[2] - share) / 2, 0), 1 - share)
    top = min(max((region[1] + region[3] - share) / 2, 0), 1 - share)
    height, width = picture.shape[:2]
    rows = slice(int(top * height), max(round((top + share) * height), int(top * height) + 1))
    return picture[rows, int(left * width) : max(round((left + share) * width), int(left * width) + 1)]
