"""What a clip consists of for those who look at it: its film, its pictures, the times of its frames and their boxes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.utils import timezone
from django.utils.text import slugify

from cameras import folders
from detections.models import Visit
from detections.tracklog import Row, TrackLog
from recordings import moov, takes
from recordings.models import Recording
from recordings.parts import Parts, Piece
from recordings.ranges import Content, piece_of

MOST_VISITS = 500
LOOK_BACK = timedelta(hours=12)  # Visits that were there so long before a clip are looked for no further.
BOXES_S = 60.0  # Of a clip's boxes that one answer holds.


def file_of(recording: Recording) -> Path:
    """Where a finished clip lies."""
    return Path(settings.RECORDINGS_DIR) / recording.path


def pieces_of(recording: Recording) -> list[Piece]:
    """The film's bytes: a finished clip's file, or of an open one what there is so far. Raises FileNotFoundError."""
    if recording.path:
        return [piece_of(file_of(recording))]
    if recording.state == Recording.State.FAILED:
        return []
    return Parts(takes.folder_of(recording.camera_id, str(recording.pk)).parts).pieces()


def film(recording: Recording, *, as_download: bool = False) -> Content | None:
    """None while, or because, there is nothing to play."""
    try:
        pieces = pieces_of(recording)
    except FileNotFoundError:
        return None
    size = sum(piece.length for piece in pieces)
    if not size:
        return None
    etag = recording.sha256 or f"{recording.pk}-{size}"
    name = f"{name_of(recording)}.mp4" if as_download else ""
    return Content(pieces, "video/mp4", f'"{etag}"', recording.end, name)


def name_of(recording: Recording) -> str:
    """For a file that somebody takes away: the camera, and the time in the viewer's zone."""
    return f"{slugify(recording.camera.slug)}-{timezone.localtime(recording.start):%Y%m%d-%H%M%S}"


def poster(recording: Recording) -> Content | None:
    return _still(recording, ".jpg")


def strip(recording: Recording) -> Content | None:
    """Ten small pictures side by side."""
    return _still(recording, ".strip.jpg")


def _still(recording: Recording, suffix: str) -> Content | None:
    if not recording.path:
        return None
    try:
        piece = piece_of(file_of(recording).with_suffix(suffix))
    except FileNotFoundError:
        return None
    return Content([piece], "image/jpeg", f'"{recording.sha256}{suffix}"', recording.end)


def frame_times(recording: Recording) -> list[float]:
    """Seconds since the clip's start; none while there is nothing to play."""
    try:
        return moov.times(pieces_of(recording))
    except (FileNotFoundError, moov.UnreadableError):
        return []


def is_h265(recording: Recording) -> bool:
    """Whether it is kept as its camera sends it and not every browser plays that."""
    try:
        return moov.codec(pieces_of(recording)) in {"hvc1", "hev1"}
    except (FileNotFoundError, moov.UnreadableError):
        return False


@dataclass(frozen=True, slots=True)
class Stay:
    """A visit as the clip shows it; `since_s` is where in the clip it begins to be seen."""

    visit: Visit
    since_s: float
    until_s: float


def stays_in(recording: Recording) -> list[Stay]:
    """Those whose camera it is may see its visits: the clip's rights are theirs."""
    now = timezone.now()
    visits = Visit.objects.since(recording.start).filter(
        camera=recording.camera_id, first_seen__gte=recording.start - LOOK_BACK, first_seen__lte=recording.end
    )
    return [
        Stay(
            visit,
            max(0.0, (visit.first_seen - recording.start).total_seconds()),
            min(recording.duration_s, (visit.seen_until(now) - recording.start).total_seconds()),
        )
        for visit in visits.order_by("first_seen", "id")[:MOST_VISITS]
    ]


def boxes_in(recording: Recording, since_s: float, until_s: float) -> Iterator[tuple[float, Row]]:
    """The analysed frames of this part of the clip, with their time in it; at most a minute of them."""
    start = recording.start.timestamp()
    until_s = min(until_s, since_s + BOXES_S, recording.duration_s + 0.001)
    log = TrackLog(folders.tracks_of(recording.camera_id))
    for row in log.rows(start + since_s, start + until_s):
        yield round(row.captured_at - start, 3), row


def moment(recording: Recording, offset_s: float) -> datetime:
    return (recording.start + timedelta(seconds=offset_s)).astimezone(UTC)
