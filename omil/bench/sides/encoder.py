"""A media worker without queue and database: the same take is encoded in parts, joined, illustrated and hashed."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

from django.conf import settings

from cameras.ring import name_of
from omil.bench import clips
from recordings import encode, finish
from recordings.encode import X264
from recordings.parts import PART_S, Parts, cut

STREAM = "d" * 32
START = 1_700_000_000.0


class Measured:
    """Its pictures lie in a folder, as a camera's do; each round takes links to them."""

    def __init__(self, pictures: str, fps: str) -> None:
        shots = clips.load(pictures)
        self.folder = Path(f"{pictures}-encoder")
        self.kept = self.folder / "kept"
        self.kept.mkdir(parents=True)
        for number, shot in enumerate(shots):
            (self.kept / name_of(STREAM, number + 1, START + number / float(fps))).write_bytes(shot.jpeg)
        self.frames = len(shots)
        self.about: dict[str, Any] = {"frames": self.frames}

    def run(self) -> dict[str, Any]:
        links, parts, clip = self.folder / "pictures", Parts(self.folder / "parts"), self.folder / "clip.mp4"
        for folder in (links, parts.folder):
            shutil.rmtree(folder, ignore_errors=True)
        links.mkdir()
        for path in self.kept.iterdir():
            os.link(path, links / path.name)
        x264 = X264(settings.CLIP_PRESET, settings.CLIP_QUALITY)
        began = time.process_time()
        while chunk := cut(sorted(links.iterdir()), linked_until=0, is_over=True, part_s=PART_S):
            encode.encode(parts, chunk, x264)
        encoded = time.process_time()
        finished = finish.finish(parts, clip)
        ended = time.process_time()
        return {"frames": self.frames, "cpu_s": ended - began, "finish_cpu_s": ended - encoded, "size": finished.size}
