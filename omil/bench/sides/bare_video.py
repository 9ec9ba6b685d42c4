"""The bare loop over a video: the same samples through the same models, one after the other, and nothing else."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from detections import weights
from detections.detector import get_detector
from detections.pose import get_pose_finder
from omil.bench.side import BenchError
from omil.bench.video import PER_S
from profiles import engine
from profiles.faces import aligned
from profiles.quality import quality_of
from recordings.worker import NICE
from videos.sampling import Sample, samples


class Measured:
    """Which faces are worth a vector is found out beforehand, so that it embeds the same ones as the product."""

    def __init__(self, *films: str) -> None:
        os.nice(NICE)
        finder = get_pose_finder()
        if finder is None:
            raise BenchError("The pose model does not run.")
        self.detector, self.poses, self.faces = get_detector(), finder, engine.get()
        if weights.status().is_fallback:
            raise BenchError(f"The model does not run: the detector is {self.detector.name}.")
        self.films = [Path(film) for film in films]
        self.clear = [self._clear(path) for path in self.films]
        for film in range(len(films)):
            self.run(film=film)
        self.about: dict[str, Any] = {"detector": self.detector.name}

    def run(self, *, film: int) -> dict[str, Any]:
        clear, count, faces = self.clear[film], 0, 0
        began, cpu_began = time.perf_counter(), time.process_time()
        for sample in samples(self.films[film], PER_S):
            self.detector.detect(self.detector.prepare(sample.frame_bgr), 0)
            self.poses.find(sample.frame_bgr)
            found = self.faces.finder.find(sample.frame_bgr)
            for number in clear[sample.index]:
                self.faces.embedder.embed(sample.frame_bgr, found[number])
                faces += 1
            count += 1
        seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu_began
        return {"samples": count, "film_s": count / PER_S, "seconds": seconds, "cpu_s": cpu_s, "faces": faces}

    def _clear(self, path: Path) -> list[list[int]]:
        """Of each sample, the numbers of its clear faces."""
        return [self._clear_in(sample) for sample in samples(path, PER_S)]

    def _clear_in(self, sample: Sample) -> list[int]:
        frame_bgr = sample.frame_bgr
        found = self.faces.finder.find(frame_bgr)
        return [n for n, face in enumerate(found) if quality_of(face, aligned(frame_bgr, face)).is_clear]
