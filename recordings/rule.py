"""What to keep of a camera, decided from its log alone: entries in, cuts out. Pure; called by the recorder.

A cut is one clip in the making. Time is the entries' capture time, so that the same log always gives the same cuts.
"""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from cameras.entries import Entry, Flag, Kind, Outcome

Mode = Literal["presence", "continuous", "off"]
Reason = Literal["presence", "continuous", "unanalysed"]
EndReason = Literal["", "over", "camera_lost", "limit", "clock", "switched_off"]

SPACE = uuid.UUID("6f0c2f0e-6d2b-5d0e-9a52-0f1d6e3b7a41")  # Of the ids of cuts.
NOT_KEPT = frozenset({"disk_full", "disk_error"})  # Frames refused for these reasons are not in the ring.


@dataclass(frozen=True, slots=True)
class Rules:
    """How a camera is recorded, in seconds. `lost_s` without a picture is more than a page can send late."""

    mode: Mode = "presence"
    start_after_s: float = 5.0
    stop_after_s: float = 5.0
    before_s: float = 5.0
    after_s: float = 5.0
    sight_lost_s: float = 1.0
    clip_s: float = 600.0
    lost_s: float = 35.0
    clock_back_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Cut:
    """A clip as far as it is decided: from `start` to `end`, which is None while nobody knows.

    `last_sight` is when somebody was last seen, or might have been there unseen; `since` is when that presence began.
    `follows` is the cut that was as long as a clip may be and that this one goes on from.
    """

    id: str
    reason: Reason
    start: float
    since: float
    last_sight: float
    is_confirmed: bool
    is_unanalysed: bool = False
    max_people: int = 0
    end: float | None = None
    end_reason: EndReason = ""
    is_over: bool = False
    follows: str = ""


@dataclass(slots=True)
class Decider:
    """One camera's decisions. `n` is the last entry taken, `time` the newest capture time; cuts are oldest first."""

    camera_id: int
    rules: Rules = field(default_factory=Rules)
    n: int = 0
    time: float = 0.0
    judged_at: float = 0.0
    cuts: list[Cut] = field(default_factory=list)

    # --- In ---

    def take(self, entry: Entry, *, is_overdue: bool) -> bool:
        """Takes the next entry; False where it must first be analysed. `is_overdue`: analysis has had its time."""
        match entry.kind:
            case Kind.NO_SIGHT:
                if entry.received_at - entry.captured_at > self.rules.lost_s:
                    self.lose()
            case Kind.BUSY:
                self._take_busy(entry)
            case Kind.ADMITTED | Kind.NO_MOTION | Kind.NO_PERSON:
                is_frozen = bool(entry.flags & Flag.FROZEN)
                is_unanalysed = entry.kind is Kind.ADMITTED and entry.outcome is not Outcome.ANALYSED and not is_frozen
                if is_unanalysed and entry.outcome is Outcome.WAITING and not is_overdue:
                    return False
                people = entry.people if entry.kind is Kind.ADMITTED and not is_frozen else 0
                self._take_frame(entry, people=None if is_unanalysed else people)
        self.n = entry.n
        return True

    def lose(self) -> None:
        """No picture comes any more: every cut ends with the last one."""
        self._end_all("camera_lost")

    def follow(self, rules: Rules) -> None:
        """Goes on by these rules. Another mode ends what the old one began."""
        if rules.mode != self.rules.mode:
            self._end_all("switched_off")
        self.rules = rules

    def forget(self, cut_id: str) -> None:
        """The cut is over and done with."""
        self.cuts = [cut for cut in self.cuts if cut.id != cut_id]

    # --- One entry ---

    def _take_frame(self, entry: Entry, people: int | None) -> None:
        """A picture with so many people, or one that nobody looked at (None)."""
        at = entry.captured_at
        self._move(at)
        self.judged_at = max(self.judged_at, at)
        if self.rules.mode == "off":
            return
        if self.rules.mode == "continuous" and self.current is None:
            self._open(entry.n, at, "continuous", start=at)
        if people is None:
            self._see_unknown(entry.n, at)
        elif people:
            self._see(entry.n, at, people)
        else:
            self._see_nobody(at)
        self._split(entry.n)
        self._close()

    def _take_busy(self, entry: Entry) -> None:
        """A second of which nothing was judged does not say that nobody is there any more."""
        if entry.reason in NOT_KEPT:
            return
        self._move(entry.captured_at)
        if self.current and self.judged_at < entry.captured_at:
            self._see_unknown(entry.n, entry.captured_at)
        self._split(entry.n)
        self._close()

    def _move(self, at: float) -> None:
        if at < self.time - self.rules.clock_back_s:
            self._end_all("clock")
            self.time = self.judged_at = at
        elif at - self.time > self.rules.lost_s:
            self.lose()
        self.time = max(self.time, at)

    def _see(self, n: int, at: float, people: int) -> None:
        cut = self.current or self._open(n, at, "presence", start=at - self.rules.before_s)
        if cut.reason == "continuous":
            self._change(cut, max_people=max(cut.max_people, people))
            return
        last_sight = max(cut.last_sight, at)
        is_confirmed = cut.is_confirmed or last_sight - cut.since >= self.rules.start_after_s
        most = max(cut.max_people, people)
        self._change(cut, last_sight=last_sight, is_confirmed=is_confirmed, max_people=most)

    def _see_unknown(self, n: int, at: float) -> None:
        cut = self.current or self._open(n, at, "unanalysed", start=at - self.rules.before_s)
        reason = cut.reason if cut.is_confirmed else "unanalysed"
        last_sight = max(cut.last_sight, at)
        self._change(cut, reason=reason, is_unanalysed=True, is_confirmed=True, last_sight=last_sight)

    def _see_nobody(self, at: float) -> None:
        cut = self.current
        if cut is None or cut.reason == "continuous":
            return
        absent_s = at - cut.last_sight
        if not cut.is_confirmed and absent_s >= self.rules.sight_lost_s:
            self.forget(cut.id)
        elif cut.is_confirmed and absent_s >= self.rules.stop_after_s:
            self._change(cut, end=cut.last_sight + self.rules.after_s, end_reason="over")

    # --- Cuts ---

    @property
    def current(self) -> Cut | None:
        """The cut whose end is not decided; there is one at most."""
        return self.cuts[-1] if self.cuts and self.cuts[-1].end is None else None

    def wanted_until(self, cut: Cut) -> float:
        """Every picture of the cut up to here is wanted for certain, whatever comes."""
        if cut.end is not None:
            return cut.end if cut.is_over else min(cut.end, self.time)
        reached = self.time if cut.reason == "continuous" else min(self.time, cut.last_sight + self.rules.after_s)
        return min(reached, cut.start + self.rules.clip_s)

    def _open(self, n: int, at: float, reason: Reason, *, start: float, follows: Cut | None = None) -> Cut:
        name = f"{self.camera_id}/{n}/{round(start * 1e6)}"
        cut = Cut(str(uuid.uuid5(SPACE, name)), reason, start, at, at, is_confirmed=reason == "continuous")
        if follows:
            last_sight, is_unanalysed = follows.last_sight, follows.is_unanalysed and follows.last_sight >= start
            cut = replace(
                cut, last_sight=last_sight, is_unanalysed=is_unanalysed, is_confirmed=True, follows=follows.id
            )
        self.cuts.append(cut)
        return cut

    def _change(self, cut: Cut, **changes: Any) -> None:
        self.cuts = [replace(cut, **changes) if other.id == cut.id else other for other in self.cuts]

    def _split(self, n: int) -> None:
        """A cut as long as a clip may be ends, and the next begins exactly there."""
        while (cut := self.current) and cut.is_confirmed:
            edge = cut.start + self.rules.clip_s
            if self.wanted_until(cut) < edge:
                return
            self._change(cut, end=edge, end_reason="limit")
            self._open(n, edge, cut.reason, start=edge, follows=cut)

    def _close(self) -> None:
        """What has reached its end is over."""
        for cut in self.cuts:
            if cut.end is not None and not cut.is_over and self.time >= cut.end:
                self._change(cut, is_over=True)

    def _end_all(self, reason: EndReason) -> None:
        """Nothing more comes for any cut. What never was confirmed comes to nothing."""
        self.cuts = [cut for cut in self.cuts if cut.is_confirmed]
        for cut in self.cuts:
            if not cut.is_over:
                end = self.wanted_until(cut)
                self._change(cut, end=end, end_reason=cut.end_reason or reason, is_over=True)

    # --- Kept between two processes ---

    def state(self) -> dict[str, Any]:
        return {
            "n": self.n,
            "time": self.time,
            "judged_at": self.judged_at,
            "mode": self.rules.mode,
            "cuts": [asdict(cut) for cut in self.cuts],
        }


def restored(camera_id: int, state: dict[str, Any]) -> Decider:
    """From `Decider.state()`; the rules, but for the mode, are yet to be given."""
    cuts = [Cut(**cut) for cut in state["cuts"]]
    return Decider(camera_id, Rules(mode=state["mode"]), state["n"], state["time"], state["judged_at"], cuts)
