"""Follows the faces of one video from sample to sample and keeps the best of each. Pure; its state is plain numbers.

A face goes on a face track when it lies in the box of the same person, or where that face was a sample before. A
person's track may jump to somebody else where a film is cut: a clear face that is like none of the track's begins a
new one. profiles/cluster.py says later which tracks are one person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import cv2
import numpy as np

from profiles.faces import Box, Embedder, Face, FaceFinder, Picture, Vector, aligned, unit
from profiles.quality import Quality, quality_of

VERSION = 2
KEPT = 8  # Faces of one track; the best ones.
LOST_S = 1.0
LEAST_OVERLAP = 0.2
ANOTHER = 0.15  # A clear face with a lower cosine to all of a track's is somebody else's.
AROUND = 0.35  # Of the face's size, on each side of the crop.
CROP_PX = 256
APART = 3  # Faces kept are so many samples apart where there is a choice: neighbours say the same.


class Person(Protocol):
    """What is needed of detections.tracker.Track."""

    @property
    def id(self) -> int: ...

    @property
    def xyxy(self) -> Box: ...


@dataclass(frozen=True, slots=True)
class Seen:
    """One clear face of a track."""

    index: int
    at_s: float
    quality: float
    vector: Vector


@dataclass(slots=True)
class FaceTrack:
    """One face while it can be followed. `indices` are the samples in which it was found, clear or not.

    First and last it was clearly seen: what goes on unclear may have become somebody else behind a cut.
    """

    id: int
    person: int | None
    first_s: float
    last_s: float
    found_s: float
    box: Box
    indices: list[int] = field(default_factory=list)
    people: list[int] = field(default_factory=list)  # Tracks of people it was seen in.
    best: list[Seen] = field(default_factory=list)
    clear: int = 0  # How often it was clear, kept or not,
    clear_from: int = 0  # and from which sample
    clear_to: int = -1  # to which.
    crop: bytes = b""  # JPEG of the best one.
    crop_quality: float = 0.0

    @property
    def vector(self) -> Vector:
        return mean_of(self.best)


def mean_of(seen: Sequence[Seen]) -> Vector:
    """The mean of these vectors, the better ones counting more; of length 1."""
    return unit(np.sum([one.vector * (0.05 + one.quality) for one in seen], axis=0))


class Gatherer:
    """Sees every sample of one video in order."""

    def __init__(self, finder: FaceFinder, embedder: Embedder, state: dict[str, Any] | None = None) -> None:
        self._finder, self._embedder = finder, embedder
        self.tracks: list[FaceTrack] = []
        self._open: list[FaceTrack] = []
        self._next_id = 1
        if state and state.get("version") == VERSION and state.get("embedder") == embedder.name:
            self.tracks = [_track_from(row) for row in state["tracks"]]
            self._open = [track for track in self.tracks if track.id in state["open"]]
            self._next_id = state["next_id"]

    def take(self, index: int, at_s: float, frame_bgr: Picture, people: Sequence[Person]) -> None:
        self._open = [track for track in self._open if at_s - track.found_s <= LOST_S]
        found = self._finder.find(frame_bgr)
        persons = _persons_of(found, people)
        looks = [self._look(frame_bgr, face) for face in found]
        taken: set[int] = set()
        for i, track in self._pairs(found, persons):
            if i in taken or track.indices[-1] == index:
                continue
            quality, vector = looks[i]
            if vector is not None and track.best and max(float(vector @ one.vector) for one in track.best) < ANOTHER:
                continue
            taken.add(i)
            self._add(track, index, at_s, frame_bgr, found[i], persons[i], quality, vector)
        for i, face in enumerate(found):
            if i not in taken:
                track = FaceTrack(self._next_id, persons[i], at_s, at_s, at_s, face.xyxy)
                self._next_id += 1
                self.tracks.append(track)
                self._open.append(track)
                self._add(track, index, at_s, frame_bgr, face, persons[i], *looks[i])
        kept = {track.id for track in self._open}
        self.tracks = [track for track in self.tracks if track.best or track.id in kept]

    def _look(self, frame_bgr: Picture, face: Face) -> tuple[Quality, Vector | None]:
        """Only clear faces are worth a vector."""
        straight = aligned(frame_bgr, face)
        quality = quality_of(face, straight)
        return quality, self._embedder.embed_aligned(straight) if quality.is_clear else None

    def _pairs(self, found: list[Face], persons: list[int | None]) -> list[tuple[int, FaceTrack]]:
        """Which face may go on which track, the likeliest first."""
        rated: list[tuple[float, int, int, FaceTrack]] = []
        for i, face in enumerate(found):
            for track in self._open:
                overlap = _overlap(face.xyxy, track.box)
                same_person = persons[i] is not None and persons[i] == track.person
                if overlap >= LEAST_OVERLAP or same_person:
                    rated.append((-(overlap + same_person), i, track.id, track))
        return [(i, track) for _rate, i, _id, track in sorted(rated, key=lambda row: row[:3])]

    def _add(
        self,
        track: FaceTrack,
        index: int,
        at_s: float,
        frame_bgr: Picture,
        face: Face,
        person: int | None,
        quality: Quality,
        vector: Vector | None,
    ) -> None:
        track.indices.append(index)
        track.found_s, track.box = at_s, face.xyxy
        if person is not None:
            track.person = person
            if person not in track.people:
                track.people.append(person)
        if vector is None:
            return
        if not track.clear:
            track.first_s, track.clear_from = at_s, index
        track.last_s, track.clear_to = at_s, index
        track.clear += 1
        if quality.value > track.crop_quality:
            track.crop, track.crop_quality = crop(frame_bgr, face), quality.value
        keep_best(track.best, Seen(index, at_s, quality.value, vector))

    def state(self) -> dict[str, Any]:
        """All that the next sample depends on."""
        tracks = [_row_of(track) for track in self.tracks]
        return {
            "version": VERSION,
            "embedder": self._embedder.name,
            "next_id": self._next_id,
            "tracks": tracks,
            "open": [track.id for track in self._open],
        }


def keep_best(best: list[Seen], new: Seen) -> None:
    """Of neighbours in time the better one stays, and never more than KEPT."""
    near = next((one for one in best if abs(one.index - new.index) < APART), None)
    if near is not None:
        if near.quality >= new.quality:
            return
        best.remove(near)
    best.append(new)
    best.sort(key=lambda one: (-one.quality, one.index))
    del best[KEPT:]


def crop(frame_bgr: Picture, face: Face) -> bytes:
    """JPEG of the face and a little around it."""
    x1, y1, x2, y2 = face.xyxy
    side = max(x2 - x1, y2 - y1) * (1 + 2 * AROUND)
    centre_x, centre_y = (x1 + x2) / 2, (y1 + y2) / 2
    height, width = frame_bgr.shape[:2]
    left, top = max(0, round(centre_x - side / 2)), max(0, round(centre_y - side / 2))
    right, bottom = min(width, round(centre_x + side / 2)), min(height, round(centre_y + side / 2))
    cut = frame_bgr[top : max(bottom, top + 1), left : max(right, left + 1)]
    longest = max(cut.shape[:2])
    if longest > CROP_PX:
        scale = CROP_PX / longest
        cut = np.asarray(cv2.resize(cut, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    return bytes(cv2.imencode(".jpg", np.ascontiguousarray(cut), [cv2.IMWRITE_JPEG_QUALITY, 88])[1])


def _persons_of(found: list[Face], people: Sequence[Person]) -> list[int | None]:
    """The person in whose box each face lies: the one whose head it fits best; nobody twice."""
    rated: list[tuple[float, int, int]] = []
    for i, face in enumerate(found):
        x, y = (face.xyxy[0] + face.xyxy[2]) / 2, (face.xyxy[1] + face.xyxy[3]) / 2
        for person in people:
            left, top, right, bottom = person.xyxy
            if left <= x <= right and top <= y <= bottom:
                width, height = max(right - left, 1.0), max(bottom - top, 1.0)
                rated.append((abs((x - left) / width - 0.5) + (y - top) / height, i, person.id))
    persons: list[int | None] = [None] * len(found)
    for _rate, i, person_id in sorted(rated):
        if persons[i] is None and person_id not in persons:
            persons[i] = person_id
    return persons


def _overlap(a: Box, b: Box) -> float:
    """Intersection over union."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return shared / max(areas - shared, 1e-9)


def _row_of(track: FaceTrack) -> dict[str, Any]:
    return {
        "id": track.id,
        "person": track.person,
        "times": [track.first_s, track.last_s, track.found_s],
        "box": list(track.box),
        "indices": list(track.indices),
        "people": list(track.people),
        "clear": [track.clear, track.clear_from, track.clear_to],
        "crop": track.crop,
        "crop_quality": track.crop_quality,
        "best": [[one.index, one.at_s, one.quality, one.vector.tobytes()] for one in track.best],
    }


def _track_from(row: dict[str, Any]) -> FaceTrack:
    best = [
        Seen(index, at_s, quality, np.frombuffer(vector, np.float32)) for index, at_s, quality, vector in row["best"]
    ]
    return FaceTrack(
        id=row["id"],
        person=row["person"],
        first_s=row["times"][0],
        last_s=row["times"][1],
        found_s=row["times"][2],
        box=(row["box"][0], row["box"][1], row["box"][2], row["box"][3]),
        indices=list(row["indices"]),
        people=list(row["people"]),
        best=best,
        clear=row["clear"][0],
        clear_from=row["clear"][1],
        clear_to=row["clear"][2],
        crop=row["crop"],
        crop_quality=row["crop_quality"],
    )
