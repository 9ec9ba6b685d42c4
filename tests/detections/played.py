"""Plays a camera's log into tracker and visits, as the pipeline does, and keeps what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from uuid import UUID

import msgpack
import numpy as np

from detections.appearance import Picture
from detections.boxes import Boxes
from detections.tracker import Box, Track, Tracker
from detections.visits import Change, Rules, Update, Visits, VisitSnapshot
from tests.clips import Clip

START = 1_700_000_000.0
WH = (640, 480)
Found = Callable[[Picture], Boxes]


def people(*boxes: Box, confidence: float | list[float] = 0.9) -> Boxes:
    each = confidence if isinstance(confidence, list) else [confidence] * len(boxes)
    return Boxes.people(np.array(boxes, np.float32).reshape(-1, 4), np.array(each, np.float32))


def standing(x: float, *, feet: float = 400, height: float = 200) -> Box:
    """The box of somebody at `x`, as wide as people are."""
    return x - 0.2 * height, feet - height, x + 0.2 * height, feet


@dataclass
class Played:
    """Times are in seconds from the start of the log; `restarts` puts a kill after every entry."""

    rules: Rules = field(default_factory=Rules)
    size_wh: tuple[int, int] = WH
    restarts: bool = False
    visits: Visits = field(init=False)
    tracker: Tracker = field(init=False)
    seq: int = 0
    told: list[tuple[float, Change]] = field(default_factory=list)
    last: dict[UUID, VisitSnapshot] = field(default_factory=dict)
    tracks: list[Track] = field(default_factory=list)  # Of the last frame.
    pictures: Counter[UUID] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.tracker, self.visits = Tracker(), Visits(1, self.rules)

    def frame(self, at: float, boxes: Boxes, picture: Picture | None = None) -> Update:
        self.tracks = self.tracker.update(boxes, START + at, self.size_wh)
        update = self.visits.update(
            self.tracks, START + at, stream="5" * 32, seq=self.seq, size_wh=self.size_wh, frame_bgr=picture
        )
        self.seq += 1
        self.pictures.update(best.visit.id for best in update.best)
        self._keep(at, update.changes)
        return update

    def advance(self, at: float) -> None:
        self._keep(at, self.visits.advance(START + at))

    def no_sight(self, at: float) -> None:
        self._keep(at, self.visits.no_sight(START + at))

    def failed(self, at: float) -> None:
        self._keep(at, self.visits.failed(START + at))

    def nobody(self, start: float, end: float, fps: float = 10) -> None:
        """Frames without a box, from `start` to before `end`."""
        for at in times(start, end, fps):
            self.frame(at, people())

    def stands(self, box: Box, start: float, end: float, fps: float = 10) -> None:
        for at in times(start, end, fps):
            self.frame(at, people(box))

    def clip(self, clip: Clip, found: Found) -> Played:
        for index, picture in enumerate(clip.frames):
            self.frame(index / clip.fps, found(picture), picture)
        return self

    def _keep(self, at: float, changes: list[Change]) -> None:
        for change in changes:
            self.told.append((at, change))
            self.last[change.visit.id] = change.visit
        for visit in self.visits.open:
            self.last[visit.id] = visit
        if self.restarts:
            state = msgpack.unpackb(msgpack.packb([self.tracker.state(), self.visits.state()]), strict_map_key=False)
            self.tracker, self.visits = Tracker(state[0]), Visits(1, self.rules, state[1])

    @property
    def ended(self) -> list[VisitSnapshot]:
        """Every visit there has been, as last told or still open, in the order of their beginning."""
        return sorted(self.last.values(), key=lambda visit: (visit.first_seen, visit.track_ids))

    @property
    def events(self) -> list[tuple[float, str, str]]:
        return [(at, change.event, change.visit.state) for at, change in self.told]

    @property
    def spans(self) -> list[tuple[float, float]]:
        """First and last sight of each visit, in seconds from the start."""
        return [(round(visit.first_seen - START, 3), round(visit.last_seen - START, 3)) for visit in self.ended]

    @property
    def writes(self) -> Counter[UUID]:
        return Counter(change.visit.id for _, change in self.told)


def times(start: float, end: float, fps: float) -> Iterable[float]:
    for index in range(round((end - start) * fps)):
        yield round(start + index / fps, 6)


def room(*dressed: tuple[tuple[float, float, float, float], tuple[int, int, int]]) -> Picture:
    """A grey room with people of one colour each in these boxes."""
    picture = np.full((480, 640, 3), 150, np.uint8)
    for (left, top, right, bottom), colour in dressed:
        picture[int(top) : int(bottom), int(left) : int(right)] = colour
    return picture
