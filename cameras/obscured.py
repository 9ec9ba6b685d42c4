"""Whether a camera sees anything at all: black, or covered by a hand, a cloth, paint. Pure; asked by the gate.

What is seen has structure: in a real picture nearly every part differs from its own blur by more than a sensor's noise,
in a covered one none does, whatever its brightness. A clock that the camera writes into a black picture leaves little
of what there used to be.
"""

from __future__ import annotations

import cv2
import numpy as np

from cameras.motion import Luma

FINE_PX = 7
CELL_PX = 8
# Standard deviation of a cell's fine structure. Noise in the dark stays below 3.1, and the emptiest of 4,200 pictures
# of rooms, streets and roads has some part above 4.
STRUCTURE = 3.5
LEAST_SHARE = 0.02  # Of the cells: with fewer nothing is seen.
LEFT_SHARE = 0.2  # Of what there usually is.
USUAL_SHARE = 0.25  # A scene with less than this is bare by itself, and not measured by what it used to be.
HALVED_S = 3_600.0  # So slowly is forgotten how much there used to be, unless it is covered.
EVERY_S = 1.0
UNKNOWN_S = 10.0  # Without a look for so long nobody knows.


class Obscured:
    """One camera's. `after_s`: nothing has been seen for so long."""

    def __init__(self, after_s: float) -> None:
        self.after_s = after_s
        self._looked_at = float("-inf")
        self._since: float | None = None
        self._usual = 0.0

    def look(self, luma: Luma, at: float) -> None:
        """Takes in the gate's small picture, once in a second."""
        pause_s = at - self._looked_at
        if 0 <= pause_s < EVERY_S:
            return
        self._looked_at = at
        share = structured_share(luma)
        is_bare = share < LEAST_SHARE or (self._usual >= USUAL_SHARE and share < LEFT_SHARE * self._usual)
        if not is_bare:
            self._usual = max(share, self._usual * 0.5 ** (max(0.0, min(pause_s, HALVED_S)) / HALVED_S))
            self._since = None
        elif self._since is None or not 0 <= pause_s <= UNKNOWN_S:
            self._since = at

    def is_obscured(self, at: float) -> bool:
        """Whether nothing is seen now, as far as the last look tells."""
        return self._since is not None and at - self._looked_at <= UNKNOWN_S and at - self._since >= self.after_s


def structured_share(luma: Luma) -> float:
    """How much of the picture shows anything, 0.0 to 1.0."""
    height, width = luma.shape[0] // CELL_PX, luma.shape[1] // CELL_PX
    if not height or not width:
        return 1.0
    fine = luma.astype(np.float32)
    fine -= cv2.blur(fine, (FINE_PX, FINE_PX))
    np.square(fine, out=fine)
    cells = cv2.resize(fine[: height * CELL_PX, : width * CELL_PX], (width, height), interpolation=cv2.INTER_AREA)
    return float(np.mean(cells > STRUCTURE * STRUCTURE))
