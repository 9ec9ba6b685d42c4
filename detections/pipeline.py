"""One frame's life in analysis: decode, detect, track, visits, store, broadcast, checkpoint. Called by the drain."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from uuid import UUID

import numpy as np

from cameras import folders, images, metrics, presence
from cameras.entries import Entry, Flag, Kind, Outcome
from cameras.presence import Presence
from cameras.spool import Spool
from detections import broadcast, checkpoint, store
from detections.boxes import Boxes
from detections.checkpoint import Checkpoint
from detections.detector import Detector, Prepared
from detections.messages import BoxMessage, TracksMessage
from detections.tracker import Track, Tracker
from detections.tracklog import LoggedBox, Row, TrackLog
from detections.visits import Best, Change, Rules, Visits
from detections.zoning import Zoning


@dataclass(frozen=True, slots=True)
class Picture:
    """A frame's picture, decoded and letterboxed ahead of its turn."""

    frame_bgr: np.ndarray
    prepared: Prepared
    read_at: float = math.inf

    @property
    def size_wh(self) -> tuple[int, int]:
        height, width = self.frame_bgr.shape[:2]
        return width, height


def decode(spool: Spool, entry: Entry, detector: Detector) -> Picture:
    """Raises OSError where the picture is gone and BadImage where it cannot be decoded. Safe in a side thread."""
    read_at = time.time()
    frame_bgr = images.decode_bgr(spool.picture(entry))
    return Picture(frame_bgr, detector.prepare(frame_bgr), read_at)


@dataclass(slots=True)
class Camera:
    """One camera under analysis: where its state lies, and the state itself, restored from the last checkpoint."""

    id: int
    slug: str
    spool: Spool
    detector: Detector
    track_log: TrackLog
    tracker: Tracker
    visits: Visits
    last: Checkpoint
    written_n: int
    checkpoints: checkpoint.Writer
    presences: presence.Writer
    zoning: Zoning


def restore(camera_id: int, slug: str, *, confidence: float, rules: Rules, detector: Detector) -> Camera:
    """The camera as its last owner left it, however that ended."""
    spool = Spool(folders.of(camera_id))
    last = checkpoint.read(spool.folder)
    if last.outcome:  # An owner killed after its checkpoint may not have got to this.
        spool.settle(last.n, Outcome(last.outcome), last.people)
    return Camera(
        id=camera_id,
        slug=slug,
        spool=spool,
        detector=detector,
        track_log=TrackLog(folders.tracks_of(camera_id)),
        tracker=Tracker(last.tracker or None, confidence=confidence),
        visits=Visits(camera_id, rules, last.visits or None),
        last=last,
        written_n=last.n,
        checkpoints=checkpoint.Writer(spool.folder),
        presences=presence.Writer(spool.folder),
        zoning=Zoning(spool.folder, gap_s=rules.gap_s, state=last.zones),
    )


def detect(camera: Camera, entry: Entry, picture: Picture) -> Boxes:
    """The people in the picture; changes nothing."""
    if entry.flags & Flag.FROZEN:
        return Boxes.empty()
    return camera.detector.detect(picture.prepared, camera.id)


def process(camera: Camera, entry: Entry, picture: Picture, boxes: Boxes) -> None:
    """An admitted frame takes effect: exactly once, because the checkpoint names it before its entry is settled."""
    if entry.flags & Flag.FROZEN:
        stand_still(camera, entry)
        return
    follow_masks(camera)
    tracks = camera.tracker.update(boxes, entry.captured_at, picture.size_wh)
    update = camera.visits.update(
        tracks,
        entry.captured_at,
        stream=entry.stream,
        seq=entry.seq,
        size_wh=picture.size_wh,
        frame_bgr=picture.frame_bgr if camera.zoning.may_show(picture.read_at) else None,
    )
    save(camera, update.changes, best=update.best, frame_bgr=picture.frame_bgr)
    row = log_row(entry, tracks, update.visit_of, picture.size_wh)
    camera.track_log.append(row)
    store.save_happenings(camera.id, camera.zoning.take(row))
    show(camera, row, update.changes)
    finish(camera, entry, Outcome.ANALYSED, people=len(row.boxes))


def follow_masks(camera: Camera) -> None:
    """Where a mask was drawn, open visits lose the pictures from before it, and get others."""
    camera.zoning.look()
    if camera.zoning.mask_version != camera.last.mask_version:
        visits = camera.visits.forget_pictures()
        store.save(camera.id, visits)
        store.remove_pictures(camera.id, visits)
        camera.last = replace(camera.last, mask_version=camera.zoning.mask_version)


def stand_still(camera: Camera, entry: Entry) -> None:
    """The same bytes for a while: whoever is in that picture may be long gone."""
    changes = camera.visits.no_sight(entry.captured_at)
    save(camera, changes)
    camera.track_log.append(Row(entry.n, entry.stream, entry.seq, entry.captured_at, []))
    announce(camera, changes)
    finish(camera, entry, Outcome.ANALYSED, people=0)


def skip(camera: Camera, entry: Entry) -> None:
    """An admitted frame that could not be analysed: an error, never "nobody"."""
    changes = camera.visits.failed(entry.captured_at)
    save(camera, changes)
    camera.track_log.append(Row(entry.n, entry.stream, entry.seq, entry.captured_at, [], failed=True))
    announce(camera, changes)
    finish(camera, entry, Outcome.FAILED, people=0)


def advance(camera: Camera, entry: Entry) -> None:
    """An entry without a picture moves time: the gate saw nobody, or the clock says that the source is silent."""
    if entry.kind is Kind.NO_SIGHT:
        changes = camera.visits.no_sight(entry.received_at)
    elif entry.flags & Flag.FROZEN:
        changes = camera.visits.no_sight(entry.captured_at)
    elif entry.kind in (Kind.NO_MOTION, Kind.NO_PERSON):
        changes = camera.visits.advance(entry.captured_at)
    else:
        changes = []
    if changes:
        save(camera, changes)
        announce(camera, changes)
        keep(camera, entry, Outcome.WAITING, people=0)
    else:  # Nothing to lose: the next checkpoint covers this entry too.
        camera.last = replace(camera.last, n=entry.n, captured_at=entry.captured_at, outcome=Outcome.WAITING, people=0)


def save(
    camera: Camera, changes: list[Change], *, best: list[Best] | None = None, frame_bgr: np.ndarray | None = None
) -> None:
    """Best pictures first, so that a row never names a picture that is not there."""
    for visit, xyxy in best or []:
        assert frame_bgr is not None
        store.save_picture(camera.id, visit, frame_bgr, xyxy)
    store.save(camera.id, [change.visit for change in changes])


def log_row(entry: Entry, tracks: list[Track], visit_of: dict[int, UUID], size_wh: tuple[int, int]) -> Row:
    boxes = []
    for track in tracks:
        left, top, right, bottom = (
            round(min(1.0, max(0.0, edge / size)), 4)
            for edge, size in zip(track.xyxy, (*size_wh, *size_wh), strict=True)
        )
        visit = visit_of.get(track.id)
        boxes.append(
            LoggedBox(track.id, str(visit) if visit else None, left, top, right, bottom, round(track.confidence, 3))
        )
    return Row(entry.n, entry.stream, entry.seq, entry.captured_at, boxes)


def show(camera: Camera, row: Row, changes: list[Change]) -> None:
    """Tells the viewers what this frame showed, then what changed by it."""
    boxes: list[BoxMessage] = [
        {
            "track": box.track,
            "visit": box.visit,
            "xyxy": [box.left, box.top, box.right, box.bottom],
            "confidence": box.confidence,
        }
        for box in row.boxes
    ]
    tracks: TracksMessage = {
        "type": "tracks",
        "camera": camera.slug,
        "stream": row.stream,
        "seq": row.seq,
        "captured_at": row.captured_at,
        "people": camera.visits.people,
        "boxes": boxes,
    }
    if (inside := camera.zoning.inside(row.captured_at)) is not None:
        tracks["zones"] = inside
    broadcast.frame(camera.id, tracks, [store.body(visit) for visit in camera.visits.open])
    announce(camera, changes)


def announce(camera: Camera, changes: list[Change]) -> None:
    for change in changes:
        broadcast.visit(
            camera.id,
            {"type": "visit", "event": change.event, "camera": camera.slug, "visit": store.body(change.visit)},
        )


def keep(camera: Camera, entry: Entry, outcome: Outcome, *, people: int) -> None:
    """Everything up to this entry has taken effect."""
    camera.last = replace(camera.last, n=entry.n, captured_at=entry.captured_at, outcome=outcome, people=people)
    write(camera)


def write(camera: Camera) -> None:
    """Replaces the checkpoint and tells the gate and the clock where analysis stands."""
    visits = camera.visits
    camera.last = replace(
        camera.last, tracker=camera.tracker.state(), visits=visits.state(), zones=camera.zoning.state()
    )
    camera.checkpoints.write(camera.last)
    camera.written_n = camera.last.n
    camera.presences.write(
        Presence(
            n=camera.last.n,
            captured_at=camera.last.captured_at,
            present=visits.is_present(camera.last.captured_at),
            last_box_at=visits.last_box_at,
            people=visits.people,
            open_visits=len(visits.open),
            catching_up=camera.last.catching_up,
            written_at=time.time(),
        ),
    )


def finish(camera: Camera, entry: Entry, outcome: Outcome, *, people: int) -> None:
    """The frame has taken effect: checkpoint, then the entry is settled and its picture given up."""
    keep(camera, entry, outcome, people=people)
    camera.spool.settle(entry.n, outcome, people)
    camera.spool.release(entry)
    metrics.ANALYSED.labels(camera.slug, outcome.name.lower()).inc()
    metrics.LAG_SECONDS.observe(max(0.0, time.time() - entry.received_at))
    if entry.flags & Flag.SAMPLE and people:
        metrics.GATE_MISSES.labels(camera.slug).inc()


def rest(camera: Camera) -> None:
    """The turn ends: entries that changed nothing are now behind the checkpoint too."""
    if camera.last.n > camera.written_n:
        write(camera)
