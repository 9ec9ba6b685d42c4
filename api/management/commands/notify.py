"""`manage.py notify`: the process that sends events to webhooks and to whoever streams them."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

from django.core.management.base import BaseCommand

from api import notify
from cameras import connections, heap


class Command(BaseCommand):
    help = "Collects events and sends them to webhooks."
    requires_system_checks = ()  # They load every page; web makes them.

    def handle(self, *args: Any, **options: Any) -> None:
        with notify.alone():
            connections.keep()
            heap.tidy()
            self.stdout.write("notify ready")
            asyncio.run(_run())


async def _run() -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await notify.serve(stop)
