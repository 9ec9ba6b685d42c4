"""Which face tracks of one video are the same person. Pure.

Two tracks that are seen in the same sample are two people, however alike: twins, or a face and its portrait.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from profiles.faces import Recipe, Vector
from profiles.gather import KEPT, FaceTrack, Seen, mean_of

LEAST_CLEAR = 2  # Clear faces that make somebody known: a single one may be a mistake of the detector's.
CONTINUED = 0.15  # Tracks of one person's box need less: so much below `same`.


@dataclass(slots=True)
class Somebody:
    """One person of one video, from all tracks of their face."""

    tracks: list[int]  # Face tracks, the first one naming the person.
    people: list[int]  # Tracks of people.
    first_s: float
    last_s: float
    indices: frozenset[int]
    clear: int
    best: list[Seen] = field(default_factory=list)
    crop: bytes = b""
    quality: float = 0.0

    @property
    def vector(self) -> Vector:
        return mean_of(self.best)

    @property
    def is_sure(self) -> bool:
        """Seen well enough to become a profile."""
        return self.clear >= LEAST_CLEAR

    def is_seen_with(self, other: Somebody) -> bool:
        return bool(self.indices & other.indices)


def cluster(tracks: Sequence[FaceTrack], recipe: Recipe) -> list[Somebody]:
    """The likest pair is joined first, for as long as two are alike enough. In the order of first appearance."""
    people = [_alone(track) for track in tracks if track.best]
    while len(people) > 1:
        vectors = np.array([one.vector for one in people])
        alike = vectors @ vectors.T
        pairs = [
            (-float(alike[a, b]), a, b)
            for a in range(len(people))
            for b in range(a + 1, len(people))
            if alike[a, b] >= _needed(people[a], people[b], recipe) and not people[a].is_seen_with(people[b])
        ]
        if not pairs:
            break
        _rate, a, b = min(pairs)
        people[a] = _joined(people[a], people[b])
        del people[b]
    return sorted(people, key=lambda one: (one.first_s, one.tracks[0]))


def _needed(a: Somebody, b: Somebody, recipe: Recipe) -> float:
    return recipe.same - (CONTINUED if set(a.people) & set(b.people) else 0.0)


def _alone(track: FaceTrack) -> Somebody:
    return Somebody(
        tracks=[track.id],
        people=list(track.people),
        first_s=track.first_s,
        last_s=track.last_s,
        # Before and after it may be the face of somebody else whom the track has jumped to.
        indices=frozenset(index for index in track.indices if track.clear_from <= index <= track.clear_to),
        clear=track.clear,
        best=list(track.best),
        crop=track.crop,
        quality=track.crop_quality,
    )


def _joined(a: Somebody, b: Somebody) -> Somebody:
    better = a if (a.quality, -a.tracks[0]) >= (b.quality, -b.tracks[0]) else b
    best = sorted([*a.best, *b.best], key=lambda one: (-one.quality, one.index))[:KEPT]
    return Somebody(
        tracks=sorted([*a.tracks, *b.tracks]),
        people=sorted({*a.people, *b.people}),
        first_s=min(a.first_s, b.first_s),
        last_s=max(a.last_s, b.last_s),
        indices=a.indices | b.indices,
        clear=a.clear + b.clear,
        best=best,
        crop=better.crop,
        quality=better.quality,
    )
