"""A media worker with uploaded videos: its own job, from the stored original to the published result."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import django_rq
from django.conf import settings

from accounts.models import Unit, User
from detections import broadcast
from detections.detector import get_detector
from omil.bench.side import BenchError
from omil.bench.video import PER_S
from profiles.models import UnitFaces
from recordings.worker import NICE
from videos import intake, jobs, originals, places, removal
from videos.intake import Wish
from videos.models import Video

READ_BYTES = 1_048_576


class Measured:
    """Upload and checks are not measured, nor is the removal that makes the next round start afresh."""

    def __init__(self, *films: str) -> None:
        os.nice(NICE)
        self.films = [Path(film) for film in films]
        self.unit = Unit.objects.create(name="Bench")
        self.user = User.objects.create_superuser("bench")
        UnitFaces.objects.create(unit=self.unit, is_allowed=True)
        for film in range(len(films)):
            self.run(film=film)
        self.about: dict[str, Any] = {"detector": get_detector().name}

    def run(self, *, film: int) -> dict[str, Any]:
        video = self._upload(self.films[film])
        began, cpu_began = time.perf_counter(), time.process_time()
        jobs.analyse(str(video.pk))
        broadcast.sender().flush()
        seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu_began
        video.refresh_from_db()
        if video.state != Video.State.DONE:
            raise BenchError(f"{video.title} is {video.state} {video.problem}.")
        poses = Path(settings.VIDEOS_DIR) / video.name_of(places.POSES)
        report = {
            "samples": video.samples,
            "film_s": video.samples / PER_S,
            "seconds": seconds,
            "cpu_s": cpu_s,
            "people": video.visits.count(),
            "profiles": video.appearances.count(),
            "poses": poses.read_bytes().count(b'"points"'),
        }
        removal.remove(video)
        return report

    def _upload(self, path: Path) -> Video:
        wish = Wish(
            title=path.name,
            size=path.stat().st_size,
            unit=self.unit,
            per_s=PER_S,
            wants_faces=True,
            wants_poses=True,
        )
        video = intake.begin(self.user, wish)
        with path.open("rb") as file:
            intake.add(video, 0, iter(lambda: file.read(READ_BYTES), b""))
        video = intake.complete(video)
        originals.take_in(video, places.work_of(video.pk))
        django_rq.get_queue(settings.VIDEO_QUEUE).empty()  # Nobody else is to wait for a turn.
        return video
