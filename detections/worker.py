"""The RQ worker of analysis: one process, one warm model, never forked (forking after an inference hangs)."""

from __future__ import annotations

import logging
import time
from typing import Any

import redis
from django.conf import settings
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer

from detections.turn import worker

logger = logging.getLogger(__name__)


class DrainWorker(SimpleWorker):  # type: ignore[misc]  # rq has no types.
    """Asks the two queues in the order that this worker's share of time demands, and ends a turn when told to stop."""

    exponential_backoff_factor = 1  # A Valkey that is back is found within a second.

    def reorder_queues(self, reference_queue: Any) -> None:
        names = [settings.DRAIN_QUEUE, settings.CATCH_UP_QUEUE]
        if worker().share.is_catching_up_due(*worker().waiting()):
            names.reverse()
        self._ordered_queues.sort(key=lambda queue: names.index(queue.name))

    def handle_warm_shutdown_request(self) -> None:
        worker().is_stopping = True
        super().handle_warm_shutdown_request()


def serve() -> None:
    """Takes jobs until it is told to stop. A Valkey that goes away is waited for with the model kept warm."""
    host = worker()
    while not host.is_stopping:
        connection = redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2)
        queues = [
            Queue(name, connection=connection, serializer=JSONSerializer)
            for name in (settings.DRAIN_QUEUE, settings.CATCH_UP_QUEUE)
        ]
        try:
            DrainWorker(queues, connection=connection, serializer=JSONSerializer).work(logging_level="WARNING")
        except redis.RedisError as error:
            logger.warning("the queue is out of reach (%s); trying again", error)
        finally:
            connection.close()
        if not host.is_stopping:
            time.sleep(0.2)
