"""How a camera is doing now, from its log, presence and the state of analysis: the lamp on every page."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Literal

from cameras import folders, presence
from cameras.analysis import AnalysisState
from cameras.entries import VERDICTS, Entry, Flag, Kind
from cameras.presence import Presence
from cameras.pull import problems
from cameras.spool import Spool

State = Literal["live", "quiet", "behind", "frozen", "obscured", "silent", "played", "off", "unanalysed"]
RATE_S = 5.0
LOOK_BACK = 256  # Entries; enough for RATE_S at 30 frames per second with refusals counted every second.


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """`since` is when the state began as far as the log tells; `lag_s` is the age, from receipt, of what waits."""

    state: State
    since: float
    fps: float
    lag_s: float
    people: int
    last_captured_at: float | None


@dataclass(frozen=True, slots=True)
class Limits:
    """Settings that decide the state, in seconds."""

    silent_s: float
    max_lag_s: float


def describe(camera_id: int, *, is_enabled: bool, analysis: AnalysisState, limits: Limits) -> CameraStatus:
    spool = Spool(folders.of(camera_id))
    seen = presence.read(spool.folder)
    recent = spool.after(max(0, spool.last_n() - LOOK_BACK))
    waiting = first_waiting(spool, seen.n)
    found = decide(recent, waiting, seen, is_enabled=is_enabled, analysis=analysis, limits=limits, now=time.time())
    if found.state == "silent" and (standing := problems.read(camera_id)) and standing.state == "ended":
        return replace(found, state="played", since=standing.since)  # A file, of which no more is to come.
    return found


def first_waiting(spool: Spool, analysed_n: int) -> Entry | None:
    """The oldest admitted entry that analysis has not settled."""
    n = analysed_n
    while batch := spool.after(n):
        for entry in batch:
            if entry.kind is Kind.ADMITTED:
                return entry
        n = batch[-1].n
    return None


def decide(
    recent: list[Entry],
    waiting: Entry | None,
    seen: Presence,
    *,
    is_enabled: bool,
    analysis: AnalysisState,
    limits: Limits,
    now: float,
) -> CameraStatus:
    """The state by precedence: off, silent, frozen, obscured, not analysed, behind, live, quiet."""
    judged = [entry for entry in recent if entry.kind in VERDICTS]
    refused = [entry for entry in recent if entry.kind is Kind.BUSY and now - entry.received_at <= 3]
    heard = [entry for entry in recent if entry.kind in VERDICTS or entry.kind is Kind.BUSY]
    last = judged[-1] if judged else None
    last_heard_at = heard[-1].received_at if heard else 0.0
    fps = sum(now - entry.received_at <= RATE_S for entry in judged) / RATE_S
    lag_s = max(0.0, now - waiting.received_at) if waiting else 0.0

    def status(state: State, since: float) -> CameraStatus:
        people = seen.people if state in {"live", "behind"} else 0
        return CameraStatus(state, since, round(fps, 1), round(lag_s, 2), people, last.captured_at if last else None)

    if not is_enabled:
        return status("off", 0.0)
    if now - last_heard_at > limits.silent_s:
        return status("silent", last_heard_at)
    if last and last.flags & Flag.FROZEN:
        return status("frozen", _since(judged, Flag.FROZEN))
    if last and last.flags & Flag.OBSCURED:
        return status("obscured", _since(judged, Flag.OBSCURED))
    if analysis.is_down and waiting:
        return status("unanalysed", waiting.received_at)
    if refused or lag_s > limits.max_lag_s:
        return status("behind", refused[0].captured_at if refused else now - lag_s)
    if seen.people:
        return status("live", seen.captured_at)
    return status("quiet", last.captured_at if last else now)


def _since(judged: list[Entry], flag: Flag) -> float:
    """When the last frames began to have this flag."""
    flagged = takewhile(lambda entry: entry.flags & flag, reversed(judged))
    return min(entry.received_at for entry in flagged)
