"""Rings the media workers for a visit whose face is to be looked at, as recordings/bell.py does for a clip."""

from __future__ import annotations

from django.conf import settings
from rq import Queue
from rq.serializers import JSONSerializer

from cameras.bell import connection

# By dotted name, as RQ wants it. A test imports it.
LOOK_JOB = "profiles.jobs.look"
FLAG_S = 60  # A ring whose job was lost is made again after this time.


def _flag(visit_id: str) -> str:
    return f"omil:{settings.NODE}:face:{visit_id}"


def ring(visit_id: str) -> bool:
    """Enqueues the look unless it is rung already. Raises RedisError."""
    if not connection().set(_flag(visit_id), 1, nx=True, ex=FLAG_S):
        return False
    waiting = Queue(settings.MEDIA_QUEUE, connection=connection(), serializer=JSONSerializer)
    waiting.enqueue(LOOK_JOB, visit_id, result_ttl=0, failure_ttl=0, job_timeout=settings.JOB_TIMEOUT_S)
    return True


def answered(visit_id: str) -> None:
    """The job has begun. Raises RedisError."""
    connection().delete(_flag(visit_id))
