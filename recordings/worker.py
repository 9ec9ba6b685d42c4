"""The RQ worker of media: clips and exports, then videos, in its own process and always after analysis; never forks."""

from __future__ import annotations

import logging
import os
import threading

import redis
from django.conf import settings
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer

logger = logging.getLogger(__name__)

FOLDER = "media"  # Of the heartbeats, below RUN_DIR.
NICE = 10  # Analysis and the cameras come first.
PAUSE_S = 0.2

stopping = threading.Event()  # Set, a long job ends after the part that it is at.


class MediaWorker(SimpleWorker):  # type: ignore[misc]  # rq has no types.
    """Ends its work at the next part when it is told to stop."""

    exponential_backoff_factor = 1  # A Valkey that is back is found within a second.

    def handle_warm_shutdown_request(self) -> None:
        stopping.set()
        super().handle_warm_shutdown_request()


def serve() -> None:
    """Takes jobs until it is told to stop. A Valkey that goes away is waited for."""
    os.nice(NICE)
    while not stopping.is_set():
        connection = redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2)
        queues = [  # The first that is not empty is served.
            Queue(name, connection=connection, serializer=JSONSerializer)
            for name in (settings.MEDIA_QUEUE, settings.VIDEO_QUEUE)
        ]
        try:
            MediaWorker(queues, connection=connection, serializer=JSONSerializer).work(logging_level="WARNING")
        except redis.RedisError as error:
            logger.warning("the queue is out of reach (%s); trying again", error)
        finally:
            connection.close()
        stopping.wait(PAUSE_S)
