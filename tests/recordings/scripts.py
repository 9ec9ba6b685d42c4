"""Scripted logs of a camera, and what the rule makes of them. Times are in seconds from the start of the log."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from cameras.entries import Entry, Flag, Kind, Outcome
from recordings.rule import Cut, Decider, Rules, restored
from tests.build import make_entry

START = 1_700_000_000.0
FPS = 5


@dataclass
class Script:
    """A log in the making, at five pictures a second. `now` is where it stands."""

    now: float = 0.0
    entries: list[Entry] = field(default_factory=list)

    def add(self, kind: Kind, at: float, *, received_at: float | None = None, **more: object) -> Script:
        received = at if received_at is None else received_at
        n = len(self.entries) + 1
        entry = make_entry(n, kind, START + at, received_at=START + received, **more)
        self.entries.append(entry)
        return self

    def people(self, count: int, seconds: float) -> Script:
        return self._run(seconds, Kind.ADMITTED, outcome=Outcome.ANALYSED, people=count)

    def nobody(self, seconds: float, kind: Kind = Kind.NO_MOTION) -> Script:
        return self._run(seconds, kind)

    def looked_in_vain(self, seconds: float) -> Script:
        return self.people(0, seconds)

    def unanalysed(self, seconds: float) -> Script:
        return self._run(seconds, Kind.ADMITTED)

    def failed(self, seconds: float) -> Script:
        return self._run(seconds, Kind.ADMITTED, outcome=Outcome.FAILED)

    def frozen(self, seconds: float) -> Script:
        return self._run(seconds, Kind.ADMITTED, flags=Flag.FROZEN)

    def silent(self, seconds: float) -> Script:
        """No picture comes; after three seconds the clock says so every second."""
        began = self.now
        for second in range(3, int(seconds) + 1):
            self.add(Kind.NO_SIGHT, began, received_at=began + second)
        self.now = round(began + seconds, 3)
        return self

    def busy(self, seconds: int, reason: str = "spool_full") -> Script:
        for _ in range(seconds):
            self.add(Kind.BUSY, self.now, received_at=self.now + 1, size=FPS, reason=reason)
            self.now += 1
        return self

    def back(self, seconds: float) -> Script:
        """The clock is set back."""
        self.now -= seconds
        return self

    def _run(self, seconds: float, kind: Kind, **more: object) -> Script:
        for _ in range(round(seconds * FPS)):
            self.add(kind, self.now, received_at=None, **more)
            self.now = round(self.now + 1 / FPS, 3)
        return self


@dataclass(frozen=True, slots=True)
class Clip:
    start: float
    end: float | None
    reason: str
    end_reason: str
    is_unanalysed: bool
    max_people: int


def cuts_of(entries: Iterable[Entry], rules: Rules, *, restarts: bool = False) -> tuple[list[Cut], Decider]:
    """Every cut that was ever confirmed, as last seen, and the decider at the end; overdue is whatever waits."""
    decider, seen = Decider(7, rules), dict[str, Cut]()
    for entry in entries:
        assert decider.take(entry, is_overdue=True)
        if restarts:
            decider = restored(7, decider.state())
            decider.follow(rules)
        seen |= {cut.id: cut for cut in decider.cuts if cut.is_confirmed}
        for cut in decider.cuts:
            if cut.is_over:
                decider.forget(cut.id)
    return list(seen.values()), decider


def clips(script: Script, rules: Rules | None = None, *, restarts: bool = False) -> list[Clip]:
    cuts, _ = cuts_of(script.entries, rules or Rules(), restarts=restarts)
    return [
        Clip(
            round(cut.start - START, 3),
            None if cut.end is None else round(cut.end - START, 3),
            cut.reason,
            cut.end_reason,
            cut.is_unanalysed,
            cut.max_people,
        )
        for cut in cuts
    ]


def spans(script: Script, rules: Rules | None = None) -> list[tuple[float, float | None]]:
    return [(clip.start, clip.end) for clip in clips(script, rules)]


def as_waiting(entry: Entry) -> Entry:
    return entry._replace(outcome=Outcome.WAITING, people=0)
