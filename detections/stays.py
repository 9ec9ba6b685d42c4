"""One person's stay as it is being watched: a track that may become a visit, or one that has. Used by visits.py."""

from __future__ import annotations

import uuid
from dataclasses import astuple, dataclass, field, fields, replace
from functools import lru_cache
from typing import Any, Self

import numpy as np

from detections.appearance import Appearance, Picture, Vector
from detections.continuity import Body, End, Looks, Seen, cut_sides, first_end, last_end
from detections.tracker import Track

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "omil:visit")
KEPT = 12  # Boxes kept of each stay, at most one in SPACING_S: what speed and direction are measured from.
SPACING_S = 0.09
DESCRIBE_NEW_S, DESCRIBE_S = 0.2, 1.0  # How often looks are taken: until it is known whose they are, and afterwards.
BLEND = 0.3  # Weight of the newest look in the running mean.
BETTER, PICTURE_EVERY_S = 1.15, 1.0  # A best picture is replaced by one so much better, and so rarely.
CUT_SHARE = 0.8  # A picture on which an edge of the frame cuts the person off is worth so much less.


@dataclass(slots=True, eq=False)
class Stay:
    """All times are capture times. Every field is a plain value, so that the whole stay goes into the checkpoint."""

    stream: str
    first_seq: int
    first_seen: float
    last_seen: float
    before_at: float  # The frame before the first one.
    track_ids: list[int]
    missed_at: float | None = None  # The first frame without a box since the last box.
    failed_s: float = 0.0  # Since the last box: time in which the detector failed, which says nothing.
    frames: int = 0  # Analysed since it began, and how many of them had a box.
    hits: int = 0
    boxes: list[Seen] = field(default_factory=list)
    body: Body = field(default_factory=Body)
    looks: bytes = b""  # Vector as float32, or nothing yet.
    looked_at: float = 0.0
    likeness: float = 0.85  # Of each look to the mean, a running mean of its own; at first what is usual.
    is_visit: bool = False
    losses: int = 0  # How often it was declared out of sight.
    state: str = "present"
    end_reason: str = ""
    ended_at: float | None = None
    results: int = 0
    result_at: float = 0.0
    settled_at: float | None = None
    best_score: float = 0.0
    best_at: float | None = None
    hidden: str = ""  # What silence makes of it for now: "", "out_of_sight" or "ended"; a late frame takes it back.
    shown: str = ""  # The last result told, so that only another one is.
    is_judged: bool = False  # Whether it goes on with an earlier visit has been asked in full.

    @property
    def track_id(self) -> int:
        return self.track_ids[-1]

    def id(self, camera_id: int) -> uuid.UUID:
        """The same whenever the same frames are analysed again; two people may begin in one frame, hence the track."""
        return _id(f"{camera_id}/{self.stream}/{self.first_seq}/{self.track_ids[0]}")

    def away_s(self, at: float) -> float:
        """How long it has been looked for in vain."""
        return at - self.last_seen - self.failed_s

    # --- What a frame shows ---

    def miss(self, at: float) -> None:
        """A frame that was judged does not show it."""
        self.missed_at = at if self.missed_at is None else self.missed_at

    def see(self, track: Track, at: float, size_wh: tuple[int, int]) -> None:
        self.last_seen, self.missed_at, self.failed_s = at, None, 0.0
        self.hits += 1
        left, top, right, bottom = track.xyxy
        seen = [at, left, top, right, bottom]
        cut = cut_sides(seen, size_wh)
        self.body = self.body.seen(right - left, bottom - top, cut_x=cut[0] or cut[2], cut_y=cut[1] or cut[3])
        self._keep(seen)

    def fit(self, ratio_x: float, ratio_y: float) -> None:
        """The camera's pictures have another size now."""
        self.boxes = [[at, x1 * ratio_x, y1 * ratio_y, x2 * ratio_x, y2 * ratio_y] for at, x1, y1, x2, y2 in self.boxes]
        self.body = replace(self.body, width=self.body.width * ratio_x, height=self.body.height * ratio_y)

    def _keep(self, seen: Seen) -> None:
        """Of a visit the last boxes matter, of a track that may go on with an earlier visit the first ones."""
        if self.is_visit:
            is_spaced = len(self.boxes) < 2 or self.boxes[-1][0] - self.boxes[-2][0] >= SPACING_S
            self.boxes = [*(self.boxes if is_spaced else self.boxes[:-1]), seen][-KEPT:]
        elif not self.boxes or (len(self.boxes) < KEPT and seen[0] - self.boxes[-1][0] >= SPACING_S):
            self.boxes = [*self.boxes, seen]

    def look(self, frame_bgr: Picture, track: Track, at: float, appearance: Appearance) -> None:
        """Takes the looks, unless lately taken or most of the body is cut off."""
        if self.looks:
            left, top, right, bottom = track.xyxy
            is_cut = (right - left) * (bottom - top) < 0.6 * self.body.width * self.body.height
            if is_cut or at - self.looked_at < (DESCRIBE_S if self.is_visit else DESCRIBE_NEW_S):
                return
        new = appearance.describe(frame_bgr, track.xyxy)
        if new is None:
            return
        if (mean := self.mean_looks.vector) is not None:
            self.likeness += BLEND * (appearance.agreement(mean, new) - self.likeness)
        self.looks, self.looked_at = _blended(mean, new, BLEND).tobytes(), at

    @property
    def mean_looks(self) -> Looks:
        return Looks(np.frombuffer(self.looks, np.float32) if self.looks else None, self.likeness)

    def picture(self, track: Track, at: float, size_wh: tuple[int, int]) -> bool:
        """Whether this box makes the best picture so far; remembers it if so. Better by a margin, and not too often."""
        score = picture_score(track, size_wh)
        if self.best_at is not None and (score < BETTER * self.best_score or at - self.best_at < PICTURE_EVERY_S):
            return False
        self.best_score, self.best_at = score, at
        return True

    # --- Whether it is one stay with another ---

    def lost_end(self, size_wh: tuple[int, int]) -> End:
        missed_at = self.last_seen if self.missed_at is None else self.missed_at
        return last_end(self.boxes, self.body, size_wh, missed_at)

    def found_end(self, size_wh: tuple[int, int]) -> End:
        return first_end(self.boxes, self.body, size_wh, self.before_at)

    def go_on_with(self, later: Stay) -> None:
        """`later` was the same person: all it saw belongs to this stay, from its first box on."""
        self.last_seen, self.missed_at, self.failed_s = later.last_seen, later.missed_at, later.failed_s
        self.track_ids = [*self.track_ids, *later.track_ids]
        self.boxes = later.boxes
        self.body = Body(
            max(self.body.width, later.body.width),
            max(self.body.height, later.body.height),
            self.body.knows_width or later.body.knows_width,
            self.body.knows_height or later.body.knows_height,
        )
        if (new := later.mean_looks.vector) is not None:
            self.looks, self.looked_at = _blended(self.mean_looks.vector, new, 0.5).tobytes(), later.looked_at

    # --- Checkpoint ---

    def values(self) -> list[Any]:
        values = {name: getattr(self, name) for name in FIELDS}
        return list({**values, "body": list(astuple(self.body))}.values())

    @classmethod
    def restored(cls, kept: list[Any]) -> Self:
        values = dict(zip(FIELDS, kept, strict=False))  # Earlier versions kept one field more.
        return cls(**{**values, "body": Body(*values["body"])})


@lru_cache(maxsize=256)  # Every frame asks for the same few.
def _id(name: str) -> uuid.UUID:
    return uuid.uuid5(NAMESPACE, name)


FIELDS = tuple(each.name for each in fields(Stay))


def _blended(old: Vector | None, new: Vector, weight: float) -> Vector:
    return new if old is None else np.asarray((1 - weight) * old + weight * new, np.float32)


def picture_score(track: Track, size_wh: tuple[int, int]) -> float:
    """How good a picture this box makes of its person, 0 to 1: sure, large, and not cut off above or at a side."""
    left, top, right, bottom = track.xyxy
    cut = cut_sides([0.0, left, top, right, bottom], size_wh)
    height = min(1.0, max(0.0, (bottom - top) / size_wh[1]))
    return track.confidence * height * (CUT_SHARE if cut[0] or cut[1] or cut[2] else 1.0)
