"""Whether something stirs in a stream, told from the sizes of its compressed pictures alone. Pure.

While nothing moves, the pictures between two key pictures say little more than noise, and their sizes keep to a usual
value. Somebody who enters shows in them at once. This decides only how soon the next picture is decoded; whether it
moved is the gate's to say.
"""

from __future__ import annotations

LEARNING = 25  # Pictures before anything is usual.
ADAPT = 0.02  # How fast what is usual follows, per picture.
DEVIATIONS, FACTOR, LEAST_BYTES = 4.0, 1.4, 100.0
IN_A_ROW = 2  # One large picture alone is a camera's whim.
AFTER_KEY = 4  # Pictures that still mend what a key picture has coded coarsely.


class Bits:
    """One stream's usual sizes."""

    def __init__(self) -> None:
        self._usual = 0.0
        self._spread = 0.0
        self._seen = 0
        self._large = 0
        self._since_key = 0

    def key(self) -> None:
        """A key picture came."""
        self._since_key = 0

    def stirs(self, size: int) -> bool:
        """Takes in the size of the next picture that is no key picture."""
        self._since_key += 1
        if self._since_key <= AFTER_KEY:
            return False
        self._seen += 1
        if self._seen <= LEARNING:
            rate = 1 / self._seen
        else:
            limit = max(self._usual * FACTOR, self._usual + DEVIATIONS * self._spread) + LEAST_BYTES
            self._large = self._large + 1 if size > limit else 0
            rate = ADAPT
        off = size - self._usual
        self._usual += rate * off
        self._spread += rate * (abs(off) - self._spread)
        return self._large >= IN_A_ROW
