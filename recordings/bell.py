"""Rings the media workers for a take. It only wakes: the work lies in the take's folder, and the recorder asks again.

A flag in Valkey says that a take is rung, so that no more than one job of it waits; the job clears it when it begins.
"""

from __future__ import annotations

from django.conf import settings
from rq import Queue
from rq.serializers import JSONSerializer

from cameras.bell import connection

# By dotted name, as RQ wants it. A test imports it.
ENCODE_JOB = "recordings.jobs.encode"
FLAG_S = 30  # A ring whose job was lost is made again after this time.


def _flag(take_id: str) -> str:
    return f"omil:{settings.NODE}:take:{take_id}"


def ring(camera_id: int, take_id: str) -> bool:
    """Enqueues the take's encoding unless it is rung already. Raises RedisError."""
    if not connection().set(_flag(take_id), 1, nx=True, ex=FLAG_S):
        return False
    waiting = Queue(settings.MEDIA_QUEUE, connection=connection(), serializer=JSONSerializer)
    # Kept results or failures would be keys without a reader.
    waiting.enqueue(ENCODE_JOB, camera_id, take_id, result_ttl=0, failure_ttl=0, job_timeout=settings.JOB_TIMEOUT_S)
    return True


def answered(take_id: str) -> None:
    """The job has begun: what comes from now on needs a new ring. Raises RedisError."""
    connection().delete(_flag(take_id))
