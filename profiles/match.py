"""Whose face this is: exact search by one matrix product, with a margin to the second, and what people denied. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # The pages come by here, and load no vision library.
    from profiles.faces import Recipe, Vector

MARGIN = 0.06  # The second profile must be so much less alike, or somebody is asked.
CAPACITY = 256

Verdict = Literal["same", "maybe", "new"]


@dataclass(frozen=True, slots=True)
class Decision:
    """`profile` is whose face it is, or whose it may be."""

    verdict: Verdict
    profile: UUID | None
    similarity: float


NOBODY = Decision("new", None, 0.0)


class Vectors:
    """Vectors and whose they are, growing in place: a hundred thousand are not copied for one more."""

    def __init__(self) -> None:
        self._rows: NDArray[np.float32] = np.zeros((CAPACITY, 0), np.float32)
        self._owners: NDArray[np.int32] = np.zeros(CAPACITY, np.int32)
        self._n = 0

    def __len__(self) -> int:
        return self._n

    def snapshot(self) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Rows and owners of one moment, while another thread may add more."""
        n = self._n
        return self._rows[:n], self._owners[:n]

    def extend(self, rows: NDArray[np.float32], owners: Collection[int]) -> None:
        if not len(rows):
            return
        needed = self._n + len(rows)
        if needed > len(self._rows) or self._rows.shape[1] != rows.shape[1]:
            grown = np.zeros((max(needed, 2 * len(self._rows)), rows.shape[1]), np.float32)
            owned = np.zeros(len(grown), np.int32)
            if self._n:
                grown[: self._n], owned[: self._n] = self.snapshot()
            self._rows, self._owners = grown, owned
        self._rows[self._n : needed] = rows
        self._owners[self._n : needed] = list(owners)
        self._n = needed


class Known:
    """The faces of a unit's profiles for one embedder, and the faces that were said not to be theirs."""

    def __init__(self) -> None:
        self.profiles: list[UUID] = []
        self._number: dict[UUID, int] = {}
        self.faces, self.denied = Vectors(), Vectors()

    def add(self, profiles: Collection[UUID], rows: NDArray[np.float32], *, denied: bool = False) -> None:
        """One row and one profile for each face."""
        (self.denied if denied else self.faces).extend(rows, [self._number_of(profile) for profile in profiles])

    def _number_of(self, profile: UUID) -> int:
        number = self._number.setdefault(profile, len(self.profiles))
        if number == len(self.profiles):
            self.profiles.append(profile)
        return number

    def decide(self, vector: Vector, recipe: Recipe, excluded: Collection[UUID] = ()) -> Decision:
        """The nearest profile; one in `excluded` is not it for certain."""
        rows, owners = self.faces.snapshot()
        if not len(rows):
            return NOBODY
        alike = rows @ vector
        out = {self._number[profile] for profile in excluded if profile in self._number}
        out |= self._denied_to(vector, alike, owners, recipe)
        first = _nearest(alike, owners, out)
        if first is None or first[1] < recipe.maybe:
            return NOBODY
        number, similarity = first
        second = _nearest(alike, owners, {number} | out)
        profile = self.profiles[number]
        is_alone = second is None or second[1] < recipe.maybe or similarity - second[1] >= MARGIN
        return Decision("same" if similarity >= recipe.same and is_alone else "maybe", profile, similarity)

    def _denied_to(
        self, vector: Vector, alike: NDArray[np.float32], owners: NDArray[np.int32], recipe: Recipe
    ) -> set[int]:
        """Profiles whose denied face is at least as like this one as any of their own."""
        rows, whose = self.denied.snapshot()
        if not len(rows):
            return set()
        against = rows @ vector
        denied: set[int] = set()
        for row in np.flatnonzero(against >= recipe.maybe):
            own = alike[owners == whose[row]]
            if not len(own) or float(against[row]) >= float(own.max()) - 1e-6:
                denied.add(int(whose[row]))
        return denied


def _nearest(alike: NDArray[np.float32], owners: NDArray[np.int32], out: set[int]) -> tuple[int, float] | None:
    if out:
        alike = alike.copy()
        for number in out:
            alike[owners == number] = -2.0
    row = int(alike.argmax())
    return (int(owners[row]), float(alike[row])) if alike[row] > -1.5 else None
