"""`manage.py recorder`: the process that decides what is kept and cuts it from the rings."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from cameras import connections, heap
from recordings import recorder


class Command(BaseCommand):
    help = "Records every camera as its rules say."
    requires_system_checks = ()  # They load every page; web makes them.

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: stop.set())
        connections.keep()
        heap.tidy()
        self.stdout.write("recorder ready")
        recorder.run(stop)
