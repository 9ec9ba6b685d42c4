"""`manage.py ingest`: the process that pulls the cameras that have an address."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

from django.core.management.base import BaseCommand

from cameras import connections, heap
from cameras.pull import ingest


class Command(BaseCommand):
    help = "Pulls the cameras that have an address."
    requires_system_checks = ()  # They load every page; web makes them.

    def handle(self, *args: Any, **options: Any) -> None:
        asyncio.run(self._run())

    async def _run(self) -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        connections.keep()
        heap.tidy()
        self.stdout.write("ingest ready")
        await ingest.run(stop)
