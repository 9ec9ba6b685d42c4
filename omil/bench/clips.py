"""The pictures that are measured with: JPEGs of 640 by 480, from a clip of a room that six people enter one by one."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgpack
from django.conf import settings

from omil.bench.side import BenchError

CLIP = "one-by-one-person-detection"
WIDTH, HEIGHT, QUALITY = 640, 480, 80
STEP = 2  # The clip has ten frames a second, a camera five.
MARGIN = 5  # Frames by which a stay or an empty stretch is shortened at both ends, for its edges are not exact.
EMPTY_AFTER = 15  # Frames after a stay before the room counts as empty.


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture and its time in the clip."""

    at_s: float
    jpeg: bytes


def data() -> Path:
    """The folder of the clips. Raises BenchError where there is none."""
    folder: Path = settings.TEST_DATA_DIR
    if not (folder / "videos" / f"{CLIP}.mp4").is_file():
        raise BenchError(
            f"There is no {folder / 'videos' / CLIP}.mp4 to measure with. "
            "OMIL_TEST_DATA can name the folder that holds videos/ and weights/."
        )
    return folder


def stays(size_wh: tuple[int, int] = (WIDTH, HEIGHT)) -> list[Shot]:
    """Pictures with a person in them, as a camera's gate lets them through: six visits at five pictures a second."""
    intervals = _intervals()
    numbers = [n for first, last in intervals for n in range(first + MARGIN, last - MARGIN, STEP)]
    return read(numbers, size_wh)


def long_stay(size_wh: tuple[int, int] = (WIDTH, HEIGHT), *, step: int = STEP) -> list[Shot]:
    """The longest of the visits, a person in every picture."""
    first, last = max(_intervals(), key=lambda interval: interval[1] - interval[0])
    return read(range(first + 2 * MARGIN, last - 2 * MARGIN, step), size_wh)


def empty_room(size_wh: tuple[int, int] = (WIDTH, HEIGHT)) -> list[Shot]:
    """The clip's longest stretch without anybody, every frame of it."""
    edges = [-EMPTY_AFTER, *(edge for interval in _intervals() for edge in interval)]
    stretches = [(left + EMPTY_AFTER, entered - MARGIN) for left, entered in zip(edges[::2], edges[1::2], strict=False)]
    first, last = max(stretches, key=lambda stretch: stretch[1] - stretch[0])
    return read(range(first, last), size_wh)


def there_and_back(shots: list[Shot]) -> list[Shot]:
    """The same without a jump at the end when it is repeated."""
    return shots + shots[-2:0:-1]


def _intervals() -> list[tuple[int, int]]:
    about = json.loads((data() / "videos" / f"{CLIP}.presence.json").read_text())
    return [(int(first), int(last)) for first, last in about["visits"]]


def read(numbers: Iterable[int], size_wh: tuple[int, int] = (WIDTH, HEIGHT)) -> list[Shot]:
    """These frames of the clip, in order; of its wide picture the right part, where people leave."""
    import cv2

    clip = cv2.VideoCapture(str(data() / "videos" / f"{CLIP}.mp4"))
    fps = clip.get(cv2.CAP_PROP_FPS)
    found, at = [], -1
    for number in numbers:
        while at < number:
            at += 1
            is_read, frame_bgr = clip.read()
            if not is_read:
                raise BenchError(f"{CLIP}.mp4 has no frame {number}.")
        height = frame_bgr.shape[0]
        part = frame_bgr[:, -height * size_wh[0] // size_wh[1] :]
        small = cv2.resize(part, size_wh, interpolation=cv2.INTER_LINEAR)
        jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()
        found.append(Shot(number / fps, jpeg))
    clip.release()
    return found


def store(path: Path, shots: list[Shot]) -> str:
    """Keeps them for the sides, so that all of them see the same bytes; returns the path."""
    path.write_bytes(msgpack.packb([[shot.at_s, shot.jpeg] for shot in shots]))
    return str(path)


def load(path: str) -> list[Shot]:
    return [Shot(at_s, jpeg) for at_s, jpeg in msgpack.unpackb(Path(path).read_bytes())]
