"""The key points of a video as people download them: CSV and JSON, made line by line from `poses.jsonl`.

CSV: a header, then a row per person and sample; a sample in which nobody is seen has one row with empty cells.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

from detections.points import POINTS
from videos.models import Video

FILE = "poses.jsonl"  # Of each video, in the storage.
ABOUT = ("sample", "seconds", "person", "track", "confidence", "left", "top", "right", "bottom")
HEADER = (*ABOUT, *(f"{point}_{what}" for point in POINTS for what in ("x", "y", "confidence")))

Row = dict[str, Any]


def people_by_track(video: Video) -> dict[int, int]:
    """Which person of the video, counted from 1 in the order of the page, a track belongs to."""
    visits = video.visits.order_by("first_s", "id").values_list("track_ids", flat=True)
    return {track: number for number, tracks in enumerate(visits, start=1) for track in tracks}


def as_csv(rows: Iterable[Row], people: dict[int, int]) -> Iterator[str]:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    for row in rows:
        for person in row["people"] or [None]:
            writer.writerow([row["sample"], row["at_s"], *_cells(person, people)])
        yield _taken(text)
    yield _taken(text)


def _cells(person: Row | None, people: dict[int, int]) -> list[Any]:
    if person is None:
        return [""] * (len(HEADER) - 2)
    track = person["track"]
    about = [people.get(track, ""), "" if track is None else track, person["confidence"], *person["box"]]
    return [*about, *(value for point in person["points"] for value in point)]


def as_json(rows: Iterable[Row], people: dict[int, int], video: Video) -> Iterator[str]:
    about = {
        "video": str(video.id),
        "title": video.title,
        "width": video.width,
        "height": video.height,
        "samples_per_s": video.per_s,
        "points": POINTS,
    }
    yield json.dumps(about, ensure_ascii=False)[:-1] + ', "samples": ['
    comma = "\n"
    for row in rows:
        told = [{"person": people.get(each["track"]), **each} for each in row["people"]]
        sample = {"sample": row["sample"], "seconds": row["at_s"], "people": told}
        yield comma + json.dumps(sample, separators=(",", ":"))
        comma = ",\n"
    yield "\n]}\n"


def _taken(text: io.StringIO) -> str:
    """What was written; the buffer is empty afterwards."""
    value = text.getvalue()
    text.seek(0)
    text.truncate()
    return value
