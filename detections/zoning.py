"""A camera's zones beside its pipeline: follows what is drawn, and feeds each analysed frame to detections/zones.

A camera without zones costs a look for two files once a second.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from cameras import drawn, masking
from detections.tracklog import LoggedBox, Row
from detections.zones import Happening, Standing, ZoneWatch

LOOK_S = 1.0


class Zoning:
    """One camera's; its state lives in the checkpoint and is empty where nothing is drawn."""

    def __init__(self, folder: Path, *, gap_s: float, state: dict[str, Any]) -> None:
        self._folder = folder
        self._gap_s = gap_s
        self._stamp: tuple[int, int] | None = None
        self._looked_at = 0.0
        self._watch: ZoneWatch | None = None
        self.mask_version = 0  # All pictures that are read from the spool now have these masks,
        self._masked_at = 0.0  # and all that were read after this moment.
        self._look(state)

    def look(self) -> None:
        """Takes over what was drawn since, once a second."""
        if time.monotonic() - self._looked_at > LOOK_S:
            self._look(self.state())

    def _look(self, state: dict[str, Any]) -> None:
        self._looked_at = time.monotonic()
        if burnt := masking.burnt(self._folder):
            self.mask_version, self._masked_at = burnt
        if (seen := drawn.stamp(self._folder)) == self._stamp:
            return
        self._stamp = seen
        zones = drawn.read(self._folder)
        self._watch = ZoneWatch(zones, gap_s=self._gap_s, state=state) if zones else None

    def take(self, row: Row) -> list[Happening]:
        """What the people of this frame did."""
        if self._watch is None:
            return []
        return self._watch.update([_standing(box) for box in row.boxes], row.captured_at)

    def may_show(self, read_at: float) -> bool:
        """Whether a picture that was read then has the masks; one may have been decoded ahead of them."""
        return read_at >= self._masked_at

    def inside(self, at: float) -> dict[str, int] | None:
        """How many are in each area now, by its id; None where nothing is drawn."""
        if self._watch is None:
            return None
        return {str(zone_id): count for zone_id, count in self._watch.inside(at).items()}

    def state(self) -> dict[str, Any]:
        return self._watch.state() if self._watch else {}


def _standing(box: LoggedBox) -> Standing:
    return Standing(box.track, box.visit, ((box.left + box.right) / 2, box.bottom))
