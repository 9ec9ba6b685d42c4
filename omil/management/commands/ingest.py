"""`manage.py ingest`: pulls the cameras that have an address. Until there is a reader for them it says so and waits."""

from __future__ import annotations

import logging
import signal
from typing import Any

from django.core.management.base import BaseCommand

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Pulls the cameras that have an address."

    def handle(self, *args: Any, **options: Any) -> None:
        stopping = (signal.SIGTERM, signal.SIGINT)
        signal.pthread_sigmask(signal.SIG_BLOCK, stopping)
        logger.info("There is nothing to pull: cameras are browsers so far.")
        signal.sigwait(stopping)
