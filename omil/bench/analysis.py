"""The worker's side, as pipeline and gate measure it: its own database and Valkey, and a viewer of every result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from omil.bench import clips
from omil.bench.clips import Shot
from omil.bench.side import BenchError, Side
from omil.bench.viewer import Viewer
from omil.bench.workplace import Workplace

# The backlog is made at once and not by a camera: it neither counts as lag nor is there anything to linger for.
ENVIRONMENT = {"OMIL_MAX_LAG_S": "3600", "OMIL_LINGER_S": "0"}


@dataclass(slots=True)
class Worker:
    """One analysis worker and what has gone through it."""

    side: Side
    viewer: Viewer
    pictures: str
    taken: int = 0

    def fill(self, frames: int) -> None:
        """Unmeasured: the frames are put into the spool."""
        self.side.run(first=self.taken, frames=frames, fill=True)

    def drain(self, frames: int) -> dict[str, Any]:
        """Measured: from the spool to the published results."""
        report = self.side.run(first=self.taken, frames=frames)
        self.taken += frames
        if report["analysed"] != frames:
            raise BenchError(f"The worker analysed {report['analysed']} of {frames} frames.")
        self.viewer.wait_for(self.taken)
        return report


def start(place: Workplace, shots: list[Shot]) -> Worker:
    place.manage("migrate", "--verbosity", "0")
    url = place.start_valkey()
    pictures = clips.store(place.folder / "stays", shots)
    side = place.side("worker", pictures)
    viewer = Viewer(url, side.about["camera"])
    place.closing(viewer)
    return Worker(side, viewer, pictures)
