from __future__ import annotations

from django.conf import settings
from django.utils.module_loading import import_string
from rq import Queue
from rq.serializers import JSONSerializer

from cameras.bell import connection
from recordings import bell


def waiting() -> list[tuple[int, str]]:
    queue = Queue(settings.MEDIA_QUEUE, connection=connection(), serializer=JSONSerializer)
    return [tuple(job.args) for job in queue.get_jobs()]


def test_the_job_that_is_rung_is_there() -> None:
    assert callable(import_string(bell.ENCODE_JOB))


def test_no_more_than_one_job_of_a_take_waits(empty_valkey: str) -> None:
    assert bell.ring(1, "a")
    assert not bell.ring(1, "a")
    assert bell.ring(1, "b")
    assert waiting() == [(1, "a"), (1, "b")]


def test_once_the_job_has_begun_the_take_may_be_rung_again(empty_valkey: str) -> None:
    bell.ring(1, "a")
    bell.answered("a")
    assert bell.ring(1, "a")
    assert len(waiting()) == 2


def test_a_ring_that_was_lost_can_be_made_again_after_a_while(empty_valkey: str) -> None:
    bell.ring(1, "a")
    assert 0 < connection().ttl(f"omil:{settings.NODE}:take:a") <= bell.FLAG_S
