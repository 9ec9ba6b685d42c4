"""One video's analysis: samples in order through the detector, the tracker and whatever else the video asked for.

Pausing or being killed loses at most a second's work: what a sample changes is repeated from the checkpoint and comes
out the same.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cameras import images
from detections.detector import Detector
from videos import analysers, checkpoint
from videos.ahead import Ahead
from videos.checkpoint import Checkpoint
from videos.models import Video
from videos.people import People
from videos.places import POSTER
from videos.sampling import Sample, samples

KEEP_S, KEEP_SAMPLES = 1.0, 50  # A checkpoint is written after so much work.
POSTER_LONGEST_PX = 640
LATE = 1.05  # A file may be so much longer than its header said before it is called too long.


@dataclass(frozen=True, slots=True)
class Standing:
    """How far it is; seconds of video and of work."""

    samples: int
    at_s: float
    busy_s: float


Tell = Callable[[Standing], bool]  # Whether to go on.


class Analysis:
    """Kept by its worker while it pauses; `next_index` then tells whether another worker went on with it meanwhile."""

    def __init__(
        self, video: Video, path: Path, work: Path, detector: Detector, *, confidence: float, longest_s: float
    ):
        last = checkpoint.read(work)
        self.video, self.work, self.detector = video, work, detector
        self.next_index, self.busy_s = last.next, last.busy_s
        self.people = People(video.pk, work, last, confidence=confidence)
        self.analysers = analysers.make(video, work, last.analysers)
        self.is_damaged = threading.Event()  # Set at the first stretch of the film that cannot be read.
        begin = partial(samples, path, video.per_s, first=last.next, longest_s=LATE * longest_s)
        self._ahead = Ahead(lambda is_over: begin(is_over=is_over, on_damage=self.is_damaged.set), detector)
        self._kept_at, self._kept_index = time.monotonic(), last.next
        self.at_s = max(0, last.next - 1) / video.per_s

    def run(self, tell: Tell) -> bool:
        """Until the end, which is True, or until `tell`, asked after every sample, says no."""
        while True:
            began = time.monotonic()
            try:
                found = self._ahead.next()
            except queue.Empty:
                self.busy_s += time.monotonic() - began
                if not tell(Standing(self.next_index, self.at_s, self.busy_s)):
                    return False
                continue
            if found is None:
                self.keep()
                return True
            self._take(*found)
            self.busy_s += time.monotonic() - began
            if time.monotonic() - self._kept_at > KEEP_S or self.next_index - self._kept_index >= KEEP_SAMPLES:
                self.keep()
            if not tell(Standing(self.next_index, self.at_s, self.busy_s)):
                self.keep()
                return False

    def _take(self, sample: Sample, prepared: object) -> None:
        boxes = self.detector.detect(prepared, 0)  # type: ignore[arg-type]  # What the same detector prepared.
        tracks = self.people.take(sample, boxes)
        for analyser in self.analysers.values():
            analyser.take(sample, tracks)
        if sample.index == 0:
            poster = images.encode_jpeg(images.shrink(sample.frame_bgr, longest_px=POSTER_LONGEST_PX))
            (self.work / POSTER).write_bytes(poster)
        self.next_index, self.at_s = sample.index + 1, sample.at_s

    def keep(self) -> None:
        """Writes the checkpoint."""
        states = {name: analyser.state() for name, analyser in self.analysers.items()}
        checkpoint.write(
            self.work, Checkpoint(next=self.next_index, busy_s=self.busy_s, analysers=states, **self.people.state())
        )
        self._kept_at, self._kept_index = time.monotonic(), self.next_index

    def close(self) -> None:
        self._ahead.close()
        self.people.close()
