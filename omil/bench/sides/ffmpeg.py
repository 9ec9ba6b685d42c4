"""The ffmpeg program as anybody would call it: the same JPEGs to H.264 in one go, with libx264 at the same settings."""

from __future__ import annotations

import resource
import shutil
import subprocess
from pathlib import Path
from typing import Any

from django.conf import settings

from omil.bench import clips
from recordings.encode import KEY_S


class Measured:
    """`program` is empty where there is none."""

    def __init__(self, pictures: str, fps: str) -> None:
        self.folder = Path(f"{pictures}-ffmpeg")
        self.folder.mkdir()
        self.fps = float(fps)
        shots = clips.load(pictures)
        for number, shot in enumerate(shots):
            (self.folder / f"{number:06d}.jpg").write_bytes(shot.jpeg)
        self.frames = len(shots)
        self.program = shutil.which("ffmpeg")
        self.about: dict[str, Any] = {"program": self.program or ""}

    def run(self) -> dict[str, Any]:
        before = _cpu_s()
        subprocess.run(self._command(), check=True)  # noqa: S603 (our own command)
        size = (self.folder / "clip.mp4").stat().st_size
        return {"frames": self.frames, "cpu_s": _cpu_s() - before, "size": size}

    def _command(self) -> list[str]:
        """Also one thread, no pictures that look ahead and as many key pictures, or it would do other work."""
        assert self.program
        return [
            *(self.program, "-v", "error", "-nostdin", "-y", "-threads", "1"),
            *("-framerate", f"{self.fps:g}", "-i", str(self.folder / "%06d.jpg")),
            *("-c:v", "libx264", "-preset", settings.CLIP_PRESET, "-crf", str(settings.CLIP_QUALITY)),
            *("-bf", "0", "-g", str(round(KEY_S * self.fps)), "-threads", "1", "-pix_fmt", "yuv420p"),
            *("-color_range", "tv", "-movflags", "+faststart", str(self.folder / "clip.mp4")),
        ]


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
