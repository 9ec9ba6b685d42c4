"""Pictures of a made-up scene as the ring keeps them, and what ffprobe says of a video."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from cameras import images
from cameras.ring import name_of
from recordings import encode
from recordings.encode import X264
from recordings.parts import Parts, Progress, cut

STREAM = "f" * 32
START = 1_760_000_000.25
FASTEST = X264("ultrafast", 28)
# Bursts, pauses and a picture now and then, as from a camera over a bad line.
IRREGULAR_S = (0.0, 0.05, 0.11, 0.3, 0.31, 0.9, 1.0, 1.2, 3.7, 3.8, 4.0, 4.2, 6.9, 7.0, 9.95, 10.2, 10.4, 12.75, 13.0)


@cache
def jpeg(number: int, width: int = 160, height: int = 120) -> bytes:
    """A bright square that wanders over a grey ground."""
    picture = np.full((height, width, 3), 90, np.uint8)
    x, y = (number * 5) % max(width - 20, 1), (number * 3) % max(height - 20, 1)
    cv2.rectangle(picture, (x, y), (x + 20, y + 20), (40, 220, 240), -1)
    return images.encode_jpeg(picture)


def film(folder: Path, at_s: Iterable[float], *, size_wh: tuple[int, int] = (160, 120)) -> list[Path]:
    """Pictures in this folder, captured so many seconds after START."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for number, at in enumerate(at_s):
        made.append(folder / name_of(STREAM, number + 1, START + at))
        made[-1].write_bytes(jpeg(number, *size_wh))
    return made


def encode_all(parts: Parts, folder: Path, *, part_s: float = 5.0, x264: X264 = FASTEST) -> Progress:
    """All pictures of the folder, as of a take that is over."""
    while chunk := cut(sorted(folder.iterdir()), linked_until=0, is_over=True, part_s=part_s):
        encode.encode(parts, chunk, x264)
    return parts.read()


def concatenate(parts: Parts, target: Path) -> Path:
    """The open clip, as a viewer gets it."""
    with target.open("wb") as file:
        for piece in parts.pieces():
            file.write(piece.path.read_bytes()[piece.offset : piece.offset + piece.length])
    return target


def probe(video: Path) -> dict[str, Any]:
    """Stream, format and packets. Fails where ffprobe complains of anything."""
    command = ["ffprobe", "-v", "warning", "-of", "json", "-show_streams", "-show_format", "-show_packets", str(video)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == ""
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def seconds(told: dict[str, Any]) -> list[float]:
    """When each picture is shown."""
    return [float(packet["pts_time"]) for packet in told["packets"]]


def pictures(video: Path) -> list[images.Picture]:
    """Every picture of it, decoded by the ffmpeg program, which must not complain."""
    told = probe(video)["streams"][0]
    command = ["ffmpeg", "-v", "error", "-i", str(video), "-fps_mode", "passthrough", "-enc_time_base", "-1"]
    done = subprocess.run(
        [*command, "-f", "rawvideo", "-pix_fmt", "bgr24", "-"], capture_output=True, check=True, timeout=60
    )
    assert done.stderr == b""
    return list(np.frombuffer(done.stdout, np.uint8).reshape(-1, told["height"], told["width"], 3))


def differences(shown: Sequence[images.Picture], numbers: Iterable[int]) -> list[float]:
    """How far each picture is, on average, from the JPEG that it should be."""
    return [
        float(np.abs(picture.astype(int) - images.decode_bgr(jpeg(number)).astype(int)).mean())
        for picture, number in zip(shown, numbers, strict=True)
    ]
