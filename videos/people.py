"""The people of a video over its own clock: the same detector, tracker and visits that live cameras have."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

from cameras import images
from detections import store
from detections.boxes import Boxes
from detections.tracker import Track, Tracker
from detections.visits import Change, Rules, Update, Visits
from videos.checkpoint import Checkpoint
from videos.models import visit_id
from videos.places import PICTURES, TRACKS
from videos.rows import RowFile
from videos.sampling import Sample

AFTER_S = 3_600.0  # So long after the end everybody has left.
RULES = Rules()  # On the video's clock nothing is late and nothing is silent; the rest is as it is live.


class People:
    """One video's. All of its state is in the checkpoint, and a sample that is repeated does the same again."""

    def __init__(self, video_id: UUID, work: Path, last: Checkpoint, *, confidence: float) -> None:
        self.video_id, self.work = video_id, work
        self._tracker = Tracker(last.tracker or None, confidence=confidence)
        self._visits = Visits(0, RULES, last.visits or None)
        self._rows = RowFile(work / TRACKS, last.offset)
        self.seen: dict[str, dict[str, Any]] = dict(last.people)  # What a VideoVisit will say, by the visit's own id.
        (work / PICTURES).mkdir(exist_ok=True)

    def take(self, sample: Sample, boxes: Boxes) -> list[Track]:
        height, width = sample.frame_bgr.shape[:2]
        tracks = self._tracker.update(boxes, sample.at_s, (width, height))
        update = self._visits.update(
            tracks,
            sample.at_s,
            stream=str(self.video_id),
            seq=sample.index,
            size_wh=(width, height),
            frame_bgr=sample.frame_bgr,
        )
        self._keep_pictures(sample, update)
        self._note(update.changes)
        self._rows.append(_row(sample, tracks, (width, height)))
        return tracks

    def _keep_pictures(self, sample: Sample, update: Update) -> None:
        for best in update.best:
            name = f"{PICTURES}/{visit_id(self.video_id, best.visit.track_ids[0])}.jpg"
            (self.work / name).write_bytes(images.encode_jpeg(store.crop(sample.frame_bgr, best.xyxy)))

    def _note(self, changes: list[Change]) -> None:
        for change in changes:
            visit = change.visit
            self.seen[str(visit.id)] = {
                "track_ids": list(visit.track_ids),
                "first_s": visit.first_seen,
                "last_s": visit.last_seen,
                "has_picture": visit.has_picture,
            }

    def end(self, at_s: float) -> None:
        """The video is over: whoever is still there was there to its end."""
        self._note(self._visits.advance(at_s + AFTER_S))
        self._rows.close()

    def state(self) -> dict[str, Any]:
        return {
            "tracker": self._tracker.state(),
            "visits": self._visits.state(),
            "people": self.seen,
            "offset": self._rows.offset,
        }

    def close(self) -> None:
        self._rows.close()


def _row(sample: Sample, tracks: list[Track], size_wh: tuple[int, int]) -> dict[str, Any]:
    """Edges are relative to the picture, 0 to 1."""
    sizes = (*size_wh, *size_wh)
    boxes = [
        [
            track.id,
            *(round(min(1.0, max(0.0, edge / size)), 4) for edge, size in zip(track.xyxy, sizes, strict=True)),
            round(track.confidence, 3),
        ]
        for track in tracks
    ]
    return {"sample": sample.index, "at_s": round(sample.at_s, 6), "boxes": boxes}
