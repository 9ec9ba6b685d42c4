"""Streams as a network camera sends them: 1080p H.264 at 25 pictures a second, with a sensor's noise."""

from __future__ import annotations

import shutil
import subprocess
from itertools import cycle, islice
from pathlib import Path

from omil.bench import clips
from omil.bench.clips import Shot
from omil.bench.side import BenchError

FPS = 25
CLIP_FPS = 10
CLIP_WH = (768, 432)  # All of the clip's picture.
GROUP = 50  # Pictures from one key picture to the next: two seconds, as most cameras have it.
NOISE = "noise=alls=3:allf=t"  # codespell:ignore alls
LIMIT_S = 300.0


def quiet(path: Path, seconds: float) -> Path:
    """A room in which nothing happens."""
    return _encode(path, clips.empty_room(CLIP_WH), seconds)


def busy(path: Path, seconds: float) -> Path:
    """A room with a person in it all the time."""
    return _encode(path, clips.long_stay(CLIP_WH, step=1), seconds)


def _encode(path: Path, shots: list[Shot], seconds: float) -> Path:
    program = shutil.which("ffmpeg")
    if program is None:
        raise BenchError("There is no ffmpeg program to make a camera's stream with.")
    pictures = islice(cycle(clips.there_and_back(shots)), round(seconds * CLIP_FPS))
    command = [program, "-v", "error", "-y", "-f", "mjpeg", "-framerate", str(CLIP_FPS), "-i", "-", "-an"]
    command += ["-vf", f"scale=1920:1080:flags=bicubic,fps={FPS},{NOISE},format=yuv420p"]
    command += ["-c:v", "libx264", "-preset", "veryfast", "-b:v", "4M", "-maxrate", "5M", "-bufsize", "8M", "-bf", "0"]
    command += ["-x264-params", f"keyint={GROUP}:min-keyint={GROUP}:scenecut=0", str(path)]
    done = subprocess.run(  # noqa: S603 (a fixed program, found on the path)
        command, input=b"".join(shot.jpeg for shot in pictures), capture_output=True, timeout=LIMIT_S, check=False
    )
    if done.returncode:
        raise BenchError(f"ffmpeg could not make a stream: {done.stderr.decode(errors='replace').strip()[-500:]}")
    return path
