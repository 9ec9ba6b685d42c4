"""What a lesson shows to follow: one person's poses over the video's clock, and how a learner's compare. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from videos import similarity
from videos.similarity import FARTHEST, GOOD, LEAST_EVIDENCE, Points, Verdict

TOLERANCE_S = 0.4  # A learner may be so much before or behind the reference.
STEP_S = 0.1
RIVAL = 0.6  # Of the room that one person takes: who takes more is as likely to be the one to follow.
GAP_S = 1.1  # Between two samples further apart than this nothing is known.


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """One person's poses at growing times."""

    at_s: NDArray[np.float64]  # (n,)
    points: NDArray[np.float64]  # (n, 17, 3)
    crowded: float = 0.0  # In how much of these somebody else takes nearly as much room, or more.

    def around(self, at_s: float) -> Points:
        """The poses (n, 17, 3), n may be 0, that the reference strikes within the tolerance of this moment."""
        wanted = np.arange(at_s - TOLERANCE_S, at_s + TOLERANCE_S + STEP_S / 2, STEP_S)
        if not len(self.at_s):
            return np.zeros((0, 17, 3))
        after = np.clip(np.searchsorted(self.at_s, wanted, side="right"), 1, max(len(self.at_s) - 1, 1))
        after = np.minimum(after, len(self.at_s) - 1)
        before = np.maximum(after - 1, 0)
        span = self.at_s[after] - self.at_s[before]
        share = np.clip((wanted - self.at_s[before]) / np.maximum(span, 1e-9), 0, 1)[:, None, None]
        found = self.points[before] * (1 - share) + self.points[after] * share
        found[..., 2] = np.minimum(self.points[before, :, 2], self.points[after, :, 2])
        known = (span <= GAP_S) & (wanted >= self.at_s[before] - STEP_S) & (wanted <= self.at_s[after] + STEP_S)
        return np.asarray(found[known])

    def share_to_follow(self) -> float:
        """In how much of the samples enough of a body is seen to be followed, and does more than stand."""
        if not len(self.at_s):
            return 0.0
        is_seen = similarity.evidence(self.points) >= LEAST_EVIDENCE
        return float((is_seen & ~similarity.is_standing(self.points)).mean())


def of_rows(rows: Iterable[Mapping[str, Any]], person_of: Mapping[int, int]) -> Reference:
    """From the lines of poses.jsonl: the person who takes the most room over the whole video, else nobody.

    `person_of` joins the tracks of one person; tracks in none, and poses without a track, are each somebody apart.
    """
    seen: dict[Any, dict[float, Any]] = defaultdict(dict)
    room: dict[Any, dict[float, float]] = defaultdict(dict)
    for row in rows:
        for each in row["people"]:
            track = each["track"]
            who = ("person", person_of[track]) if track in person_of else ("track", track)
            left, top, right, bottom = each["box"]
            if row["at_s"] not in seen[who]:
                seen[who][row["at_s"]] = each["points"]
                room[who][row["at_s"]] = (right - left) * (bottom - top)
    if not seen:
        return Reference(np.zeros(0), np.zeros((0, 17, 3)))
    most = max(room, key=lambda who: sum(room[who].values()))
    its, others = room[most], [each for who, each in room.items() if who != most]
    crowded = sum(any(each.get(at, 0) > RIVAL * its[at] for each in others) for at in its) / len(its)
    return Reference(np.array(list(seen[most]), np.float64), np.array(list(seen[most].values()), np.float64), crowded)


@dataclass(frozen=True, slots=True)
class Moment:
    """One picture of the learner: how far from the reference, as it is and in a mirror; None where that earns nothing,
    for the reference shows nothing, or the learner stands as it does."""

    at_s: float
    direct: float | None
    mirrored: float | None


@dataclass(slots=True)
class Judge:
    """One run of one learner, who follows either as in a mirror or not: what fits the run so far better counts."""

    reference: Reference
    moments: list[Moment] = field(default_factory=list)
    _sum: list[float] = field(default_factory=lambda: [0.0, 0.0])

    def take(self, at_s: float, learner: Points | None) -> tuple[Verdict, float | None]:
        """The verdict and the distance; of a learner who is not seen, the farthest."""
        around = self.reference.around(at_s)
        around = around[similarity.evidence(around) >= LEAST_EVIDENCE]
        if not len(around):
            self.moments.append(Moment(at_s, None, None))
            return "rest", None
        least = [(FARTHEST, False)] * 2
        if learner is not None:
            stands = similarity.is_standing(around)
            least = [_least(around, stands, each) for each in (learner, similarity.mirrored(np.asarray(learner)))]
        self._sum = [total + distance for total, (distance, _stands) in zip(self._sum, least, strict=True)]
        moment = Moment(at_s, *(None if stands and distance < GOOD else distance for distance, stands in least))
        self.moments.append(moment)
        distance = moment.mirrored if self.is_mirrored else moment.direct
        return verdict_of(moment, is_mirrored=self.is_mirrored), distance

    @property
    def is_mirrored(self) -> bool:
        return self._sum[1] < self._sum[0]

    def totals(self) -> dict[str, int]:
        """Of the whole run, judged the one way that fits it better."""
        totals = {"perfect": 0, "good": 0, "miss": 0, "rest": 0}
        for moment in self.moments:
            totals[verdict_of(moment, is_mirrored=self.is_mirrored)] += 1
        return totals


def verdict_of(moment: Moment, *, is_mirrored: bool) -> Verdict:
    distance = moment.mirrored if is_mirrored else moment.direct
    return "rest" if distance is None else similarity.verdict(distance)


def _least(around: Points, stands: NDArray[np.bool_], learner: Points) -> tuple[float, bool]:
    """The distance from the nearest of these poses, and whether that one merely stands."""
    found = similarity.distances(around, learner)
    nearest = int(found.argmin())
    return round(float(found[nearest]), 4), bool(stands[nearest])
