"""`manage.py clock`: the process that watches silence, forgotten bells, roll-ups, states and retention."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from cameras import connections, heap
from detections import clock


class Command(BaseCommand):
    help = "Does what happens by the clock: silence, forgotten bells, coverage, states, retention."
    requires_system_checks = ()  # They load every page; web makes them.

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: stop.set())
        connections.keep()
        heap.tidy()
        self.stdout.write("clock ready")
        clock.run(stop.wait)
