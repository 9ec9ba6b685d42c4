"""Which tracks are which person's stay: when it starts, changes, settles and ends. Pure; time comes in with each entry.

A track seen for a second becomes a visit, unless it goes on with one lost up to ten seconds ago (continuity.py). A
*result* is what is shown of a visit: its state and, later, identity and verdicts. A `Change` is told only when the
result is another one, and rows are written per change. An ordinary visit has four: started, settled, out of sight,
ended. One whose sight flickers has at most seven: it is declared out of sight at most `MOST_LOSSES` times, the second
time more slowly; after that only its end is told, while `people` goes on counting exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple
from uuid import UUID

import numpy as np

from detections.appearance import Appearance, Box, ColourHistogram, Picture
from detections.continuity import cost, pairs
from detections.stays import FIELDS, Stay
from detections.tracker import LOST_S, Track

MOST_LOSSES = 2
CLEAR, CLEAR_AFTER_S, CLEAR_HITS = 0.6, 0.3, 3  # So cheap, a continuation is taken before the track is confirmed.


@dataclass(frozen=True, slots=True)
class Rules:
    """When a stay counts, in seconds of capture time."""

    confirm_s: float = 1.0
    gap_s: float = 10.0
    sight_lost_s: float = 1.0
    settle_results: int = 5
    settle_every_s: float = 1.0
    silent_s: float = 3.0  # Judged frames further apart than this leave the time between them unwatched.
    late_s: float = 60.0  # So long a frame may be under way: what silence has ended stays open to it.


@dataclass(frozen=True, slots=True)
class VisitSnapshot:
    """A visit as it stands. Times of first and last sight are those of detections, not of confirming or closing."""

    id: UUID
    stream: str
    first_seq: int
    state: str  # present, out_of_sight or ended
    end_reason: str  # left or camera_lost, once ended
    first_seen: float
    last_seen: float
    ended_at: float | None
    settled_at: float | None
    best_score: float
    has_picture: bool
    track_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """A visit's result is another one than was told before."""

    event: Literal["started", "changed", "settled", "ended"]
    visit: VisitSnapshot


class Best(NamedTuple):
    """This frame holds the visit's best picture so far, in this box of pixels."""

    visit: VisitSnapshot
    xyxy: Box


@dataclass(frozen=True, slots=True)
class Update:
    """What a frame did: changed results, best pictures, and whose visit each track with a box belongs to."""

    changes: list[Change]
    best: list[Best] = field(default_factory=list)
    visit_of: dict[int, UUID] = field(default_factory=dict)


class Visits:
    """One camera's visits; `state()` holds everything, so that a run interrupted anywhere goes on the same."""

    def __init__(
        self, camera_id: int, rules: Rules, state: dict[str, Any] | None = None, appearance: Appearance | None = None
    ) -> None:
        self._camera_id, self._rules = camera_id, rules
        self._appearance = appearance or ColourHistogram()
        if not state or state.get("fields") != list(FIELDS):  # Of another version: who was there is forgotten.
            state = {"stays": [], "at": None, "judged_at": None, "now": 0.0, "sight_at": -math.inf, "size_wh": [1, 1]}
        self._stays = [Stay.restored(values) for values in state["stays"]]
        self._at: float | None = state["at"]  # Of the last frame, and of the last that told who is there.
        self._judged_at: float | None = state["judged_at"]
        self._now: float = state["now"]  # The same, or where the clock's "no sight" has moved on.
        self._sight_at: float = state["sight_at"]
        self._size_wh: tuple[int, int] = (state["size_wh"][0], state["size_wh"][1])

    def state(self) -> dict[str, Any]:
        return {
            "fields": list(FIELDS),
            "stays": [stay.values() for stay in self._stays],
            "at": self._at,
            "judged_at": self._judged_at,
            "now": self._now,
            "sight_at": self._sight_at,
            "size_wh": list(self._size_wh),
        }

    # --- What is known now ---

    @property
    def open(self) -> list[VisitSnapshot]:
        return [self._snapshot(stay) for stay in self._visits() if self._state_of(stay) != "ended"]

    @property
    def people(self) -> int:
        """How many are there: seen within the last second."""
        return sum(not stay.hidden and stay.away_s(self._now) <= self._rules.sight_lost_s for stay in self._visits())

    @property
    def last_box_at(self) -> float:
        """Until when somebody was in sight, confirmed or not; a failed frame does not tell, so it prolongs this."""
        return self._sight_at if math.isfinite(self._sight_at) else 0.0

    def is_present(self, at: float) -> bool:
        """What the gate is told: a box was seen within the last second."""
        return at - self._sight_at <= self._rules.sight_lost_s

    def forget_pictures(self) -> list[VisitSnapshot]:
        """The visits still followed that had a picture, and have none now: there is something in it to be hidden."""
        found = [stay for stay in self._visits() if stay.best_at is not None]
        for stay in found:
            stay.best_score, stay.best_at = 0.0, None
        return [self._snapshot(stay) for stay in found]

    # --- What an entry of the log does ---

    def update(
        self,
        tracks: list[Track],
        at: float,
        *,
        stream: str,
        seq: int,
        size_wh: tuple[int, int],
        frame_bgr: Picture | None,
    ) -> Update:
        """An analysed frame with the tracks that have a box in it."""
        before_at, at = self._judged(at)
        if size_wh != self._size_wh:
            for stay in self._stays:
                stay.fit(size_wh[0] / self._size_wh[0], size_wh[1] / self._size_wh[1])
            self._size_wh = size_wh
        # 1. Every box belongs to a stay: an open one or a new one.
        stay_of = {stay.track_id: stay for stay in self._stays}
        for track in tracks:
            if track.id not in stay_of:
                stay_of[track.id] = Stay(stream, seq, at, at, before_at, [track.id])
                self._stays.append(stay_of[track.id])
        for stay in self._stays:
            stay.frames += 1
        for track in tracks:
            stay_of[track.id].see(track, at, size_wh)
            if frame_bgr is not None:
                stay_of[track.id].look(frame_bgr, track, at, self._appearance)
        if tracks:
            self._sight_at = at
        # 2. Tracks go on with lost visits or become visits; who is not seen is lost, out of sight, ended.
        for stay in self._unseen(at):
            stay.miss(at)
        self._judge(at)
        self._pass(at, is_watched=at - before_at <= self._rules.silent_s)
        # 3. What is there has stayed the same, or is told.
        for stay in self._visits():
            if stay.last_seen == at:
                self._settle(stay, at)
        visit_of = {stay.track_id: stay for stay in self._visits() if stay.last_seen == at}
        best = [
            track
            for track in tracks
            if frame_bgr is not None and track.id in visit_of and visit_of[track.id].picture(track, at, size_wh)
        ]
        return Update(
            changes=self._changes(),
            best=[Best(self._snapshot(visit_of[track.id]), track.xyxy) for track in best],
            visit_of={track_id: stay.id(self._camera_id) for track_id, stay in visit_of.items()},
        )

    def advance(self, at: float) -> list[Change]:
        """The gate refused a frame: nobody was there, and time moves on."""
        before_at, at = self._judged(at)
        for stay in self._unseen(at):
            stay.miss(at)
        self._judge(at)
        self._pass(at, is_watched=at - before_at <= self._rules.silent_s)
        return self._changes()

    def failed(self, at: float) -> list[Change]:
        """The detector failed on a frame: that says nothing, so this time is not counted against anybody."""
        was_present = self._at is None or self.is_present(self._at)
        before_at, at = self._moved(at)
        for stay in self._stays:
            # A longer pause was silence, not failure.
            stay.failed_s += at - before_at if at - before_at <= self._rules.silent_s else 0.0
            if stay.hidden:
                stay.hidden = self._hidden_by_silence(stay)
        if was_present:
            self._sight_at = at
        return self._changes()

    def no_sight(self, at: float) -> list[Change]:
        """The source is silent until `at`: its visits are hidden, and ended for now; a late frame takes that back."""
        self._now = max(self._now, at)
        for stay in self._visits():
            stay.hidden = self._hidden_by_silence(stay)
        changes = self._changes()
        latest_s = self._rules.gap_s + self._rules.late_s
        self._stays = [stay for stay in self._stays if stay.away_s(self._now) <= latest_s]
        return changes

    def _hidden_by_silence(self, stay: Stay) -> str:
        away_s = stay.away_s(self._now)
        if away_s > self._rules.gap_s:
            return "ended"
        return "out_of_sight" if away_s > self._rules.sight_lost_s else ""

    # --- Steps ---

    def _moved(self, at: float) -> tuple[float, float]:
        """The last frame's time and this one's, which is never earlier."""
        before_at = at if self._at is None else self._at
        self._at = self._now = max(at, before_at)
        return before_at, self._at

    def _judged(self, at: float) -> tuple[float, float]:
        """The last judged frame's time and this one's. What silence had hidden is taken back, for this frame tells."""
        for stay in self._stays:
            stay.hidden = ""
        _, at = self._moved(at)
        before_at = at if self._judged_at is None else self._judged_at
        self._judged_at = at
        return before_at, at

    def _visits(self) -> list[Stay]:
        return [stay for stay in self._stays if stay.is_visit]

    def _unseen(self, at: float) -> list[Stay]:
        return [stay for stay in self._stays if stay.last_seen < at]

    def _judge(self, at: float) -> None:
        """Asks of new tracks whether they go on with a lost visit: when that is clear, when they count, when lost."""
        new = [stay for stay in self._stays if not stay.is_visit]
        due = [stay for stay in new if self._is_due(stay, at)]
        asked = due + [stay for stay in new if stay not in due and self._may_be_clear(stay)]
        lost = [stay for stay in self._visits() if self._is_lost(stay, at)]
        costs = np.array([[self._cost(visit, stay) for visit in lost] for stay in asked]).reshape(len(asked), len(lost))
        for row, column in pairs(costs):
            if row < len(due) or costs[row, column] <= CLEAR:
                lost[column].go_on_with(asked[row])
                self._stays.remove(asked[row])
        for stay in due:
            stay.is_judged = True
            if stay in self._stays and self._counts(stay):
                stay.is_visit, stay.result_at = True, at

    def _counts(self, stay: Stay) -> bool:
        """Seen for long enough, and in at least every other frame."""
        return stay.last_seen - stay.first_seen >= self._rules.confirm_s and 2 * stay.hits >= stay.frames

    def _is_due(self, stay: Stay, at: float) -> bool:
        is_old = stay.last_seen - stay.first_seen >= self._rules.confirm_s
        return self._counts(stay) or (not stay.is_judged and (is_old or stay.away_s(at) > self._rules.sight_lost_s))

    def _may_be_clear(self, stay: Stay) -> bool:
        return stay.hits >= CLEAR_HITS and stay.last_seen - stay.first_seen >= CLEAR_AFTER_S

    def _is_lost(self, visit: Stay, at: float) -> bool:
        """Whether its track is surely over: the tracker forgets one only in a frame after the one that missed it."""
        return visit.missed_at is not None and visit.missed_at < at and at - visit.last_seen > LOST_S

    def _cost(self, visit: Stay, stay: Stay) -> float:
        if stay.first_seen <= visit.last_seen or not self._is_in_time(visit, stay):
            return math.inf
        lost, found = visit.lost_end(self._size_wh), stay.found_end(self._size_wh)
        return cost(lost, found, visit.mean_looks, stay.mean_looks, self._appearance)

    def _is_in_time(self, visit: Stay, stay: Stay) -> bool:
        return visit.away_s(stay.first_seen) <= self._rules.gap_s

    def _pass(self, at: float, *, is_watched: bool) -> None:
        """Time has passed in which somebody was not seen."""
        rules = self._rules
        for stay in self._unseen(at):
            away_s = stay.away_s(at)
            if not stay.is_visit:
                if away_s > rules.sight_lost_s:
                    self._stays.remove(stay)
            elif away_s > rules.gap_s and not self._is_awaited(stay):
                stay.state, stay.end_reason = "ended", "left" if is_watched else "camera_lost"
                stay.ended_at = stay.last_seen + stay.failed_s + rules.gap_s
            elif away_s > rules.sight_lost_s * 2**stay.losses and stay.state == "present" and stay.losses < MOST_LOSSES:
                stay.state, stay.results = "out_of_sight", 0
                stay.losses += 1

    def _is_awaited(self, visit: Stay) -> bool:
        """Whether a track that began in time may yet turn out to be this visit's person."""
        return any(not stay.is_visit and not stay.is_judged and self._is_in_time(visit, stay) for stay in self._stays)

    def _settle(self, stay: Stay, at: float) -> None:
        if stay.state != "present":
            stay.state, stay.results, stay.result_at = "present", 0, at
        elif stay.settled_at is None and at - stay.result_at >= self._rules.settle_every_s:
            stay.results, stay.result_at = stay.results + 1, at
            if stay.results >= self._rules.settle_results:
                stay.settled_at = at

    # --- Results ---

    def _state_of(self, stay: Stay) -> str:
        return stay.hidden or stay.state

    def _changes(self) -> list[Change]:
        """Every visit of which the result is another one than was told; those that are over are forgotten."""
        changes = []
        for stay in self._visits():
            visit = self._snapshot(stay)
            result = f"{visit.state} {visit.end_reason} {visit.settled_at is not None}"
            if result != stay.shown:
                changes.append(Change(_event(stay.shown, visit), visit))
                stay.shown = result
        self._stays = [stay for stay in self._stays if stay.state != "ended"]
        return changes

    def _snapshot(self, stay: Stay) -> VisitSnapshot:
        is_cut_off = stay.hidden == "ended"
        return VisitSnapshot(
            id=stay.id(self._camera_id),
            stream=stay.stream,
            first_seq=stay.first_seq,
            state=self._state_of(stay),
            end_reason="camera_lost" if is_cut_off else stay.end_reason,
            first_seen=stay.first_seen,
            last_seen=stay.last_seen,
            ended_at=stay.last_seen + stay.failed_s + self._rules.gap_s if is_cut_off else stay.ended_at,
            settled_at=stay.settled_at,
            best_score=stay.best_score,
            has_picture=stay.best_at is not None,
            track_ids=tuple(stay.track_ids),
        )


def _event(shown: str, visit: VisitSnapshot) -> Literal["started", "changed", "settled", "ended"]:
    if not shown:
        return "started"
    if visit.state == "ended":
        return "ended"
    return "settled" if visit.settled_at is not None and shown.endswith("False") else "changed"
