"""A clip as the webcam of a real Chromium, in real time, with each frame's number in a strip above it."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import cv2
import pytest
from playwright.sync_api import Browser, Playwright

from tests.flow import strip

WIDTH, HEIGHT = 640, 360  # Of the picture without its strip.
STANDING = 60
FLAGS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
]


@dataclass(frozen=True, slots=True)
class Clip:
    """Frames `first` to `last` of a clip; `people` are the intervals of them in which somebody is in the room."""

    file: Path
    fps: float
    first: int
    last: int
    people: list[tuple[int, int]]


def make(video: Path, to: Path, *, first: int = 0, last: int | None = None) -> Clip:
    """Writes the frames as YUV4MPEG, which keeps its frame rate.

    Chromium plays such a file again and again, so the last picture stands for a while, for the page to be closed in.
    """
    presence = json.loads(video.with_suffix(".presence.json").read_text())
    last = presence["frames"] - 1 if last is None else last
    source = cv2.VideoCapture(str(video))
    full = round(HEIGHT / (1 - strip.SHARE))
    with to.open("wb") as file:
        file.write(f"YUV4MPEG2 W{WIDTH} H{full} F{presence['fps']:.0f}:1 Ip A1:1 C420\n".encode())
        for number in range(last + 1):
            assert source.grab(), f"{video} has no frame {number}"
            if number < first:
                continue
            small = cv2.resize(source.retrieve()[1], (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
            planes = cv2.cvtColor(strip.with_number(small, number), cv2.COLOR_BGR2YUV_I420)
            file.write(b"FRAME\n" + planes.tobytes())
        file.write((b"FRAME\n" + planes.tobytes()) * STANDING)
    source.release()
    people = [(start, end) for start, end in presence["visits"] if start >= first and end <= last]
    return Clip(to, presence["fps"], first, last, people)


def chromium(playwright: Playwright, camera: Path | None = None) -> Browser:
    """A real Chromium, with this file as its webcam."""
    arguments = [*FLAGS, *(media_flags(camera) if camera else [])]
    return playwright.chromium.launch(executable_path=path_of_chromium(), args=arguments, timeout=60_000)


def path_of_chromium() -> str:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("There is no Chromium on this machine (Debian's package is called chromium).")
    return path


def media_flags(camera: Path) -> list[str]:
    return [
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={camera}",
    ]
