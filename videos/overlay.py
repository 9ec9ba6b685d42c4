"""What the player draws over a stretch of a video: boxes and key points of its samples, out of their files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from videos import places
from videos.models import Video
from videos.storages import store

LONGEST_S = 30.0
AT = b'"at_s":'


def stretch(video: Video, since_s: float, until_s: float) -> dict[str, Any]:
    """Boxes as [track, left, top, right, bottom] from 0 to 1; poses as [track, [[x, y, confidence], ...]] as well."""
    size_wh = (max(1, video.width), max(1, video.height))
    return {
        "from": since_s,
        "longest_s": LONGEST_S,
        "boxes": [
            [row["at_s"], [box[:5] for box in row["boxes"]]] for row in _rows(video, places.TRACKS, since_s, until_s)
        ],
        "poses": [
            [row["at_s"], [[person["track"], _relative(person["points"], size_wh)] for person in row["people"]]]
            for row in _rows(video, places.POSES, since_s, until_s)
        ],
    }


def _relative(points: list[list[float]], size_wh: tuple[int, int]) -> list[list[float]]:
    return [[round(x / size_wh[0], 4), round(y / size_wh[1], 4), confidence] for x, y, confidence in points]


def _rows(video: Video, file: str, since_s: float, until_s: float) -> Iterator[dict[str, Any]]:
    try:
        with store().open(video.name_of(file)) as lines:
            for line in lines:
                at_s = _at(line)
                if at_s >= until_s:
                    return
                if at_s >= since_s:
                    yield json.loads(line)
    except FileNotFoundError:
        return


def _at(line: bytes) -> float:
    """Of a row that need not be parsed for it: most of a video's rows are not those asked for."""
    value = line[line.index(AT) + len(AT) :]
    return float(value[: value.index(b",")])
