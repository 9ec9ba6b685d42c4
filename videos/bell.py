"""Rings the media workers for a video. It only wakes: what is to be done lies in the database and the work folder."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable
from uuid import UUID

import redis
from django.conf import settings
from rq import Queue
from rq.serializers import JSONSerializer

from cameras.bell import connection

logger = logging.getLogger(__name__)

# By dotted name, as RQ wants it. A test imports them.
ANALYSE_JOB, COPY_JOB = "videos.jobs.analyse", "videos.jobs.copy"


def ring(video_id: UUID, job: str = ANALYSE_JOB) -> None:
    """A ring that is lost is made again by the clock."""
    try:
        # Each ring has a name of its own: RQ forgets a finished job by its name, and with it one that waits.
        _queue().enqueue(
            job,
            str(video_id),
            job_id=f"{_prefix(video_id, job)}{secrets.token_hex(4)}",
            result_ttl=0,
            failure_ttl=0,
            job_timeout=settings.JOB_TIMEOUT_S,
        )
    except redis.RedisError as error:
        logger.warning("video %s: nobody was told of it yet (%s)", video_id, error)


def unrung(video_ids: Iterable[UUID], job: str = ANALYSE_JOB) -> list[UUID]:
    """Those of which no ring waits. Raises RedisError."""
    waiting = _queue().get_job_ids()
    rung = {name.rpartition("-")[0] + "-" for name in waiting}
    return [video_id for video_id in video_ids if _prefix(video_id, job) not in rung]


def others_wait(video_id: UUID) -> bool:
    """Whether other videos than this one wait for a worker. Raises RedisError."""
    return any(not name.startswith(_prefix(video_id, ANALYSE_JOB)) for name in _queue().get_job_ids())


def clips_wait() -> bool:
    """Whether clips, which come first, wait for a worker. Raises RedisError."""
    return bool(connection().llen(f"rq:queue:{settings.MEDIA_QUEUE}"))


def _queue() -> Queue:
    return Queue(settings.VIDEO_QUEUE, connection=connection(), serializer=JSONSerializer)


def _prefix(video_id: UUID, job: str) -> str:
    return f"{job.rpartition('.')[2]}-{video_id}-"
