"""A media worker's turn at one video: takes the original in, analyses until others come first, publishes.

Live cameras come first by the worker's niceness, clips by their queue, other videos by turns. Whatever ends the
process, the next turn goes on from the checkpoint; a video that ends it again and again at the same place is given up.
"""

from __future__ import annotations

import errno
import logging
import time
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import redis
from django.conf import settings
from django.db import IntegrityError, OperationalError
from django.utils import timezone

from detections.detector import Detector, get_detector
from detections.weights import WeightsError
from recordings.stores import StoreError
from recordings.worker import stopping
from videos import announce, bell, checkpoint, places, publish, removal
from videos.analysis import Analysis, Standing
from videos.models import Video
from videos.originals import LostError, original_of, take_in
from videos.problems import SENTENCES, Refused

logger = logging.getLogger(__name__)

State = Video.State
TELL_S = 0.4  # How often progress is noted, and it is asked whether the video is still wanted.
LOOK_S = 0.25  # How often it is asked whether others wait.
TURN_S = 15.0  # Of one video while others wait.
LONGEST_S = 1_200.0  # Of any turn: RQ ends a job that takes an hour.
ATTEMPTS = 8  # That end at the same place.
KEPT = 2  # Paused analyses that a worker keeps open.
TRIES = "attempts"  # A file in the work folder.

_paused: dict[UUID, Analysis] = {}


class GoneError(Exception):
    """The video was cancelled or deleted."""


def take(video_id: UUID) -> None:
    work = places.work_of(video_id)
    if Video.objects.filter(pk=video_id, state__in=[State.WAITING, State.ANALYSING]).exists():
        work.mkdir(parents=True, exist_ok=True, mode=0o700)  # Lost, it is begun anew.
    with places.owned(work) as is_owner:
        if not is_owner:
            _forget(video_id)
            return
        video = Video.objects.filter(pk=video_id, state__in=[State.WAITING, State.ANALYSING]).first()
        if video is None:
            _forget(video_id)
            if not Video.objects.filter(pk=video_id).exists():
                removal.clear(video_id)
            return
        try:
            is_over = _go_on(video, work)
        except GoneError:
            _forget(video_id)
            removal.clear(video_id)
            return
        except Exception as error:  # Whatever it is, the video must not be tried for ever, nor be left without a word.
            _forget(video_id)
            _after_error(video, work, error)
            return
        if is_over:
            _forget(video_id)
    if not is_over and not stopping.is_set():
        bell.ring(video_id)


def _go_on(video: Video, work: Path) -> bool:
    """Whether the video is over. Raises GoneError."""
    try:
        # Analysis makes the export; this worker, which has clips to see to, does not wait for it.
        detector = get_detector(leads=False)
    except WeightsError:
        _update(video, problem="no_model")
        return True
    take_in(video, work)
    _update(video, state=State.ANALYSING, problem="", started_at=video.started_at or timezone.now())
    announce.video(video, "changed")
    analysis = _analysis(video, work, detector)
    teller = _Teller(video, analysis)
    if not analysis.run(teller):
        _update(video, progress=video.progress)
        _pause(analysis)
        return False
    analysis.people.end(analysis.at_s)
    if not publish.publish(video, work, analysis):
        raise GoneError
    _forget(video.pk)
    places.remove_work_folder(work)
    announce.video(video, "changed")
    logger.info("video %s: %d samples in %.1f s", video.pk, analysis.next_index, analysis.busy_s)
    return True


def _analysis(video: Video, work: Path, detector: Detector) -> Analysis:
    """The one that this worker paused, unless another worker went on with it."""
    paused = _paused.pop(video.pk, None)
    if paused and paused.next_index == checkpoint.read(work).next:
        return paused
    if paused:
        paused.close()
    if _count_attempt(work) > ATTEMPTS:
        raise Refused("crashed")
    return Analysis(
        video,
        original_of(video, work),
        work,
        detector,
        confidence=settings.CONFIDENCE,
        longest_s=settings.VIDEO_MAX_S,
    )


def _pause(analysis: Analysis) -> None:
    _paused[analysis.video.pk] = analysis
    while len(_paused) > KEPT:
        _forget(next(iter(_paused)))


def _forget(video_id: UUID) -> None:
    if paused := _paused.pop(video_id, None):
        paused.close()


class _Teller:
    """Asked after every sample: notes how far it is, and whether the turn goes on."""

    def __init__(self, video: Video, analysis: Analysis) -> None:
        self._video, self._analysis = video, analysis
        self._began = self._looked_at = time.monotonic()
        self._told_at = 0.0
        self._first: tuple[float, float] | None = None
        self._is_new, self._samples = True, analysis.next_index

    def __call__(self, now: Standing) -> bool:
        at = time.monotonic()
        if self._is_new and now.samples > self._samples:  # It got over where it began.
            self._analysis.keep()
            (self._analysis.work / TRIES).unlink(missing_ok=True)
            self._is_new = False
        if at - self._told_at >= TELL_S:
            self._told_at = at
            self._tell(now)
        if stopping.is_set() or at - self._began > LONGEST_S:
            return False
        if at - self._looked_at < LOOK_S:
            return True
        self._looked_at = at
        with suppress(redis.RedisError):
            if bell.clips_wait():
                return False
            return at - self._began < TURN_S or not bell.others_wait(self._video.pk)
        return True

    def _tell(self, now: Standing) -> None:
        """Raises GoneError."""
        video = self._video
        self._first = self._first or (now.at_s, now.busy_s)
        at_s, busy_s = now.at_s - self._first[0], now.busy_s - self._first[1]
        if busy_s > 0:
            video.rate = at_s / busy_s
        video.samples = now.samples
        video.progress = min(0.999, now.at_s / video.duration_s) if video.duration_s else 0.0
        _update(video, progress=video.progress, samples=video.samples, rate=video.rate)
        announce.video(video, "progress")


def _update(video: Video, **values: object) -> None:
    """Raises GoneError where nobody wants the video any more."""
    for name, value in values.items():
        setattr(video, name, value)
    if not Video.objects.filter(pk=video.pk, state__in=[State.WAITING, State.ANALYSING]).update(**values):
        raise GoneError


# --- What goes wrong ---


def _count_attempt(work: Path) -> int:
    """Once it gets over where it began, it is counted anew."""
    count = _attempts(work) + 1
    (work / TRIES).write_text(str(count))
    return count


def _attempts(work: Path) -> int:
    path = work / TRIES
    return int(path.read_text() or 0) if path.exists() else 0


def _after_error(video: Video, work: Path, error: Exception) -> None:
    if not Video.objects.filter(pk=video.pk).exists():
        removal.clear(video.pk)
        return
    if isinstance(error, StoreError):  # Everything lies in the work folder; the clock rings again.
        logger.warning("video %s: %s; it is tried again", video.pk, error)
        (work / TRIES).unlink(missing_ok=True)
        with suppress(GoneError):
            _update(video, problem="store_away")
            announce.video(video, "changed")
        return
    code = _code_of(error)
    if not code and _attempts(work) < ATTEMPTS:
        logger.warning("video %s: %r; it is tried again", video.pk, error)
        return
    logger.error("video %s failed", video.pk, exc_info=error)
    fail(video, code or "failed")


def _code_of(error: Exception) -> str:
    """Why it failed for good; nothing where another try may help, as with a database that was away or a full disk."""
    from av import FFmpegError

    from videos.containers import NoVideoError
    from videos.sampling import SamplingError

    if getattr(error, "code", None) in SENTENCES:  # An analyser says it itself.
        return str(error.code)  # type: ignore[attr-defined]
    if isinstance(error, SamplingError):
        return str(error)
    if isinstance(error, NoVideoError):
        return "not_video"
    if isinstance(error, LostError):
        return "lost"
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return ""
    if isinstance(error, FFmpegError):
        return "unreadable"
    return "" if isinstance(error, OSError | OperationalError | IntegrityError) else "failed"


def fail(video: Video, code: str) -> None:
    """The original stays, so that people can look at it; nothing else does."""
    video.state, video.problem, video.done_at = State.FAILED, code, timezone.now()
    under_way = Video.objects.filter(pk=video.pk, state__in=[State.WAITING, State.ANALYSING])
    if under_way.update(state=video.state, problem=code, done_at=video.done_at):
        places.remove_work_folder(places.work_of(video.pk))
        announce.video(video, "changed")
