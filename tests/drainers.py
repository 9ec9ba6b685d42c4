"""A real worker with a detector that sees what it is told: `python -m tests.drainers JOURNAL FRAME_S [SLOW_S]`.

Writes a line per inference to JOURNAL: process, camera, number, begin and end (monotonic seconds, one clock for all
processes). The first frame that carries SLOW_NUMBER takes SLOW_S.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SLOW_NUMBER = 999


@dataclass(frozen=True, slots=True)
class Inference:
    pid: int
    camera_id: int
    number: int
    began: float
    ended: float


def read(journal: Path) -> list[Inference]:
    if not journal.exists():
        return []
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    return sorted((Inference(*line) for line in lines), key=lambda inference: inference.began)


def serve(journal: Path, frame_s: float, slow_s: float) -> None:
    import django

    django.setup()

    from detections import jobs, worker
    from detections.boxes import Boxes
    from detections.turn import worker as host
    from tests.fakes import FakeDetector

    class Recorder(FakeDetector):
        def detect(self, prepared: Any, camera_id: int) -> Boxes:
            began = time.monotonic()
            time.sleep(slow_s if prepared == SLOW_NUMBER and not slowed else frame_s)
            slowed.append(prepared) if prepared == SLOW_NUMBER else None
            boxes = super().detect(prepared, camera_id)
            line = json.dumps([os.getpid(), camera_id, prepared, began, time.monotonic()]) + "\n"
            with journal.open("ab", buffering=0) as file:
                file.write(line.encode())
            return boxes

    slowed: list[int] = []
    detector = Recorder(lambda number: [])
    setattr(jobs, "get_detector", lambda: detector)  # noqa: B010 (mypy knows that it is another module's)
    host().heartbeat.start()
    worker.serve()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]) if len(sys.argv) > 3 else 0.0)
